import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TransportName } from '../../src/index.ts'
import { fresh, join, mapId, open, saved, sees, startProxy, startServer, synced, until } from '../support/world.ts'

const NAMES: readonly TransportName[] = ['ws', 'sse', 'poll']

for (const name of NAMES) {
  test(`${name}: edits both ways, deletions, presence, saved`, async t => {
    const server = await startServer(t)
    const id = mapId()
    const one = await join(t, server.http, id, { transports: [name] })
    const other = await join(t, server.http, id, { transports: ['ws'] })
    assert.equal(one.provider.transport, name)
    assert.deepEqual(one.log.slice(0, 3), ['connecting', `connected ${name}`, 'synced'])

    one.map.set('a', 1)
    one.map.set('b', 2)
    assert.equal(one.provider.hasUnsavedChanges, true)
    await sees(other, 'b', 2)
    await saved(one)
    assert.deepEqual(one.log.slice(3), ['unsaved', 'saved'])
    other.map.set('c', 3)
    await sees(one, 'c', 3)
    one.map.delete('a')
    await sees(other, 'a', undefined)
    await saved(one)
    assert.deepEqual(await fresh(t, server.http, id), { b: 2, c: 3 })

    one.provider.awareness.setLocalStateField('name', 'one')
    other.provider.awareness.setLocalStateField('name', 'other')
    await until('each sees the other', () => [
      other.provider.awareness.getStates().get(one.doc.clientID)?.['name'] === 'one',
      one.provider.awareness.getStates().get(other.doc.clientID)?.['name'] === 'other'
    ].every(Boolean))
    one.provider.destroy()
    await until('who leaves is gone', () => !other.provider.awareness.getStates().has(one.doc.clientID))
  })

  test(`${name}: what was edited without a connection is there afterwards`, async t => {
    const server = await startServer(t)
    const id = mapId()
    const one = await join(t, server.http, id, { transports: [name] })
    one.map.set('a', 1)
    one.map.set('gone', 1)
    await saved(one)
    one.provider.disconnect()
    assert.equal(one.provider.synced, false)
    one.map.set('b', 2)
    one.map.delete('gone')
    assert.equal(one.provider.hasUnsavedChanges, true)
    one.provider.connect()
    await saved(one)
    assert.deepEqual(await fresh(t, server.http, id), { a: 1, b: 2 })
  })

  test(`${name}: a deletion alone, made without a connection, arrives`, async t => {
    const server = await startServer(t)
    const id = mapId()
    const one = await join(t, server.http, id, { transports: [name] })
    one.map.set('a', 1)
    await saved(one)
    one.provider.disconnect()
    one.map.delete('a')
    one.provider.connect()
    await saved(one)
    assert.deepEqual(await fresh(t, server.http, id), {})
  })

  test(`${name}: a server that is killed loses nothing of what was edited meanwhile`, async t => {
    const server = await startServer(t, { restartable: true })
    const id = mapId()
    const one = await join(t, server.http, id, { transports: [name] })
    one.map.set('before', 1)
    await saved(one)
    await server.kill9()
    one.map.set('meanwhile', 2)
    one.map.delete('before')
    await until('the loss is seen', () => !one.provider.synced)
    await server.start()
    await saved(one)
    assert.deepEqual(await fresh(t, server.http, id), { meanwhile: 2 })
  })
}

test('a map that is large comes whole, by every way', async t => {
  const server = await startServer(t)
  const id = mapId()
  const writer = await join(t, server.http, id)
  for (let part = 0; part < 40; part++) writer.map.set(`${part}`, 'x'.repeat(20_000))
  await saved(writer)
  for (const name of NAMES) {
    const reader = await join(t, server.http, id, { transports: [name] })
    assert.deepEqual(reader.map.toJSON(), writer.map.toJSON())
    reader.provider.destroy()
  }
})

test('many edits in a row by requests are few requests', async t => {
  const server = await startServer(t)
  const proxy = await startProxy(t, server)
  const id = mapId()
  const one = await join(t, proxy.http, id, { transports: ['poll'] })
  const before = proxy.count(/sync/)
  for (let key = 0; key < 300; key++) one.map.set(`${key}`, key)
  await saved(one)
  assert.ok(proxy.count(/sync/) - before < 20, `${proxy.count(/sync/) - before} requests`)
  assert.deepEqual(await fresh(t, server.http, id), one.map.toJSON())
})

test('the map is there before a connection is, when that takes long', async t => {
  const server = await startServer(t)
  const id = mapId()
  const writer = await join(t, server.http, id)
  writer.map.set('a', 1)
  await saved(writer)
  const proxy = await startProxy(t, server, { upgrades: 'hold' })
  const reader = open(t, proxy.http, id, { transports: ['ws'] })
  await sees(reader, 'a', 1)
  assert.equal(reader.provider.synced, false)
})

test('two who only poll see each other', async t => {
  const server = await startServer(t)
  const id = mapId()
  const [one, other] = [open(t, server.http, id, { transports: ['poll'] }), open(t, server.http, id, { transports: ['poll'] })]
  await synced(one, other)
  one.provider.awareness.setLocalStateField('name', 'one')
  one.map.set('a', 1)
  await sees(other, 'a', 1)
  await until('the other is seen', () => other.provider.awareness.getStates().get(one.doc.clientID)?.['name'] === 'one')
})
