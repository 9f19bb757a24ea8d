/** A session with the real provider over a socket whose server is played by the test. */
import type { TestContext } from 'node:test'
import * as encoding from 'lib0/encoding'
import { writePermissionDenied } from 'y-protocols/auth'
import * as sync from 'y-protocols/sync'
import * as Y from 'yjs'
import type { Session } from '../src/live/session.ts'

/** The page's side of a connection. */
export class FakeSocket {
  static readonly OPEN = 1
  static all: FakeSocket[] = []
  readonly OPEN = 1
  readyState = 0
  binaryType = ''
  sent: Uint8Array[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: ArrayBufferLike }) => void) | null = null
  onclose: ((event: { code: number, reason: string }) => void) | null = null
  onerror: (() => void) | null = null

  constructor (readonly url: string, readonly protocols: readonly string[]) {
    FakeSocket.all.push(this)
  }

  send (message: Uint8Array): void {
    this.sent.push(message)
  }

  close (): void {
    this.readyState = 3
  }

  /** What the server does. */
  open (): void {
    this.readyState = FakeSocket.OPEN
    this.onopen?.()
  }

  say (write: (encoder: encoding.Encoder) => void): void {
    const encoder = encoding.createEncoder()
    write(encoder)
    this.onmessage?.({ data: encoding.toUint8Array(encoder).slice().buffer })
  }

  ask (): void {
    this.say(encoder => {
      encoding.writeVarUint(encoder, 0)
      sync.writeSyncStep1(encoder, new Y.Doc())
    })
  }

  answer (): void {
    this.say(encoder => {
      encoding.writeVarUint(encoder, 0)
      sync.writeSyncStep2(encoder, new Y.Doc())
    })
  }

  ack (edits: number): void {
    this.say(encoder => {
      encoding.writeVarUint(encoder, 120)
      encoding.writeVarUint(encoder, edits)
    })
  }

  notice (notice: unknown): void {
    this.say(encoder => {
      encoding.writeVarUint(encoder, 121)
      encoding.writeVarString(encoder, typeof notice === 'string' ? notice : JSON.stringify(notice))
    })
  }

  deny (reason: string): void {
    this.say(encoder => {
      encoding.writeVarUint(encoder, 2)
      writePermissionDenied(encoder, reason)
    })
  }

  end (code: number, reason = ''): void {
    this.readyState = 3
    this.onclose?.({ code, reason })
  }
}

Object.assign(globalThis, {
  WebSocket: FakeSocket,
  location: { protocol: 'https:', host: 'maps.example' },
  requestAnimationFrame: (run: (now: number) => void) => { run(0); return 0 },
  cancelAnimationFrame: () => {}
})

export const newest = (): FakeSocket => FakeSocket.all.at(-1) as FakeSocket

/** Storage is absent here, so the session goes on without; connecting takes some turns of the event loop. */
export const setUp = async (t: TestContext) => {
  const { Session } = await import('../src/live/session.ts')
  const before = FakeSocket.all.length
  const session = new Session('m')
  t.after(() => session.destroy())
  while (FakeSocket.all.length === before) await new Promise(resolve => setImmediate(resolve))
  return { session, socket: newest() }
}

export const greet = (socket: FakeSocket): void => {
  socket.open()
  socket.ask()
  socket.answer()
}

/** Asked anew each time: the compiler would believe that it stays what it was. */
export const linkOf = (session: Session): string => session.link.value.kind

export const change = (session: Session): void => { session.doc.getMap('meta').set('topic', `${Math.random()}`) }
