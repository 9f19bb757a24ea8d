import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { TransportName } from '../../src/index.ts'
import type { Manners } from '../support/proxy.ts'
import { by, fresh, join, mapId, open, saved, sees, startProxy, startServer, synced, until } from '../support/world.ts'

/** How proxies behave, and what is left then. */
const PROXIES: ReadonlyArray<[name: string, manners: Partial<Manners>, left: TransportName]> = [
  ['refuses upgrades', { upgrades: 'refuse' }, 'sse'],
  ['holds upgrades without an answer', { upgrades: 'hold' }, 'sse'],
  ['opens sockets and passes nothing on', { upgrades: 'mute' }, 'sse'],
  ['refuses upgrades and collects streams behind their head', { upgrades: 'refuse', streams: 'buffer' }, 'poll'],
  ['holds upgrades and collects streams with their head', { upgrades: 'hold', streams: 'hold' }, 'poll'],
  ['refuses upgrades and streams', { upgrades: 'refuse', refuses: { path: /\/sse/, status: 403 } }, 'poll']
]

const setUp = async (t: TestContext, manners: Partial<Manners>) => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server, manners)
  return { server, proxy, id: mapId() }
}

for (const [name, manners, left] of PROXIES) {
  test(`a proxy that ${name}: ${left}`, async t => {
    const { server, proxy, id } = await setUp(t, manners)
    const other = await join(t, server.http, id)
    other.map.set('there', 1)
    await saved(other)
    const one = await join(t, proxy.http, id)
    assert.equal(one.provider.transport, left)
    assert.equal(one.map.get('there'), 1)
    one.map.set('a', 1)
    await sees(other, 'a', 1)
    other.map.set('b', 2)
    await sees(one, 'b', 2)
    await saved(one)
  })
}

test('a socket that worked and is blocked from now on: nothing is lost on the way to another transport', async t => {
  const { server, proxy, id } = await setUp(t, {})
  const other = await join(t, server.http, id)
  const one = await join(t, proxy.http, id)
  assert.equal(one.provider.transport, 'ws')
  one.map.set('gone', 1)
  await saved(one)
  proxy.manners.upgrades = 'hold'
  proxy.cut()
  one.map.set('meanwhile', 2)
  one.map.delete('gone')
  await by(one, 'sse')
  await sees(other, 'meanwhile', 2)
  await sees(other, 'gone', undefined)
  await saved(one)
  assert.deepEqual(await fresh(t, server.http, id), { meanwhile: 2 })
})

test('climbing back: the other transport works until the socket does, and nothing is lost or seen twice', async t => {
  const { server, proxy, id } = await setUp(t, {})
  const other = await join(t, server.http, id)
  const one = await join(t, proxy.http, id)
  const list = one.doc.getArray<number>('list')
  proxy.manners.upgrades = 'refuse'
  proxy.cut()
  await by(one, 'sse')
  proxy.manners.upgrades = 'pass'
  const before = one.log.length
  let next = 0
  // Edits all the way through the handover.
  await until('the socket has taken over', () => {
    if (next % 5 === 0) list.push([next])
    next++
    return one.provider.transport === 'ws'
  }, { deadline_ms: 60_000 })
  list.push([next])
  assert.deepEqual(one.log.slice(before).filter(line => line !== 'unsaved' && line !== 'saved'), ['connected ws'])
  await saved(one)
  await until('the other has the same list', () => JSON.stringify(other.doc.getArray('list')) === JSON.stringify(list))
  assert.ok(other.provider.awareness.getStates().has(one.doc.clientID))
})

test('the presence of others stays over a change of transport', async t => {
  const { server, proxy, id } = await setUp(t, {})
  const other = await join(t, server.http, id)
  const one = await join(t, proxy.http, id)
  one.provider.awareness.setLocalStateField('name', 'one')
  await until('one is seen', () => other.provider.awareness.getStates().get(one.doc.clientID)?.['name'] === 'one')
  proxy.manners.upgrades = 'refuse'
  proxy.cut()
  await by(one, 'sse')
  one.provider.awareness.setLocalStateField('name', 'still')
  await until('one is seen again', () => other.provider.awareness.getStates().get(one.doc.clientID)?.['name'] === 'still')
  proxy.manners.upgrades = 'pass'
  await by(one, 'ws', 60_000)
  one.provider.awareness.setLocalStateField('name', 'back')
  await until('one is seen as they are', () => other.provider.awareness.getStates().get(one.doc.clientID)?.['name'] === 'back')
})

test('edits while nothing goes through are saved later, and the provider says what is so', async t => {
  const { proxy, server, id } = await setUp(t, {})
  const one = await join(t, proxy.http, id)
  Object.assign(proxy.manners, { upgrades: 'refuse', refuses: { path: /./, status: 502 } })
  proxy.cut()
  await until('the loss is seen', () => !one.provider.synced)
  one.map.set('a', 1)
  assert.equal(one.provider.hasUnsavedChanges, true)
  Object.assign(proxy.manners, { upgrades: 'pass', refuses: null })
  await saved(one)
  assert.deepEqual(await fresh(t, server.http, id), { a: 1 })
})

test('a proxy that answers 503 is left alone for as long as it says', async t => {
  const { proxy, id } = await setUp(t, { refuses: { path: /sync/, status: 503, headers: { 'retry-after': '2' } } })
  const one = open(t, proxy.http, id, { transports: ['poll'] })
  const begin_ms = Date.now()
  await until('it was refused', () => proxy.count(/sync/) === 1)
  proxy.manners.refuses = null
  await synced(one)
  assert.ok(Date.now() - begin_ms >= 1900)
})

test('a provider that is destroyed leaves no connection, and nothing to wait for', async t => {
  const { proxy, id } = await setUp(t, { upgrades: 'hold', streams: 'buffer' })
  const one = open(t, proxy.http, id)
  await by(one, 'poll')
  one.provider.destroy()
  one.doc.destroy()
  const asked = proxy.asked.length
  const timers = () => process.getActiveResourcesInfo().filter(kind => kind === 'Timeout').length
  // The farewell is the last request; the tests' own waiting takes one timer.
  await until('no timer is left but the one of this wait', () => timers() <= 1)
  assert.ok(proxy.asked.length <= asked + 1)
})
