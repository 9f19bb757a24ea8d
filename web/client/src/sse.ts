/** Server-Sent Events over `fetch`: the token goes in a header, and what was read can be told from what was held back. */
import { addressOf, endFrom, request } from './http.ts'
import { Timers } from './timers.ts'
import { type End, LOST, type Open } from './transport.ts'
import { Writer } from './writer.ts'

/** The server says something every ten seconds. */
const SILENT_MS_MAX = 25_000
/** A state vector that is longer makes an address that proxies refuse. Without one, everything is sent. */
const STATE_VECTOR_BYTES_MAX = 3000

const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')

const fromBase64 = (text: string): Uint8Array => Uint8Array.from(atob(text), character => character.charCodeAt(0))

/** One event as it came. */
interface Event {
  type: string
  id: string | null
  data: string
}

/** Takes text in any pieces, and gives whole events. */
export const eventReader = (onEvent: (event: Event) => void): ((text: string) => void) => {
  let rest = ''
  let pieces: string[] = []
  let event: Event = { type: 'message', id: null, data: '' }
  const line = (text: string): void => {
    if (text === '') {
      if (pieces.length > 0) onEvent({ ...event, data: pieces.join('\n') })
      event = { type: 'message', id: null, data: '' }
      pieces = []
      return
    }
    const [, field, value = ''] = /^([^:]*):? ?([^]*)$/.exec(text) ?? []
    if (field === 'data') pieces.push(value)
    else if (field === 'event') event.type = value
    else if (field === 'id') event.id = value
  }
  return text => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const one of lines) line(one.endsWith('\r') ? one.slice(0, -1) : one)
  }
}

export const openSse: Open = (route, listener) => {
  const timers = new Timers()
  const abort = new AbortController()
  const token = route.token()
  let isClosed = false

  const close = (): void => {
    isClosed = true
    timers.clearAll()
    writer.close()
    abort.abort()
  }
  const end = (why: End): void => {
    if (isClosed) return
    close()
    listener.ended(why)
  }
  const writer = new Writer(route, listener, end)
  const isHeard = (): void => timers.set('silence', SILENT_MS_MAX, () => end({ code: LOST, reason: 'the stream is silent' }))

  const onEvent = ({ type, id, data }: Event): void => {
    if (isClosed) return
    if (type === 'close') {
      const { code, reason } = JSON.parse(data) as { code: number, reason: string }
      return end({ code, reason, isServer: true, token })
    }
    if (type !== 'message') return
    if (id !== null) writer.cursor = id
    listener.message(fromBase64(data))
  }

  const read = async (): Promise<void> => {
    const vector = route.stateVector()
    const sv = vector.length > STATE_VECTOR_BYTES_MAX ? null : base64url(vector)
    const response = await request(route, addressOf(route, 'sse', { sv, ext: '1' }), {
      headers: { accept: 'text/event-stream' }, signal: abort.signal
    })
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true
    if (!isStream || response.body === null) return end({ code: LOST, reason: 'the answer is no stream of events' })
    const reader = response.body.getReader()
    const decoder = new TextDecoder()
    const take = eventReader(onEvent)
    let isOpen = false
    while (!isClosed) {
      const { value, done } = await reader.read()
      if (isClosed) return
      if (done) return end({ code: LOST, reason: 'the stream has ended' })
      isHeard()
      // A proxy that holds the stream back sends its head all the same: only what comes in it counts.
      if (!isOpen) listener.opened()
      isOpen = true
      listener.alive()
      take(decoder.decode(value, { stream: true }))
    }
  }

  isHeard()
  read().catch((error: unknown) => end(endFrom(error)))
  return {
    name: 'sse',
    edit: message => writer.edit(message),
    presence: message => writer.presence(message),
    farewell: message => writer.farewell(message),
    close
  }
}
