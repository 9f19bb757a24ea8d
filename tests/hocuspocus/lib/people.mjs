/**
 * People at their maps: the unmodified Hocuspocus provider on a Yjs document.
 */
import { execFileSync } from 'node:child_process'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { HocuspocusProvider as Provider3, HocuspocusProviderWebsocket as Socket3 } from '@hocuspocus/provider-3'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { binary } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'

process.setMaxListeners(0)

export const SECRET = 'correct horse battery staple 0123456789'

/** Settings of a server that asks for tokens. */
export const REQUIRED = { SYNAPTI_AUTH_MODE: 'required', SYNAPTI_AUTH_SECRET: SECRET }

export const url = server => `ws://127.0.0.1:${server.port}/v1/hocuspocus`

let names = 0

/** A name that no other test of this file uses. */
export const mapName = name => `${name}-${process.pid}-${names++}`

/** A token, made by the program itself: `token({ 'my-map': 'editor' }, { sub: 'ada', seconds: 60 })`. */
export const token = (graphs, { sub = 'ada', seconds = 600, role = 'user' } = {}) => execFileSync(binary(), [
  'token', '--sub', sub, '--role', role, '--expires-in', String(seconds),
  ...Object.entries(graphs).flatMap(([graph, right]) => ['--graph', `${graph}=${right}`])
], { env: { ...process.env, SYNAPTI_AUTH_SECRET: SECRET }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()

/** One that is given up before it is open says so, to nobody. */
class QuietSocket extends WebSocket {
  constructor (...args) {
    super(...args)
    this.on('error', () => {})
  }
}

/** A socket for several documents. */
export const socket = (t, server, { version = 4, query = '', ...options } = {}) => {
  const Socket = version === 3 ? Socket3 : HocuspocusProviderWebsocket
  const made = new Socket({ url: url(server) + query, WebSocketPolyfill: QuietSocket, delay: 50, minDelay: 50, ...options })
  t.after(() => made.destroy())
  return made
}

/**
 * Opens a document; everything is closed after the test `t`.
 *
 * @returns {{doc: Y.Doc, provider: HocuspocusProvider, heard: object}} `heard` is what the provider told so far
 */
export const open = (t, server, name, { doc = new Y.Doc(), on, version = 4, token = null, socketOptions, ...options } = {}) => {
  const Provider = version === 3 ? Provider3 : HocuspocusProvider
  const heard = { scopes: [], denied: [], closed: [], synced: 0, stateless: [], sent: [] }
  const websocketProvider = on ?? socket(t, server, { version, ...socketOptions })
  const provider = new Provider({
    name,
    document: doc,
    token,
    websocketProvider,
    onAuthenticated: ({ scope }) => heard.scopes.push(scope),
    onAuthenticationFailed: ({ reason }) => heard.denied.push(reason),
    onClose: ({ event }) => heard.closed.push(event.reason),
    onSynced: () => { heard.synced += 1 },
    onStateless: ({ payload }) => heard.stateless.push(payload),
    ...options
  })
  t.after(() => leave({ provider, doc }))
  provider.attach()
  return { doc, provider, heard, socket: websocketProvider }
}

export const leave = ({ provider, doc }) => {
  try { provider.destroy() } catch { /* it was before */ }
  doc.destroy()
}

export const saved = (...people) => until('everything is saved', () =>
  people.every(({ provider }) => provider.isSynced && !provider.hasUnsyncedChanges),
{ detail: () => people.map(({ provider, heard }) => [provider.unsyncedChanges, provider.isSynced, heard]) })

/** Opens a document and waits until it is synced. */
export const join = async (t, server, name, options) => {
  const person = open(t, server, name, options)
  await saved(person)
  return person
}

export const text = ({ doc }) => doc.getText('text').toString()

export const write = ({ doc }, words) => doc.getText('text').insert(doc.getText('text').length, words)

export const reads = (words, ...people) => until(`everybody reads ${words}`, () => people.every(person => text(person) === words),
  { detail: () => people.map(text) })

/** What somebody reads who was never there. */
export const fresh = async (t, server, name, options) => {
  const reader = await join(t, server, name, options)
  const read = text(reader)
  leave(reader)
  return read
}

/** Somebody with y-websocket. */
export const joinPlain = async (t, server, name, { params = {} } = {}) => {
  const doc = new Y.Doc()
  const provider = new WebsocketProvider(server.ws, name, doc, { WebSocketPolyfill: WebSocket, disableBc: true, params })
  t.after(() => {
    provider.destroy()
    doc.destroy()
  })
  await until('the y-websocket client is synced', () => provider.synced)
  return { doc, provider, awareness: provider.awareness }
}

/** Cuts the connection without a closing handshake, as a lost network does. */
export const cut = ({ socket }) => socket.webSocket.terminate()
