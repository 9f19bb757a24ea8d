/** A proxy that stands in the way as real ones do. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'

export interface Manners {
  /** What becomes of WebSockets: passed on, refused, held open without an answer, or opened with nothing passed on. */
  upgrades: 'pass' | 'refuse' | 'hold' | 'mute'
  /** Streams of events: passed on, collected behind their head, or collected with it. */
  streams: 'pass' | 'buffer' | 'hold'
  /** Answered by the proxy itself, without what the server would say. */
  refuses: { readonly path: RegExp, readonly status: number, readonly headers?: Record<string, string> } | null
}

export class Proxy {
  readonly manners: Manners = { upgrades: 'pass', streams: 'pass', refuses: null }
  /** Paths that were asked for, with `WS ` before those of sockets. */
  readonly asked: string[] = []
  private readonly sockets = new Set<Socket>()
  private readonly server = createServer((incoming, outgoing) => this.pass(incoming, outgoing))

  constructor (public port: number) {
    this.server.on('connection', socket => this.keep(socket))
    this.server.on('upgrade', (incoming: IncomingMessage, socket: Socket) => this.upgrade(incoming, socket))
  }

  static async start (port: number, manners: Partial<Manners> = {}): Promise<Proxy> {
    const proxy = new Proxy(port)
    Object.assign(proxy.manners, manners)
    proxy.server.listen(0, '127.0.0.1')
    await once(proxy.server, 'listening')
    return proxy
  }

  get http (): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  count (path: RegExp): number {
    return this.asked.filter(one => path.test(one)).length
  }

  /** Breaks every connection, as a lost network does. */
  cut (): void {
    for (const socket of this.sockets) socket.destroy()
  }

  close (): void {
    this.cut()
    this.server.close()
  }

  private keep (socket: Socket): void {
    this.sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => this.sockets.delete(socket))
  }

  private pass (incoming: IncomingMessage, outgoing: ServerResponse): void {
    const path = incoming.url ?? ''
    this.asked.push(path)
    const { refuses, streams } = this.manners
    if (refuses?.path.test(path) === true) {
      outgoing.writeHead(refuses.status, refuses.headers ?? {})
      outgoing.end('<h1>No</h1>')
      return
    }
    const onward = request({ host: '127.0.0.1', port: this.port, path, method: incoming.method, headers: incoming.headers }, answer => {
      const isHeld = streams !== 'pass' && answer.headers['content-type'] === 'text/event-stream'
      if (isHeld) {
        if (streams === 'buffer') outgoing.writeHead(answer.statusCode ?? 502, answer.headers).flushHeaders()
        answer.resume()
        return
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
      answer.on('error', () => outgoing.destroy())
      outgoing.flushHeaders()
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  }

  private upgrade (incoming: IncomingMessage, socket: Socket): void {
    this.asked.push(`WS ${incoming.url}`)
    const { upgrades } = this.manners
    if (upgrades === 'hold') return
    if (upgrades === 'refuse') {
      socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      return
    }
    const onward = connect(this.port, '127.0.0.1', () => {
      const lines = Object.entries(incoming.headers).map(([name, value]) => `${name}: ${String(value)}`)
      onward.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      if (upgrades === 'mute') onward.once('data', (head: Buffer) => socket.write(head.subarray(0, head.indexOf('\r\n\r\n') + 4)))
      else {
        onward.pipe(socket)
        socket.pipe(onward)
      }
    })
    this.keep(onward)
    onward.on('close', () => socket.destroy())
    socket.on('close', () => onward.destroy())
  }
}
