import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventReader, openSse } from '../src/sse.ts'
import { settle, stopClock } from './support/clock.ts'
import { PlayedServer } from './support/played.ts'

test('events come whole, in whatever pieces their text does', () => {
  const text = 'retry: 1000\n\n: a comment\n\ndata: one\n\nid: 7\r\ndata: two\r\ndata:three\r\n\r\nevent: close\ndata: {"code":4410}\n\n'
  for (let size = 1; size <= text.length; size++) {
    const events: unknown[] = []
    const take = eventReader(event => events.push(event))
    for (let at = 0; at < text.length; at += size) take(text.slice(at, at + size))
    assert.deepEqual(events, [
      { type: 'message', id: null, data: 'one' },
      { type: 'message', id: '7', data: 'two\nthree' },
      { type: 'close', id: null, data: '{"code":4410}' }
    ])
  }
})

/** A stream that the test writes. */
const setUp = async () => {
  const server = new PlayedServer()
  const encoder = new TextEncoder()
  let write: (text: string) => void = () => {}
  let finish = () => {}
  const body = new ReadableStream<Uint8Array>({
    start (controller) {
      write = text => controller.enqueue(encoder.encode(text))
      finish = () => controller.close()
    }
  })
  const asked: URL[] = []
  const route = {
    ...server.route,
    fetch: async (address: string | URL | Request, init?: RequestInit) => {
      if (init?.method === 'POST') return await server.route.fetch(address, init)
      asked.push(new URL(String(address)))
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } })
    }
  }
  const transport = openSse(route, server.listener)
  await settle()
  return { server, transport, asked, write: (text: string) => { write(text) }, finish: () => { finish() } }
}

test('a stream is open when something has come through it, and brings messages and cursors', async t => {
  const { server, transport, asked, write } = await setUp()
  t.after(() => transport.close())
  assert.deepEqual(server.heard, [])
  assert.equal(asked[0]?.searchParams.get('sv'), 'AA')
  write('retry: 1000\n\n')
  await settle()
  assert.deepEqual(server.heard, ['opened'])
  write('id: c7\ndata: AAABAA==\n\n')
  await settle()
  assert.deepEqual(server.heard, ['opened', 'message 0 0 1 0'])
  transport.edit(new Uint8Array([0, 2, 0]))
  assert.equal(server.newest.url.searchParams.get('cursor'), 'c7')
})

test('the last word of a stream is what a close code would be', async () => {
  const { server, write } = await setUp()
  write('event: close\ndata: {"code":4410,"reason":"deleted"}\n\n')
  await settle()
  assert.deepEqual(server.heard, ['opened', 'ended 4410 deleted'])
})

test('a stream that ends without a word, and one that is silent, are lost', async t => {
  const { server, write, finish } = await setUp()
  write(':\n\n')
  finish()
  await settle()
  assert.deepEqual(server.heard, ['opened', 'ended 1006 the stream has ended'])
  const { pass } = stopClock(t)
  const silent = await setUp()
  await pass(25_100)
  assert.deepEqual(silent.server.heard, ['ended 1006 the stream is silent'])
})
