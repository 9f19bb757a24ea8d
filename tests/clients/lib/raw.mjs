/**
 * A client made by hand from `ws` and y-protocols: it sends what the test says and nothing else.
 */
import { WebSocket } from 'ws'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'
import { until, within } from './wait.mjs'

export const SYNC = 0
export const AWARENESS = 1
export const AUTH = 2
export const QUERY_AWARENESS = 3
/** Extensions: the first n edits are on disk; news as JSON. */
export const ACK = 120
export const NOTICE = 121
export const STEP1 = 0
export const STEP2 = 1
export const UPDATE = 2

const message = write => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

const syncMessage = (kind, bytes) => message(encoder => {
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, kind)
  encoding.writeVarUint8Array(encoder, bytes)
})

export const step1 = (stateVector = new Uint8Array([0])) => syncMessage(STEP1, stateVector)
export const step2 = update => syncMessage(STEP2, update)
export const update = bytes => syncMessage(UPDATE, bytes)

/** An awareness message of entries `{client, clock, state}`. */
export const awareness = entries => message(encoder => {
  encoding.writeVarUint(encoder, AWARENESS)
  encoding.writeVarUint8Array(encoder, message(inner => {
    encoding.writeVarUint(inner, entries.length)
    for (const { client, clock, state } of entries) {
      encoding.writeVarUint(inner, client)
      encoding.writeVarUint(inner, clock)
      encoding.writeVarString(inner, JSON.stringify(state))
    }
  }))
})

const decodeAwareness = bytes => {
  const decoder = decoding.createDecoder(bytes)
  return Array.from({ length: decoding.readVarUint(decoder) }, () => ({
    client: decoding.readVarUint(decoder),
    clock: decoding.readVarUint(decoder),
    state: JSON.parse(decoding.readVarString(decoder))
  }))
}

/** A frame as `{type, kind?, body?, entries?, count?, notice?}`; a frame that cannot be read throws. */
export const decode = bytes => {
  const decoder = decoding.createDecoder(bytes)
  const type = decoding.readVarUint(decoder)
  if (type === SYNC) return { type, kind: decoding.readVarUint(decoder), body: decoding.readVarUint8Array(decoder) }
  if (type === AWARENESS) return { type, entries: decodeAwareness(decoding.readVarUint8Array(decoder)) }
  if (type === ACK) return { type, count: decoding.readVarUint(decoder) }
  if (type === NOTICE) return { type, notice: JSON.parse(decoding.readVarString(decoder)) }
  return { type }
}

export class RawClient {
  /** Opens a socket on the room `id` and returns when it is open. */
  static async open (t, server, id, { query = '', protocols = [], headers = {} } = {}) {
    const client = new this(new WebSocket(`${server.ws}/${id}${query}`, protocols, { headers, perMessageDeflate: false }))
    t.after(() => client.socket.terminate())
    await within('the raw socket opens', client.opened)
    return client
  }

  /**
   * Knocks at the room `id`: the greeted client when the server lets it in, else how it was refused, as `{code, reason}`
   * of the close frame or `{status}` of the HTTP answer.
   */
  static async knock (t, server, id, { query = '', protocols = [], headers = {} } = {}) {
    const client = new RawClient(new WebSocket(`${server.ws}/${id}${query}`, protocols, { headers }))
    t.after(() => client.socket.terminate())
    const greeted = new Promise(resolve => client.socket.once('message', () => resolve({ client })))
    const refused = client.opened.then(() => client.closed, ({ status, message }) => ({ status, message }))
    return within('the server lets the client in or refuses it', Promise.race([greeted, refused]))
  }

  /** `doc` takes what the server sends: a document of somebody who was here before, or a new one. */
  constructor (socket, doc = new Y.Doc()) {
    this.socket = socket
    this.messages = []
    this.doc = doc
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('unexpected-response', (_request, response) => reject(Object.assign(new Error(`HTTP ${response.statusCode}`), { status: response.statusCode })))
      socket.once('error', reject)
    })
    this.opened.catch(() => {})
    this.closed = new Promise(resolve => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })))
    socket.on('error', () => {})
    socket.on('message', (data, isBinary) => {
      const decoded = isBinary ? decode(new Uint8Array(data)) : { type: 'text', text: data.toString() }
      this.messages.push(decoded)
      if (decoded.type === SYNC && decoded.kind !== STEP1) Y.applyUpdate(this.doc, decoded.body, 'server')
    })
  }

  send (...frames) {
    for (const frame of frames) this.socket.send(frame)
  }

  /** Waits for the first message (from `from` on) that fits. */
  async message (what, fits, from = 0) {
    return until(what, () => this.messages.slice(from).find(fits))
  }

  /** Asks for everything and returns when the answer is in `doc`. */
  async read () {
    const from = this.messages.length
    this.send(step1(Y.encodeStateVector(this.doc)))
    await this.message('the server answers Step1', ({ type, kind }) => type === SYNC && kind === STEP2, from)
    return this.doc
  }

  /** The close code that the server sends. */
  async closeCode () {
    return within('the server closes the socket', this.closed)
  }
}
