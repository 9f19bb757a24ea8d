/**
 * People at their maps: the unmodified `WebsocketProvider` of y-websocket on a Yjs document.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import { toJSON } from './map.mjs'
import { until } from './wait.mjs'

// Each provider listens for the end of the process; fifty of them are no leak.
process.setMaxListeners(0)

/** The server's *ack* message: the first n edits of this connection are durable. */
const MESSAGE_ACK = 120
const MESSAGE_NOTICE = 121

/**
 * Connects to the room `id`; everything is closed after the test `t`.
 *
 * @returns {{doc: Y.Doc, provider: WebsocketProvider, awareness: object, acked: number, notices: object[]}}
 *   `acked` and `notices` move only with `acks: true`, which asks the server for its extensions
 */
export const connect = (t, server, id, { doc = new Y.Doc(), acks = false, params = {}, state, ...options } = {}) => {
  const provider = new WebsocketProvider(server.ws, id, doc, {
    WebSocketPolyfill: WebSocket,
    disableBc: true,
    params: acks ? { ext: '1', ...params } : params,
    ...options
  })
  const client = { doc, provider, awareness: provider.awareness, acked: 0, notices: [] }
  if (acks) {
    provider.messageHandlers[MESSAGE_ACK] = (_encoder, decoder) => { client.acked = decoding.readVarUint(decoder) }
    provider.messageHandlers[MESSAGE_NOTICE] = (_encoder, decoder) => client.notices.push(JSON.parse(decoding.readVarString(decoder)))
    provider.on('status', ({ status }) => { if (status === 'connecting') client.acked = 0 })
  }
  if (state !== undefined) provider.awareness.setLocalState(state)
  t.after(() => leave(client))
  return client
}

/** Leaves for good, as a closed tab does. */
export const leave = client => {
  client.provider.destroy()
  client.doc.destroy()
}

/** Connects and waits for the first sync. */
export const join = async (t, server, id, options) => {
  const client = connect(t, server, id, options)
  await synced(client)
  return client
}

export const synced = (...clients) => until('the clients are synced', () => clients.every(client => client.provider.synced))

/** Reads the room as somebody who was never there. */
export const freshJSON = async (t, server, id, read = toJSON) => {
  const client = await join(t, server, id)
  const json = read(client.doc)
  leave(client)
  return json
}

/**
 * Waits until somebody who was never there reads `json`. What a client has just sent may still be on its way when a
 * fresh one joins over another connection.
 */
export const published = (t, server, id, json) => until('a fresh client reads what was written', async () => {
  assert.deepEqual(await freshJSON(t, server, id), json)
  return true
})

/** Cuts the connection without a closing handshake, as a lost network does. */
export const cut = client => client.provider.ws.terminate()

export const sameState = (a, b) =>
  isDeepStrictEqual(Y.decodeStateVector(Y.encodeStateVector(a)), Y.decodeStateVector(Y.encodeStateVector(b)))

/** How many items this document's own author has made. */
export const clockOf = doc => Y.getState(doc.store, doc.clientID)

/** Waits until all documents have seen the same edits and read the same, and returns their JSON. */
export const converged = async (clients, { read = toJSON, ...options } = {}) => {
  const docs = clients.map(client => client.doc)
  return until(`${docs.length} clients have converged`, () => {
    if (!docs.every(doc => sameState(docs[0], doc))) return undefined
    const first = read(docs[0])
    return docs.every(doc => isDeepStrictEqual(read(doc), first)) ? first : undefined
  }, { detail: () => docs.map(doc => Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(doc)))).slice(0, 5), ...options })
}

let rooms = 0

/** A room id that no other test of this file uses. */
export const roomId = name => `${name}-${process.pid}-${rooms++}`
