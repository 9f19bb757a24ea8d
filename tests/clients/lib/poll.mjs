/**
 * A Yjs document behind a network that lets only requests through: POSTs to `/sync`, by hand as the protocol describes
 * them. Deliberately simple: what a stranger would write.
 */
import * as awarenessProtocol from 'y-protocols/awareness'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import * as Y from 'yjs'

/** For tests beside these packages. */
export { Y }

const SYNC = 0
const AWARENESS = 1
const STEP1 = 0
const STEP2 = 1
const UPDATE = 2

/** One message. */
const message = write => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

const sync = (kind, bytes) => message(encoder => {
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, kind)
  encoding.writeVarUint8Array(encoder, bytes)
})

export const step1 = doc => sync(STEP1, Y.encodeStateVector(doc))
export const step2 = (doc, vector) => sync(STEP2, Y.encodeStateAsUpdate(doc, vector))
export const update = bytes => sync(UPDATE, bytes)
export const presence = (awareness, clients = [awareness.clientID]) => message(encoder => {
  encoding.writeVarUint(encoder, AWARENESS)
  encoding.writeVarUint8Array(encoder, awarenessProtocol.encodeAwarenessUpdate(awareness, clients))
})

/** Messages behind each other, each with its length in front. */
export const bundle = messages => message(encoder => messages.forEach(one => encoding.writeVarUint8Array(encoder, one)))

export const unbundle = bytes => {
  const decoder = decoding.createDecoder(bytes)
  const messages = []
  while (decoding.hasContent(decoder)) messages.push(decoding.readVarUint8Array(decoder))
  return messages
}

/** What a message says: `{step1}`, `{step2}`, `{update}` or `{awareness}`. */
export const read = bytes => {
  const decoder = decoding.createDecoder(bytes)
  const type = decoding.readVarUint(decoder)
  if (type === AWARENESS) return { awareness: decoding.readVarUint8Array(decoder) }
  if (type !== SYNC) return { type }
  const kind = decoding.readVarUint(decoder)
  return { [['step1', 'step2', 'update'][kind]]: decoding.readVarUint8Array(decoder) }
}

/** Sends one poll as it is. */
export const post = async (base, id, { body = [], wait, cursor, token, headers = {}, signal } = {}) => {
  const query = new URLSearchParams()
  if (wait !== undefined) query.set('wait', wait)
  if (cursor !== undefined) query.set('cursor', cursor)
  const bytes = body instanceof Uint8Array ? body : bundle(body)
  const response = await fetch(`${base}/v1/graphs/${id}/sync?${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream', ...(token && { authorization: `Bearer ${token}` }), ...headers },
    body: bytes,
    signal
  })
  const answer = new Uint8Array(await response.arrayBuffer())
  const ok = response.status === 200 || response.status === 204
  return {
    status: response.status,
    headers: response.headers,
    cursor: response.headers.get('synapti-cursor') ?? undefined,
    durable: response.headers.has('synapti-durable') ? Number(response.headers.get('synapti-durable')) : undefined,
    messages: ok ? unbundle(answer).map(read) : [],
    error: ok ? undefined : JSON.parse(new TextDecoder().decode(answer)).error
  }
}

/** Somebody who polls. Edits wait in `unsent` until the server says that they are durable. */
export class Poller {
  /** @param {() => string} base where to send the next request */
  constructor (base, id, { doc = new Y.Doc(), token } = {}) {
    this.base = typeof base === 'string' ? () => base : base
    this.id = id
    this.doc = doc
    this.token = token
    this.awareness = new awarenessProtocol.Awareness(doc)
    this.unsent = []
    this.cursor = undefined
    this.doc.on('update', (bytes, origin) => { if (origin !== this) this.unsent.push(bytes) })
  }

  /** One exchange; answers what the server said. */
  async poll ({ wait, with: also = [] } = {}) {
    const sent = this.unsent.length
    const body = [step1(this.doc), ...this.unsent.map(update), ...also]
    const answer = await post(this.base(), this.id, { body, wait, cursor: this.cursor, token: this.token })
    if (answer.error !== undefined) return answer
    this.unsent.splice(0, Math.min(sent, answer.durable ?? 0))
    await this.take(answer)
    return answer
  }

  async take ({ messages, cursor }) {
    this.cursor = cursor
    for (const { step1: asked, step2, update, awareness } of messages) {
      if (step2 ?? update) Y.applyUpdate(this.doc, step2 ?? update, this)
      if (awareness) awarenessProtocol.applyAwarenessUpdate(this.awareness, awareness, this)
      // The server lacks something that is not among the edits that wait: it was edited before, offline for instance.
      if (asked) {
        const missing = Y.encodeStateAsUpdate(this.doc, asked)
        const { structs } = Y.decodeUpdate(missing)
        if (structs.length > 0) this.unsent.push(missing)
      }
    }
  }

  /** Shows `state` to the others. */
  async show (state) {
    this.awareness.setLocalState(state)
    return this.poll({ with: [presence(this.awareness)] })
  }

  destroy () {
    this.awareness.destroy()
    this.doc.destroy()
  }
}
