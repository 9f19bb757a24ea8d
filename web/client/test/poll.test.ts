import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { retryAfterOf } from '../src/http.ts'
import { openPoll } from '../src/poll.ts'
import { settle, stopClock } from './support/clock.ts'
import { PlayedServer } from './support/played.ts'

const setUp = async (t: TestContext) => {
  const clock = stopClock(t)
  const server = new PlayedServer()
  const transport = openPoll(server.route, server.listener)
  t.after(() => transport.close())
  const waits = () => server.asked.map(({ url }) => Number(url.searchParams.get('wait')))
  return { ...clock, server, transport, waits }
}

test('the first question is answered at once, the others wait, and less so among others', async t => {
  const { server, waits } = await setUp(t)
  assert.deepEqual(server.newest.messages, [new Uint8Array([0, 0, 1, 0])])
  assert.equal(server.newest.url.searchParams.get('cursor'), null)
  server.newest.answer([])
  await settle()
  assert.deepEqual(server.heard, ['opened', 'message 0 1 2 0 0'])
  server.isAlone = false
  server.newest.answer([new Uint8Array([9])], { 'synapti-cursor': 'c2' })
  await settle()
  assert.deepEqual(waits(), [0, 25, 5])
  assert.equal(server.newest.url.searchParams.get('cursor'), 'c2')
})

test('answers without news that come at once again and again are paced, up to two seconds', async t => {
  const { server, pass } = await setUp(t)
  server.random = 1
  server.newest.answer([])
  await settle()
  const gaps: number[] = []
  for (let round = 0; round < 12; round++) {
    const asked = server.asked.length
    const at_ms = Date.now()
    server.newest.answer([new Uint8Array([0, 1, 2, 0, 0])])
    await settle()
    while (server.asked.length === asked) await pass(50)
    gaps.push(Date.now() - at_ms)
  }
  assert.deepEqual(gaps.slice(0, 3), [0, 0, 0])
  assert.deepEqual(gaps.slice(3, 8), [250, 500, 1000, 2000, 2000])
  assert.ok(Math.max(...gaps) <= 2000)
})

test('news is not paced', async t => {
  const { server } = await setUp(t)
  server.newest.answer([])
  for (let round = 0; round < 10; round++) {
    await settle()
    server.newest.answer([new Uint8Array([9])])
  }
  await settle()
  assert.equal(server.asked.length, 12)
})

test('where waiting is too much, short questions are asked', async t => {
  const { server, waits, pass } = await setUp(t)
  server.newest.answer([])
  await settle()
  server.newest.refuse(429, { code: 'too_many_connections' }, { 'retry-after': '1' })
  await pass(2100)
  server.newest.answer([])
  await pass(2100)
  assert.deepEqual(waits(), [0, 25, 0, 0])
})

test('where long questions are cut, shorter ones are asked; two that fail at once end it', async t => {
  const { server, waits, pass } = await setUp(t)
  server.newest.answer([])
  await settle()
  await pass(10_000)
  server.newest.refuse(504, null)
  await settle()
  assert.deepEqual(waits(), [0, 25, 5])
  server.newest.answer([])
  await settle()
  server.newest.fail()
  await settle()
  assert.deepEqual(waits(), [0, 25, 5, 5, 5])
  server.newest.fail()
  await settle()
  assert.equal(server.heard.at(-1), 'ended 1006 network error')
})

test('a waiting question without an answer ends it', async t => {
  const { server, pass } = await setUp(t)
  server.isAlone = false
  server.newest.answer([])
  await pass(15_200)
  assert.equal(server.heard.at(-1), 'ended 1006 the server does not answer')
})

test('a question without an answer ends it', async t => {
  const { server, pass } = await setUp(t)
  await pass(10_100)
  assert.deepEqual(server.heard, ['ended 1006 the server does not answer'])
})

test('a page in place of an answer is no answer', async t => {
  const { server } = await setUp(t)
  server.newest.respond(new Response('<h1>Buy some network</h1>', { headers: { 'content-type': 'text/html' } }))
  await settle()
  assert.equal(server.heard.length, 1)
  assert.match(server.heard[0] ?? '', /^ended 1006 something on the way/)
})

for (const body of [new Uint8Array([200]), new Uint8Array(0)]) {
  test(`an answer that is cut off is no answer, and its cursor does not count: ${body.length} bytes`, async t => {
    const { server } = await setUp(t)
    server.newest.answer([])
    await settle()
    const before = server.newest.url.searchParams.get('cursor')
    server.newest.respond(new Response(body, { headers: { 'synapti-cursor': 'beyond' } }))
    await settle()
    assert.equal(server.newest.url.searchParams.get('cursor'), before)
    server.newest.respond(new Response(body, { headers: { 'synapti-cursor': 'beyond' } }))
    await settle()
    assert.equal(server.heard.at(-1), 'ended 1006 the answer is cut off')
  })
}

test('Retry-After in seconds and as a date', t => {
  stopClock(t)
  assert.equal(retryAfterOf('2'), 2000)
  assert.equal(retryAfterOf(new Date(Date.now() + 5000).toUTCString()), 5000)
  assert.equal(retryAfterOf('86400'), 300_000)
  for (const nothing of [null, 'soon', '']) assert.ok((retryAfterOf(nothing) ?? 0) === 0)
})
