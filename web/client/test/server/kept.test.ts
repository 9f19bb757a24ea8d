/** With `y-indexeddb`: what was edited without a server survives a reload, and is sent when there is one. */
import 'fake-indexeddb/auto'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import { fresh, join, mapId, open, saved, startServer, until } from '../support/world.ts'

test('edits made offline, over a reload of the page, are saved when the server is there', async t => {
  const server = await startServer(t, { restartable: true })
  const id = mapId()
  const first = await join(t, server.http, id)
  const kept = new IndexeddbPersistence(id, first.doc)
  await kept.whenSynced
  first.map.set('online', 1)
  first.map.set('gone', 1)
  await saved(first)
  await server.stop()
  await until('the loss is seen', () => !first.provider.synced)
  first.map.set('offline', 2)
  first.map.delete('gone')
  assert.equal(first.provider.hasUnsavedChanges, true)
  first.provider.destroy()
  await kept.destroy()

  // The page is loaded again; the server is still away.
  const doc = new Y.Doc()
  const again = new IndexeddbPersistence(id, doc)
  t.after(() => again.destroy())
  const second = open(t, server.http, id, { doc })
  await again.whenSynced
  assert.deepEqual(second.map.toJSON(), { online: 1, offline: 2 })
  assert.equal(second.provider.hasUnsavedChanges, true)
  await server.start()
  await saved(second)
  assert.deepEqual(await fresh(t, server.http, id), { online: 1, offline: 2 })
})

test('a kept map that is loaded before the provider is made counts as unsaved until the server has it', async t => {
  const server = await startServer(t)
  const id = mapId()
  const before = new Y.Doc()
  const kept = new IndexeddbPersistence(id, before)
  await kept.whenSynced
  before.getMap('test').set('a', 1)
  await kept.destroy()
  const doc = new Y.Doc()
  const again = new IndexeddbPersistence(id, doc)
  t.after(() => again.destroy())
  await again.whenSynced
  const one = open(t, server.http, id, { doc, transports: ['poll'] })
  assert.equal(one.provider.hasUnsavedChanges, true)
  await saved(one)
  assert.ok(one.log.includes('saved'))
  assert.deepEqual(await fresh(t, server.http, id), { a: 1 })
})
