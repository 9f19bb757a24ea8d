/**
 * A reader of event streams, by hand: what the protocol describes, over `fetch`.
 */
import * as Y from 'yjs'
import { read } from './poll.mjs'

/** One block of lines as `{id, event, data}`; comments have none of these. */
const parse = block => {
  const event = {}
  for (const line of block.split('\n')) {
    const at = line.indexOf(':')
    if (at > 0) event[line.slice(0, at)] = line.slice(at + 1).trimStart()
    else if (at === 0) event.comment = true
  }
  return event
}

export class Stream {
  /** Opens the stream; `response.status` says whether there is one. */
  static async open (t, base, id, { doc = new Y.Doc(), sv, cursor, lastEventId, ext, token, headers = {} } = {}) {
    const query = new URLSearchParams(Object.entries({ sv, cursor, ext, token }).filter(([, value]) => value !== undefined))
    const abort = new AbortController()
    t.after(() => abort.abort())
    const response = await fetch(`${base}/v1/graphs/${id}/sse?${query}`, {
      headers: { ...(lastEventId && { 'last-event-id': lastEventId }), ...headers },
      signal: abort.signal
    })
    const stream = new Stream(response, abort, doc)
    if (response.status === 200) stream.reading = stream.read().catch(() => {})
    return stream
  }

  constructor (response, abort, doc) {
    Object.assign(this, { response, abort, doc, events: [], comments: 0, lastEventId: undefined, closed: undefined, over: false })
  }

  async read () {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const chunk of this.response.body) {
      rest += decoder.decode(chunk, { stream: true })
      const blocks = rest.split('\n\n')
      rest = blocks.pop()
      blocks.forEach(block => this.take(parse(block)))
    }
    this.over = true
  }

  take (event) {
    if (event.comment) this.comments++
    if (event.id !== undefined) this.lastEventId = event.id
    if (event.event === 'close') this.closed = JSON.parse(event.data)
    else if (event.data !== undefined) {
      const message = read(Buffer.from(event.data, 'base64'))
      this.events.push({ ...message, id: event.id })
      const update = message.step2 ?? message.update
      if (update) Y.applyUpdate(this.doc, update, this)
    }
  }

  /** The state vector of the document, as the address wants it. */
  static vector (doc) {
    return Buffer.from(Y.encodeStateVector(doc)).toString('base64url')
  }

  close () {
    this.abort.abort()
  }
}
