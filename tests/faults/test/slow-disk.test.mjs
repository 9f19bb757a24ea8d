/**
 * A disk that takes its time: nothing is shown before it is saved as long as that takes less than a second; who leaves at
 * once loses nothing; and what waits is bounded.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Extended } from '../../clients/lib/extended.mjs'
import { NOTICE, STEP1, SYNC } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { SlowDisk } from '../lib/slow-disk.mjs'

const slowServer = async (t, delayMs, env = {}) => {
  const disk = new SlowDisk(t, delayMs)
  const server = await Server.start(t, { env: { ...disk.env, ...env } })
  return { disk, server }
}

const journal = async server => (await server.request('GET', '/health')).json.components.journal

const memoryBytes = server => {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))
  return 1024 * Number(kilobytes)
}

test('no frame is shown before the flush that began after it was sent', async t => {
  const { disk, server } = await slowServer(t, 0)
  const [writer, reader] = [await Extended.join(t, server, 'slow'), await Extended.join(t, server, 'slow')]
  disk.delay(250)
  for (let index = 0; index < 8; index++) {
    const newest = Math.max(0, ...disk.logFlushes().keys())
    let flushedWhenShown
    reader.map.observe(() => { flushedWhenShown ??= disk.logFlushes() })
    writer.set(`edit-${index}`, index)
    await until('the other client has the edit', () => flushedWhenShown)
    assert.ok(
      [...flushedWhenShown].some(([number, ended]) => number > newest && ended),
      `edit ${index}, sent after flush ${newest}, is shown after a later flush: ${JSON.stringify([...flushedWhenShown].slice(-5))}`
    )
    await writer.saved()
  }
  const notices = [...writer.notices, ...reader.notices].filter(kind => kind !== 'role')
  assert.deepEqual(notices, [], 'less than a second is not behind')
})

test('who asks for the state while the store falls behind is told `unsaved` before the answer', async t => {
  const { disk, server } = await slowServer(t, 0)
  const [writer, reader] = [await Extended.join(t, server, 'asked'), await Extended.join(t, server, 'asked')]
  disk.delay(3000)
  writer.set('key', 'not on disk yet')
  // The edit is on its way to disk, so the question waits for it.
  await until('the flush has begun', () => [...disk.logFlushes().values()].includes(false))
  const from = reader.messages.length
  await reader.read()
  assert.equal(reader.map.get('key'), 'not on disk yet')
  const news = reader.messages.slice(from)
  const flushed = [...disk.logFlushes().values()].every(ended => ended)
  const [told, shown] = [
    news.findIndex(({ type, notice }) => type === NOTICE && notice.kind === 'unsaved'),
    news.findIndex(({ type, kind, body }) => type === SYNC && kind !== STEP1 && body.length > 2)
  ]
  assert.ok(flushed || (told >= 0 && told < shown), `told at message ${told}, shown at message ${shown}`)
  disk.delay(0)
  await writer.saved()
})

test('clients that edit and leave at once lose nothing', async t => {
  const MAPS = 200
  const { disk, server } = await slowServer(t, 0, { SYNAPTI_ROOM_IDLE_CLOSE_AFTER: '0' })
  const names = Array.from({ length: MAPS }, (_, index) => `left-${index}`)
  // The maps are there before: making one is a commit of its own.
  const clients = await Promise.all(names.map(name => Extended.join(t, server, name)))
  const before = memoryBytes(server)
  disk.delay(100)
  await Promise.all(clients.map(async (client, index) => {
    client.set('edit', names[index])
    await client.leave()
  }))
  const memoryGrowth = memoryBytes(server) - before
  await until('everything is saved', async () => (await journal(server)).backlog_bytes === 0)
  await server.kill9()
  disk.delay(0)
  await server.start()
  const found = await Promise.all(names.map(async name => {
    const client = await Extended.join(t, server, name)
    await client.leave()
    return client.map.get('edit')
  }))
  assert.deepEqual(found, names)
  assert.ok(memoryGrowth < 100e6, `memory grew by ${memoryGrowth} bytes`)
})

test('what waits for a disk that is far too slow is bounded, and nothing of it is lost', async t => {
  const MAPS = 40
  const EDITS = 100
  const VALUE = 'x'.repeat(4096)
  const UNSAVED_BYTES_MAX = 1 << 20
  // Some maps may look at the backlog at the same moment, and each then adds what it has gathered, up to 1 MiB. All that
  // is sent here is three times that and more.
  const BACKLOG_BYTES_MAX = UNSAVED_BYTES_MAX + 4 * (1 << 20)
  assert.ok(MAPS * EDITS * VALUE.length > 3 * BACKLOG_BYTES_MAX)
  const { disk, server } = await slowServer(t, 0, { SYNAPTI_LIMITS_UNSAVED_BYTES_MAX: String(UNSAVED_BYTES_MAX), SYNAPTI_LIMITS_MESSAGES_PER_SECOND: '0' })
  const writers = await Promise.all(Array.from({ length: MAPS }, (_, index) => Extended.join(t, server, `flood-${index}`)))
  const before = memoryBytes(server)
  disk.delay(4000)
  for (let edit = 0; edit < EDITS; edit++) {
    for (const writer of writers) writer.set(`edit-${edit}`, VALUE)
  }
  let [backlogMax, memoryMax, looks] = [0, before, 0]
  await until('the server is behind, and full', async () => {
    const { backlog_bytes: backlog, status } = await journal(server)
    backlogMax = Math.max(backlogMax, backlog)
    memoryMax = Math.max(memoryMax, memoryBytes(server))
    const isFull = status === 'degraded' && backlog >= UNSAVED_BYTES_MAX && writers.some(({ notices }) => notices.includes('unsaved'))
    // And stays so for a while.
    looks += isFull ? 1 : 0
    return looks > 50
  })
  disk.delay(0)
  await until('everything is acknowledged', () => {
    memoryMax = Math.max(memoryMax, memoryBytes(server))
    return writers.every(writer => writer.acked === writer.sent)
  }, { deadline_ms: 60_000 })
  await Promise.all(writers.filter(({ notices }) => notices.includes('unsaved')).map(writer => writer.noticed('saved')))
  await server.kill9()
  await server.start()
  for (const [index, writer] of writers.entries()) {
    const fresh = await Extended.join(t, server, `flood-${index}`)
    assert.equal(fresh.map.size, EDITS)
    assert.equal(writer.map.size, EDITS)
  }
  t.diagnostic(`backlog at most ${backlogMax} bytes; memory grew by at most ${memoryMax - before}`)
  assert.ok(backlogMax <= BACKLOG_BYTES_MAX, `${backlogMax} bytes waited`)
  assert.ok(memoryMax - before < 200e6, `memory grew by ${memoryMax - before} bytes`)
})
