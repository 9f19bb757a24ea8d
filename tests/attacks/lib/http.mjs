/**
 * HTTP byte by byte: what no client library would send.
 */
import { connect } from 'node:net'
import { within } from '../../clients/lib/wait.mjs'

/** A TCP connection to the server, which notes what comes. */
export class Tcp {
  static async open (t, server) {
    const socket = connect({ port: server.port, host: '127.0.0.1', noDelay: true })
    t.after(() => socket.destroy())
    const tcp = new Tcp(socket)
    await within('the server accepts the connection', new Promise((resolve, reject) => {
      socket.once('connect', resolve)
      socket.once('error', reject)
    }))
    return tcp
  }

  constructor (socket) {
    this.socket = socket
    this.received = ''
    socket.setEncoding('latin1')
    socket.on('error', () => {})
    socket.on('data', text => { this.received += text })
    this.closed = new Promise(resolve => socket.once('close', resolve))
  }

  /** A connection that the server has closed takes nothing any more. */
  send (bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes)
  }

  /** Sends `bytes` one by one, each after `everyMs`, until all are sent or the connection is closed. */
  async trickle (bytes, everyMs) {
    let isClosed = false
    const closed = this.closed.then(() => { isClosed = true })
    for (const byte of Buffer.from(bytes)) {
      this.send(Buffer.from([byte]))
      await Promise.race([closed, new Promise(resolve => setTimeout(resolve, everyMs))])
      if (isClosed) return
    }
  }

  /** The status of the answer; nothing without one. */
  get status () {
    const match = /^HTTP\/1\.1 (\d{3}) /.exec(this.received)
    return match === null ? undefined : Number(match[1])
  }

  /** Waits until the server closes the connection; answers the status that it gave before. */
  async ended (what, deadlineMs) {
    await within(what, this.closed, deadlineMs)
    return this.status
  }
}

/** Sends a request on a connection of its own; answers the status, or nothing when the connection was closed instead. */
export const raw = async (t, server, head, ...body) => {
  const tcp = await Tcp.open(t, server)
  tcp.send([...head, `Host: 127.0.0.1:${server.port}`, 'Connection: close', '', ''].join('\r\n'))
  for (const part of body) tcp.send(part)
  return tcp.ended(`${head[0]} is answered`)
}
