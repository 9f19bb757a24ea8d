import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { SynaptiProvider, type SynaptiOptions } from '../src/index.ts'
import { AWARENESS, STEP1, syncMessage, UPDATE } from '../src/message.ts'
import { serverOf, transportsOf } from '../src/options.ts'
import { settle } from './support/clock.ts'
import { type Asked, PlayedServer } from './support/played.ts'

const question = syncMessage(STEP1, new Uint8Array([0]))

const setUp = (t: TestContext, options: SynaptiOptions = {}) => {
  const server = new PlayedServer()
  const doc = new Y.Doc()
  const provider = new SynaptiProvider('http://x', 'm', doc, { transports: ['poll'], fetch: server.route.fetch, ...options })
  t.after(() => {
    provider.destroy()
    doc.destroy()
  })
  const polls = () => server.asked.filter(({ url, init }) => url.pathname.endsWith('/sync') && init.body !== undefined)
  const newest = (found: (asked: Asked) => boolean): Asked => server.asked.findLast(found) ?? assert.fail('not asked')
  const reader = () => newest(({ url, messages }) => url.pathname.endsWith('/sync') && messages.length === 1)
  const begin = async () => {
    await settle()
    reader().answer([])
    await settle()
  }
  return { server, doc, provider, polls, newest, reader, begin }
}

test('addresses as people write them', () => {
  for (const address of ['https://maps.example', 'https://maps.example/', 'wss://maps.example/v1/ws', 'https://maps.example/v1/']) {
    assert.equal(serverOf(address), 'https://maps.example')
  }
  assert.equal(serverOf('http://a.example/maps/v1/ws/'), 'http://a.example/maps')
  for (const wrong of ['maps.example', '', 'ftp://x', 'http://']) assert.throws(() => serverOf(wrong), /no address of a server/)
})

test('transports that make sense', () => {
  assert.deepEqual(transportsOf(undefined, true), ['ws', 'sse', 'poll'])
  assert.deepEqual(transportsOf(undefined, false), ['sse', 'poll'])
  assert.throws(() => transportsOf(['ws'], false), /WebSocketPolyfill/)
  assert.throws(() => transportsOf(['tcp' as 'ws'], true), /"tcp" is no transport/)
})

test('an empty document asks for the snapshot, once; one with content does not', async t => {
  const { server, provider, doc, newest } = setUp(t)
  await settle()
  const snapshots = () => server.asked.filter(({ url }) => url.pathname.endsWith('/snapshot')).length
  assert.equal(snapshots(), 1)
  const other = new Y.Doc()
  other.getMap('m').set('a', 1)
  newest(({ url }) => url.pathname.endsWith('/snapshot')).respond(
    new Response(Y.encodeStateAsUpdate(other) as Uint8Array<ArrayBuffer>, { headers: { 'synapti-cursor': 'c' } }))
  await settle()
  assert.deepEqual(doc.getMap('m').toJSON(), { a: 1 })
  assert.equal(provider.hasUnsavedChanges, false)
  assert.equal(provider.synced, false)
  provider.disconnect()
  provider.connect()
  await settle()
  assert.equal(snapshots(), 1)
})

test('a snapshot that is none, or a page in its place, does no harm', async t => {
  for (const response of [new Response('', { status: 404 }), new Response('<h1>', { status: 200 }),
    new Response('<h1>', { headers: { 'synapti-cursor': 'c' } })]) {
    const { provider, newest, begin } = setUp(t)
    await settle()
    newest(({ url }) => url.pathname.endsWith('/snapshot')).respond(response)
    await settle()
    await begin()
    assert.equal(provider.synced, true)
  }
})

test('events, in their order', async t => {
  const { provider, doc, begin, newest } = setUp(t, { connect: false })
  const told: unknown[] = []
  provider.on('status', status => told.push(status))
  for (const name of ['sync', 'synced'] as const) provider.on(name, isSynced => told.push([name, isSynced]))
  for (const name of ['unsaved', 'saved'] as const) provider.on(name, () => told.push(name))
  assert.equal(provider.shouldConnect, false)
  provider.connect()
  await begin()
  doc.getMap('m').set('a', 1)
  // The server has not asked yet: what it lacks is one answer.
  await settle()
  assert.equal(provider.hasUnsavedChanges, true)
  assert.deepEqual(told, [
    { status: 'connecting', transport: null }, { status: 'connected', transport: 'poll' }, ['synced', true], ['sync', true], 'unsaved'
  ])
  newest(({ messages }) => messages[1]?.[0] === AWARENESS).answer([])
  newest(({ messages }) => messages.length === 1).answer([question])
  await settle()
  newest(({ messages }) => messages.some(message => message[0] === 0 && message[1] === 1)).answer([question], { 'synapti-durable': '1' })
  await settle()
  assert.equal(provider.hasUnsavedChanges, false)
  provider.disconnect()
  assert.deepEqual(told.slice(5), ['saved', { status: 'disconnected', transport: null }, ['synced', false], ['sync', false]])
  assert.deepEqual([provider.synced, provider.connected, provider.wsconnected, provider.transport], [false, false, false, null])
})

test('a page that is hidden says farewell in a request that outlives it, and comes back when it is shown', async t => {
  const window = new EventTarget()
  Object.assign(globalThis, { window })
  t.after(() => Reflect.deleteProperty(globalThis, 'window'))
  const { provider, server, begin, newest } = setUp(t)
  await begin()
  provider.awareness.setLocalStateField('name', 'me')
  await settle()
  const clockOf = () => provider.awareness.meta.get(provider.awareness.clientID)?.clock ?? 0
  const before = clockOf()
  window.dispatchEvent(new Event('pagehide'))
  const farewell = newest(({ init }) => init.keepalive === true)
  const last = farewell.messages.at(-1) ?? assert.fail()
  assert.equal(last[0], AWARENESS)
  assert.ok(new TextDecoder().decode(last).endsWith('null'))
  assert.equal(clockOf(), before + 1)
  const asked = server.asked.length
  window.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }))
  assert.equal(clockOf(), before + 2)
  assert.ok(server.asked.length >= asked)
})

test('an awareness of one’s own outlives the provider', async t => {
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  t.after(() => awareness.destroy())
  const { provider } = setUp(t, { awareness })
  assert.equal(provider.awareness, awareness)
  provider.destroy()
  assert.notEqual(awareness.getLocalState(), null)
})

test('what others changed is not sent back', async t => {
  const { doc, reader, begin, polls, provider } = setUp(t)
  await begin()
  const other = new Y.Doc()
  other.getMap('m').set('a', 1)
  reader().answer([syncMessage(UPDATE, Y.encodeStateAsUpdate(other))])
  await settle()
  assert.deepEqual(doc.getMap('m').toJSON(), { a: 1 })
  assert.equal(provider.hasUnsavedChanges, false)
  assert.ok(polls().every(({ messages }) => !messages.some(message => message[0] === 0 && message[1] !== 0)))
})

test('another token for somebody who does not want to connect connects nobody', async t => {
  const { provider, server } = setUp(t, { connect: false })
  provider.setToken('a.b.c')
  await settle()
  assert.equal(server.asked.length, 0)
  provider.connect()
  await settle()
  assert.equal((server.newest.init.headers as Record<string, string>)['authorization'], 'Bearer a.b.c')
})
