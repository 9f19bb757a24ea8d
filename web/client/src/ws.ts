/** The WebSocket: y-websocket's protocol with the acknowledgements and notices of `synapti.v1`. */
import { QUERY_AWARENESS, STEP1, syncMessage } from './message.ts'
import { Timers } from './timers.ts'
import { LOST, type Open } from './transport.ts'

/** After this long without a word the server is asked for one, and after the other the socket counts as dead. */
const ASK_AFTER_MS = 15_000
const DEAD_AFTER_MS = 15_000

const OPEN = 1

export const openWs: Open = (route, listener) => {
  if (route.WebSocket === null) throw new Error('There is no WebSocket here.')
  const timers = new Timers()
  const token = route.token()
  const search = new URLSearchParams({ ...route.params, ext: '1' })
  const address = `${route.server.replace(/^http/, 'ws')}/v1/ws/${encodeURIComponent(route.graphId)}?${search}`
  const socket = new route.WebSocket(address, ['synapti.v1', ...token === null ? [] : [`bearer.${token}`]])
  socket.binaryType = 'arraybuffer'

  const send = (message: Uint8Array): void => {
    if (socket.readyState === OPEN) socket.send(message as Uint8Array<ArrayBuffer>)
  }
  const close = (): void => {
    timers.clearAll()
    socket.onopen = socket.onmessage = socket.onclose = null
    // Who closes a socket that is still opening hears of it as an error.
    socket.onerror = () => {}
    socket.close()
  }
  const isHeard = (): void => timers.set('silence', ASK_AFTER_MS, () => {
    send(new Uint8Array([QUERY_AWARENESS]))
    timers.set('silence', DEAD_AFTER_MS, () => {
      close()
      listener.ended({ code: LOST, reason: 'the socket is silent' })
    })
  })

  socket.onopen = () => {
    isHeard()
    send(syncMessage(STEP1, route.stateVector()))
    listener.opened()
  }
  socket.onmessage = ({ data }: MessageEvent) => {
    isHeard()
    listener.alive()
    if (data instanceof ArrayBuffer) listener.message(new Uint8Array(data))
  }
  // What went wrong is not told to programs; the close that follows counts.
  socket.onerror = () => {}
  socket.onclose = ({ code, reason }: CloseEvent) => {
    close()
    listener.ended({ code, reason, isServer: code !== LOST, token })
  }
  return { name: 'ws', edit: send, presence: send, farewell: message => { if (message !== null) send(message) }, close }
}
