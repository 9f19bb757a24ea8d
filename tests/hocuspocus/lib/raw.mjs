/**
 * A client made by hand: it sends what the test says and nothing else.
 */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocket } from 'ws'
import { until, within } from '../../clients/lib/wait.mjs'
import { url } from './people.mjs'

export const SYNC = 0
export const AWARENESS = 1
export const AUTH = 2
export const STATELESS = 5
export const CLOSE = 7
export const STATUS = 8

/** A frame to `address`; strings are written as strings, numbers as numbers, and bytes with their length. */
export const frame = (address, ...parts) => {
  const encoder = encoding.createEncoder()
  encoding.writeVarString(encoder, address)
  for (const part of parts) {
    if (typeof part === 'string') encoding.writeVarString(encoder, part)
    else if (typeof part === 'number') encoding.writeVarUint(encoder, part)
    else encoding.writeVarUint8Array(encoder, part)
  }
  return encoding.toUint8Array(encoder)
}

export const auth = (address, token = '', ...version) => frame(address, AUTH, 0, token, ...version)
export const step1 = (address, stateVector = new Uint8Array([0])) => frame(address, SYNC, 0, stateVector)
export const step2 = (address, update) => frame(address, SYNC, 1, update)
export const update = (address, bytes) => frame(address, SYNC, 2, bytes)

const decode = bytes => {
  if (bytes.length === 1) return { bare: bytes[0] }
  const decoder = decoding.createDecoder(bytes)
  const address = decoding.readVarString(decoder)
  const type = decoding.readVarUint(decoder)
  if (type === SYNC) return { address, type, kind: decoding.readVarUint(decoder), body: decoding.readVarUint8Array(decoder) }
  if (type === STATUS) return { address, type, status: decoding.readVarInt(decoder) }
  if (type === CLOSE) return { address, type, text: decoding.readVarString(decoder) }
  if (type === AUTH) {
    const kind = decoding.readVarUint(decoder)
    return { address, type, kind, text: kind === 0 ? undefined : decoding.readVarString(decoder) }
  }
  return { address, type }
}

export class Raw {
  static async connect (t, server, { query = '', headers = {} } = {}) {
    const raw = new Raw(new WebSocket(url(server) + query, { headers, perMessageDeflate: false }))
    t.after(() => raw.socket.terminate())
    await within('the raw socket opens', raw.opened)
    return raw
  }

  constructor (socket) {
    this.socket = socket
    this.messages = []
    this.opened = new Promise((resolve, reject) => {
      socket.once('open', resolve)
      socket.once('error', reject)
    })
    this.closed = new Promise(resolve => socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })))
    socket.on('error', () => {})
    socket.on('message', data => this.messages.push(decode(new Uint8Array(data))))
  }

  send (...frames) {
    for (const bytes of frames) this.socket.send(bytes)
  }

  /** Waits for the first message (from `from` on) that fits. */
  message (what, fits, from = 0) {
    return until(what, () => this.messages.slice(from).find(fits), { detail: () => this.messages.slice(-20) })
  }

  authenticated (address, from) {
    return this.message(`${address} is authenticated`, message => message.address === address && message.type === AUTH && message.kind === 2, from)
  }

  close () {
    return within('the server closes the socket', this.closed)
  }

  statuses (address) {
    return this.messages.filter(message => message.address === address && message.type === STATUS).map(({ status }) => status)
  }
}
