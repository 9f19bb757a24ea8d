import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { STEP1, STEP2, syncMessage, UPDATE } from '../src/message.ts'
import { Writer } from '../src/writer.ts'
import { settle, stopClock } from './support/clock.ts'
import { PlayedServer } from './support/played.ts'

const update = (byte: number): Uint8Array => syncMessage(UPDATE, new Uint8Array([byte]))
const whole = (byte: number): Uint8Array => syncMessage(STEP2, new Uint8Array([byte]))
const question = syncMessage(STEP1, new Uint8Array([0]))
const shown = (byte: number): Uint8Array => new Uint8Array([1, 1, byte])

const setUp = (t: TestContext) => {
  const clock = stopClock(t)
  const server = new PlayedServer()
  const writer = new Writer(server.route, server.listener, end => server.heard.push(`ended ${end.code}`))
  t.after(() => writer.close())
  const bodies = () => server.asked.map(({ messages }) => messages.slice(1))
  return { ...clock, server, writer, bodies }
}

test('edits leave at once, and those that come meanwhile leave together', async t => {
  const { server, writer, bodies } = setUp(t)
  writer.edit(whole(1))
  writer.edit(update(2))
  writer.edit(update(3))
  assert.deepEqual(bodies(), [[whole(1)]])
  assert.deepEqual(server.newest.messages[0], question)
  server.newest.answer([question], { 'synapti-durable': '1' })
  await settle()
  assert.deepEqual(bodies()[1], [update(2), update(3)])
  assert.equal(server.newest.url.searchParams.get('cursor'), 'c1')
  assert.equal(server.newest.url.searchParams.get('tenant'), 'a b')
  assert.equal((server.newest.init.headers as Record<string, string>)['authorization'], 'Bearer the.to.ken')
  server.newest.answer([question, new Uint8Array([9, 9])], { 'synapti-durable': '2' })
  await settle()
  assert.deepEqual(server.heard, ['acknowledged 1', 'message 9 9', 'acknowledged 3'])
})

test('what is not on disk is asked for again, and nothing later counts before that is', async t => {
  const { server, writer, bodies, pass } = setUp(t)
  writer.edit(update(1))
  writer.edit(update(2))
  writer.edit(update(3))
  server.newest.answer([question], { 'synapti-durable': '1' })
  await settle()
  server.newest.answer([question], { 'synapti-durable': '1' })
  await settle()
  // The second of two is missing.
  writer.edit(update(4))
  await pass(1000)
  assert.deepEqual(server.heard, ['acknowledged 1', 'acknowledged 2', `message ${question.join(' ')}`])
  assert.equal(bodies().length, 2)
  writer.edit(whole(5))
  writer.edit(update(6))
  await settle()
  assert.deepEqual(bodies()[2], [whole(5)])
  server.newest.answer([question], { 'synapti-durable': '1' })
  await settle()
  server.newest.answer([question], { 'synapti-durable': '1' })
  await settle()
  assert.deepEqual(server.heard.slice(3), ['acknowledged 5', 'acknowledged 6'])
})

test('a server that has to be left alone gets the same again, later', async t => {
  const { server, writer, bodies, pass } = setUp(t)
  writer.edit(update(1))
  server.newest.refuse(503, { code: 'not_saved' }, { 'retry-after': '3' })
  await pass(2900)
  writer.edit(update(2))
  assert.equal(bodies().length, 1)
  await pass(200)
  assert.deepEqual(bodies()[1], [update(1), update(2)])
  server.newest.answer([question], { 'synapti-durable': '2' })
  await settle()
  assert.deepEqual(server.heard, ['acknowledged 2'])
})

test('edits that may not be made are not tried again; presence goes on', async t => {
  const { server, writer, bodies } = setUp(t)
  writer.presence(shown(1))
  server.newest.answer([])
  await settle()
  writer.edit(update(1))
  writer.presence(shown(2))
  await settle()
  server.newest.refuse(403, { code: 'forbidden' })
  await settle()
  assert.deepEqual(server.heard, ['denied'])
  writer.edit(update(2))
  await settle()
  assert.equal(bodies().flat().filter(message => message[0] === 0).length, 1)
})

test('presence alone is sent now and then, the newest only, and an edit takes it along', async t => {
  const { server, writer, bodies, pass } = setUp(t)
  for (const at of [1, 2, 3]) writer.presence(shown(at))
  server.newest.answer([])
  await settle()
  assert.deepEqual(bodies(), [[shown(1)]])
  await pass(200)
  assert.deepEqual(bodies(), [[shown(1)], [shown(3)]])
  server.newest.answer([])
  await settle()
  writer.presence(shown(4))
  writer.edit(update(1))
  await settle()
  assert.deepEqual(bodies()[2], [update(1), shown(4)])
})

test('many edits are sent in parts', async t => {
  const { server, writer, bodies } = setUp(t)
  writer.edit(update(0))
  for (let at = 1; at <= 700; at++) writer.edit(update(at % 100))
  for (const durable of ['1', '500', '200']) {
    server.newest.answer([question], { 'synapti-durable': durable })
    await settle()
  }
  assert.deepEqual(bodies().map(({ length }) => length), [1, 500, 200])
  assert.deepEqual(server.heard, ['acknowledged 1', 'acknowledged 501', 'acknowledged 701'])
})

test('a farewell takes along what has not arrived for certain', async t => {
  const { server, writer, bodies } = setUp(t)
  writer.edit(update(1))
  writer.edit(update(2))
  writer.farewell(shown(9))
  writer.close()
  assert.deepEqual(bodies(), [[update(1)], [update(1), update(2), shown(9)]])
  assert.equal(server.newest.init.keepalive, true)
})

test('a request that fails by chance is made again, once, with all that was in it', async t => {
  const { server, writer, bodies } = setUp(t)
  writer.edit(update(1))
  server.newest.answer([question], { 'synapti-durable': '1' })
  await settle()
  writer.edit(update(2))
  writer.presence(shown(2))
  await settle()
  server.newest.fail()
  await settle()
  assert.deepEqual(bodies().at(-1), [update(2), shown(2)])
  server.newest.fail()
  await settle()
  assert.deepEqual(server.heard, ['acknowledged 1', 'ended 1006'])
})

for (const [status, code] of [[400, 4400], [404, 4404], [410, 4410], [413, 4413], [401, 4401]] as const) {
  test(`${status} ends it with ${code}`, async t => {
    const { server, writer } = setUp(t)
    writer.edit(update(1))
    server.newest.refuse(status, { code: status === 404 ? 'graph_not_found' : 'some_code' })
    await settle()
    assert.deepEqual(server.heard, [`ended ${code}`])
  })
}

test('a server that does not answer ends it', async t => {
  const { server, writer, pass } = setUp(t)
  writer.edit(update(1))
  await pass(20_100)
  assert.deepEqual(server.heard, ['ended 1006'])
})
