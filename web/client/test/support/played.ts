/** A server that is played by the test: it sees each request, and answers when and as the test wants. */
import { pack, unpack } from '../../src/message.ts'
import type { Listener, Route } from '../../src/transport.ts'

export interface Asked {
  readonly url: URL
  readonly init: RequestInit
  /** What the body holds. */
  readonly messages: Uint8Array[]
  readonly at_ms: number
  answer: (messages: Uint8Array[], headers?: Record<string, string>) => void
  refuse: (status: number, error?: { code: string, message?: string } | null, headers?: Record<string, string>) => void
  respond: (response: Response) => void
  fail: () => void
}

export class PlayedServer {
  readonly asked: Asked[] = []
  readonly heard: string[] = []
  isAlone = true
  random = 0

  get newest (): Asked {
    const asked = this.asked.at(-1)
    if (asked === undefined) throw new Error('nothing was asked')
    return asked
  }

  readonly route: Route = {
    server: 'http://x',
    graphId: 'm',
    params: { tenant: 'a b' },
    token: () => 'the.to.ken',
    WebSocket: null,
    random: () => this.random,
    stateVector: () => new Uint8Array([0]),
    isAlone: () => this.isAlone,
    fetch: (address, init = {}) => new Promise<Response>((resolve, reject) => {
      init.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      this.asked.push({
        url: new URL(String(address)),
        init,
        messages: init.body instanceof Uint8Array ? unpack(init.body) : [],
        at_ms: Date.now(),
        answer: (messages, headers = {}) => resolve(new Response(messages.length === 0 ? null : pack(messages), {
          status: messages.length === 0 ? 204 : 200, headers: { 'synapti-cursor': 'c1', ...headers }
        })),
        refuse: (status, error = { code: 'some_error', message: 'words' }, headers = {}) =>
          resolve(new Response(error === null ? '<h1>no</h1>' : JSON.stringify({ error }), { status, headers })),
        respond: resolve,
        fail: () => reject(new TypeError('network error'))
      })
    })
  }

  /** News are messages that begin with 9. */
  readonly listener: Listener = {
    opened: () => this.heard.push('opened'),
    message: message => {
      this.heard.push(`message ${message.join(' ')}`)
      return message[0] === 9
    },
    alive: () => {},
    acknowledged: edits => this.heard.push(`acknowledged ${edits}`),
    denied: () => this.heard.push('denied'),
    behind: isBehind => { if (isBehind) this.heard.push('behind') },
    ended: ({ code, reason }) => this.heard.push(`ended ${code} ${reason}`)
  }
}
