import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { openWs } from '../src/ws.ts'
import { stopClock } from './support/clock.ts'
import { PlayedServer } from './support/played.ts'

/** This client's side of a socket. */
class PlayedSocket {
  readyState = 0
  binaryType = ''
  isClosed = false
  readonly sent: Uint8Array[] = []
  onopen: (() => void) | null = null
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number, reason: string }) => void) | null = null
  onerror: (() => void) | null = null
  static newest: PlayedSocket

  constructor (readonly url: string, readonly protocols: readonly string[]) {
    PlayedSocket.newest = this
  }

  send (message: Uint8Array): void {
    this.sent.push(message)
  }

  close (): void {
    this.isClosed = true
  }

  open (): void {
    this.readyState = 1
    this.onopen?.()
  }
}

const setUp = (t: TestContext) => {
  const clock = stopClock(t)
  const server = new PlayedServer()
  const transport = openWs({ ...server.route, WebSocket: PlayedSocket as unknown as typeof WebSocket }, server.listener)
  t.after(() => transport.close())
  return { ...clock, server, transport, socket: PlayedSocket.newest }
}

test('the token goes as a subprotocol, and the state vector first of all', t => {
  const { socket, server, transport } = setUp(t)
  assert.equal(socket.url, 'ws://x/v1/ws/m?tenant=a+b&ext=1')
  assert.deepEqual(socket.protocols, ['synapti.v1', 'bearer.the.to.ken'])
  transport.edit(new Uint8Array([0, 2, 0]))
  assert.deepEqual(socket.sent, [])
  socket.open()
  assert.deepEqual(socket.sent, [new Uint8Array([0, 0, 1, 0])])
  socket.onmessage?.({ data: new Uint8Array([0, 1, 0]).buffer })
  assert.deepEqual(server.heard, ['opened', 'message 0 1 0'])
})

test('a close code is told, and nothing after it', t => {
  const { socket, server } = setUp(t)
  socket.open()
  const { onmessage } = socket
  socket.onclose?.({ code: 4410, reason: 'deleted' })
  assert.deepEqual(server.heard, ['opened', 'ended 4410 deleted'])
  assert.equal(socket.onclose, null)
  assert.notEqual(onmessage, socket.onmessage)
})

test('a socket that is silent is asked, and given up when it stays so', async t => {
  const { socket, server, pass } = setUp(t)
  socket.open()
  await pass(14_900)
  assert.equal(socket.sent.length, 1)
  await pass(200)
  assert.deepEqual(socket.sent[1], new Uint8Array([3]))
  socket.onmessage?.({ data: new Uint8Array([1, 1, 0]).buffer })
  await pass(29_900)
  assert.equal(socket.sent.length, 3)
  assert.equal(socket.isClosed, false)
  await pass(200)
  assert.equal(socket.isClosed, true)
  assert.deepEqual(server.heard, ['opened', 'message 1 1 0', 'ended 1006 the socket is silent'])
})

test('who closes a socket hears nothing more of it', t => {
  const { socket, server, transport } = setUp(t)
  transport.close()
  assert.equal(socket.isClosed, true)
  assert.deepEqual([socket.onopen, socket.onmessage, socket.onclose], [null, null, null])
  socket.onerror?.()
  assert.deepEqual(server.heard, [])
})
