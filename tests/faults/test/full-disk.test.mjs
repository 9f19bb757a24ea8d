/**
 * A disk without room: open maps go on and say so, nothing is acknowledged that is not saved, and nothing is lost.
 */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Extended } from '../../clients/lib/extended.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { SmallDisk } from '../lib/disk.mjs'
import { scratchFolder } from '../lib/folder.mjs'

const DISK_MEGABYTES = 24

/** More than the log has left of what it may write over without growing. */
const LARGE = 'x'.repeat(200_000)
const LARGE_EDITS_MAX = 100

const isReady = async server => (await server.request('GET', '/ready')).status === 200

/** A server on a small disk, two clients in a map, and a map that nobody has open. */
const scene = async (t, env = {}) => {
  const disk = new SmallDisk(t, DISK_MEGABYTES)
  // What is left of a spill must not lie in the system's own folder.
  const temporary = scratchFolder(t, 'temporary')
  const server = await Server.start(t, { folder: disk.folder, env: { TMPDIR: temporary, SYNAPTI_ROOM_IDLE_CLOSE_AFTER: '0', SYNAPTI_SHUTDOWN_GRACE: '1', ...env } })
  const other = await Extended.join(t, server, 'closed')
  other.set('there', 'yes')
  await other.saved()
  await other.leave()
  const writer = await Extended.join(t, server, 'open')
  const reader = await Extended.join(t, server, 'open')
  for (let index = 0; index < 20; index++) writer.set(`before-${index}`, 'small')
  await writer.saved()
  return { disk, server, writer, reader, temporary }
}

/** Fills the disk and edits until the server says that it cannot save. */
const fillAndEdit = async ({ disk, writer, reader }) => {
  disk.fill()
  let edits = 0
  while (!writer.notices.includes('unsaved')) {
    assert.ok(edits < LARGE_EDITS_MAX, 'a full disk is noticed')
    const before = writer.acked
    writer.set(`large-${edits++}`, LARGE)
    await until('the edit is saved, or said not to be', () => writer.acked > before || writer.notices.includes('unsaved'))
  }
  await reader.noticed('unsaved')
}

/** What each edit has left in the document. */
const content = ({ map }) => Object.fromEntries(map.entries())

test('a full disk: edits go on unsaved, and are saved when there is room again', async t => {
  const { disk, server, writer, reader } = await scene(t)
  await fillAndEdit({ disk, writer, reader })
  const acked = writer.acked
  assert.ok(acked < writer.sent)
  for (let index = 0; index < 20; index++) writer.set(`during-${index}`, 'small')
  reader.set('from-the-reader', 'small')
  await until('the reader has the edits', () => reader.map.get('during-19') === 'small')
  await until('the writer has the edit', () => writer.map.get('from-the-reader') === 'small')
  await until('the server says that it is not ready', async () => !await isReady(server))
  const refused = await RawClient.knock(t, server, 'closed')
  assert.equal(refused.code, 1013, JSON.stringify({ refused, client: refused.client?.messages }))
  assert.equal((await server.request('GET', '/v1/graphs/closed')).status, 503)
  assert.equal(writer.acked, acked, 'nothing is acknowledged meanwhile')
  assert.ok(!writer.notices.includes('saved'))

  disk.free()
  await Promise.all([writer.saved(), reader.saved()])
  await Promise.all([writer.noticed('saved'), reader.noticed('saved')])
  await until('the server is ready', () => isReady(server))
  const expected = content(writer)
  assert.deepEqual(content(reader), expected)
  await server.kill9()
  await server.start()
  const fresh = await Extended.join(t, server, 'open')
  assert.deepEqual(content(fresh), expected)
  const closed = await Extended.join(t, server, 'closed')
  assert.equal(closed.map.get('there'), 'yes')
})

for (const [where, hasFolder] of [['the folder that was named for it', true], ['the temporary folder', false]]) {
  test(`SIGTERM on a full disk: what is not saved goes to ${where}, and comes back`, async t => {
    const named = scratchFolder(t, 'spill')
    const { disk, server, writer, reader, temporary } = await scene(t, hasFolder ? { SYNAPTI_SPILL_FOLDER: named } : {})
    await fillAndEdit({ disk, writer, reader })
    for (let index = 0; index < 20; index++) writer.set(`during-${index}`, 'small')
    await until('the reader has the edits', () => reader.map.get('during-19') === 'small')
    const expected = content(reader)

    assert.deepEqual(await server.stop(), { code: 0, signal: null }, server.log())
    const [used, unused] = hasFolder ? [named, temporary] : [temporary, named]
    const spilled = () => readdirSync(used)
    assert.equal(spilled().length, 1)
    assert.match(spilled()[0], /\.spill$/)
    assert.deepEqual(readdirSync(unused), [])

    disk.free()
    await server.start()
    const fresh = await Extended.join(t, server, 'open')
    assert.deepEqual(content(fresh), expected)
    assert.deepEqual(spilled(), [])
    await server.kill9()
    await server.start()
    const again = await Extended.join(t, server, 'open')
    assert.deepEqual(content(again), expected, 'it is in the database')
  })
}
