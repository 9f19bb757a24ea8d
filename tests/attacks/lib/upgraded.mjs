/**
 * A TCP connection that was made a WebSocket by hand: it sends any bytes, and notes what comes.
 */
import { connect } from 'node:net'
import { CLOSE, PING, PONG, frame, parse } from './frames.mjs'
import { within } from '../../clients/lib/wait.mjs'

const handshake = (port, id) => [
  `GET /v1/ws/${id} HTTP/1.1`, `Host: 127.0.0.1:${port}`, 'Upgrade: websocket', 'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Sec-WebSocket-Version: 13', '', ''
].join('\r\n')

export class Upgraded {
  /** Opens a socket on the room `id` and returns when the server has agreed. */
  static async open (t, server, id, { localAddress } = {}) {
    const socket = connect({ port: server.port, host: '127.0.0.1', localAddress, noDelay: true })
    t.after(() => socket.destroy())
    const upgraded = new Upgraded(socket)
    socket.write(handshake(server.port, id))
    await within('the upgrade is answered', upgraded.opened)
    return upgraded
  }

  constructor (socket) {
    this.socket = socket
    /** What the server has sent, in frames. */
    this.frames = []
    let rest = Buffer.alloc(0)
    let isOpen = false
    this.opened = new Promise((resolve, reject) => {
      this.closed = new Promise(close => {
        socket.on('data', chunk => {
          rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
          if (!isOpen) {
            const end = rest.indexOf('\r\n\r\n')
            if (end < 0) return
            const head = rest.subarray(0, end).toString()
            if (!head.startsWith('HTTP/1.1 101 ')) return reject(new Error(head))
            rest = rest.subarray(end + 4)
            isOpen = true
            resolve()
          }
          const [frames, more] = parse(rest)
          rest = more
          this.frames.push(...frames)
          // Who does not answer looks dead after a while.
          for (const { opcode, payload } of frames) if (opcode === PING && !socket.destroyed) socket.write(frame(PONG, payload))
        })
        socket.on('error', () => {})
        socket.on('close', () => {
          reject(new Error('the connection was closed instead of upgraded'))
          close(this.closeFrame)
        })
      })
    })
    this.opened.catch(() => {})
  }

  /** `{code, reason}` of the server's close frame; a code of 1005 when there is none in it; nothing without a frame. */
  get closeFrame () {
    const frame = this.frames.find(({ opcode }) => opcode === CLOSE)
    if (frame === undefined) return undefined
    const { payload } = frame
    return { code: payload.length < 2 ? 1005 : payload.readUInt16BE(), reason: payload.subarray(2).toString() }
  }

  /** Sends the bytes, each buffer in a write of its own. A connection that the server has closed takes nothing any more. */
  async send (...buffers) {
    for (const bytes of buffers) {
      if (this.socket.destroyed) return
      await new Promise(resolve => this.socket.write(bytes, resolve))
    }
  }

  /** Sends the bytes one by one. */
  async sendOctets (bytes) {
    for (let at = 0; at < bytes.length; at++) await this.send(bytes.subarray(at, at + 1))
  }

  /** Says that nothing more comes. */
  end () {
    this.socket.end()
  }

  /** How the server ends the connection: see `closeFrame`. */
  async ended (what = 'the server ends the connection') {
    return within(what, this.closed)
  }
}
