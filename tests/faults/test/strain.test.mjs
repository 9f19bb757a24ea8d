/**
 * A node that has too much to do, because its disk or its processors cannot keep up: who comes is sent to polling, who is there
 * stays, and when it is well again everybody is let in.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Extended } from '../../clients/lib/extended.mjs'
import { Poller } from '../../clients/lib/poll.mjs'
import { NOTICE, RawClient } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { Stream } from '../../clients/lib/sse.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { SlowDisk } from '../lib/slow-disk.mjs'

const OVERLOADED = 4503
const ROOM = 'strained'

/** What counts as too long is 300 ms for a commit, and half a second for a task that waits; both for two seconds. */
const COMMIT_MS = 700
const STOPPED_MS = 1000
const RUNNING_MS = 100
const STOPS = 6

/** All has to be well for so long, and not for much longer. */
const WELL_AFTER_MS = 5_000
const LET_IN_WITHIN_MS = 30_000

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

/** Goes on editing, one edit after the other is saved, until told to stop. */
const keepEditing = client => {
  let isOver = false
  const working = (async () => {
    for (let edit = 0; !isOver; edit++) {
      client.set('edit', edit)
      await client.saved()
    }
  })()
  // It is told by who stops it.
  working.catch(() => {})
  return async () => {
    isOver = true
    await working
  }
}

/** That newcomers are told, on each transport, what to do, and that polls are served. */
const assertSendsAway = async (t, server) => {
  const plain = await RawClient.open(t, server, ROOM)
  const { code, reason } = await plain.closeCode()
  assert.equal(code, OVERLOADED, reason)
  assert.match(reason, /overloaded .*use polling/)
  const extended = await RawClient.open(t, server, ROOM, { protocols: ['synapti.v1'] })
  assert.equal((await extended.closeCode()).code, OVERLOADED)
  const { notice } = extended.messages.find(({ type }) => type === NOTICE)
  assert.deepEqual([notice.kind, notice.transport], ['fallback', 'poll'])
  assert.ok(notice.retry_after_ms >= 1000)
  const stream = await Stream.open(t, server.http, ROOM)
  assert.equal(stream.response.status, 503)
  assert.equal((await stream.response.json()).error.code, 'overloaded')
  const poller = new Poller(server.http, ROOM)
  t.after(() => poller.destroy())
  assert.equal((await poller.poll()).status, 200)
  assert.ok(poller.doc.getMap('set').size > 0, 'a poll reads the map')
  poller.doc.getMap('polled').set('key', 'by a poll')
  assert.equal((await poller.poll()).durable, 1, 'and writes it')
}

/** Waits until newcomers are let in; answers how long that took. */
const letsIn = async (t, server) => {
  const begun = performance.now()
  await until('newcomers are let in again', async () => (await RawClient.knock(t, server, ROOM)).client, { deadline_ms: LET_IN_WITHIN_MS })
  assert.equal((await Stream.open(t, server.http, ROOM)).response.status, 200)
  return performance.now() - begun
}

const isOverloaded = async server => /^synapti_overloaded 1$/m.test((await server.request('GET', '/metrics')).text)

test('commits that take long', async t => {
  const disk = new SlowDisk(t, 0)
  const server = await Server.start(t, { env: disk.env })
  const [writer, reader] = [await Extended.join(t, server, ROOM), await Extended.join(t, server, ROOM)]
  const stop = keepEditing(writer)
  disk.delay(COMMIT_MS)
  await until('the node says that it is overloaded', () => isOverloaded(server), { detail: () => ({ acked: writer.acked }) })
  await assertSendsAway(t, server)
  const { acked } = writer
  await until('who is there goes on', () => writer.acked > acked && reader.map.get('edit') > 0)

  disk.delay(0)
  const took = await letsIn(t, server)
  t.diagnostic(`let in ${Math.round(took)} ms after the disk was well`)
  assert.ok(took > WELL_AFTER_MS / 2, 'a moment is not enough')
  await stop()
  await until('everybody has everything', () => reader.map.get('edit') === writer.map.get('edit'))
  for (const { socket } of [writer, reader]) assert.equal(socket.readyState, socket.OPEN)
})

test('processors that are busy with something else', async t => {
  const server = await Server.start(t)
  const [writer, reader] = [await Extended.join(t, server, ROOM), await Extended.join(t, server, ROOM)]
  writer.set('edit', -1)
  await writer.saved()
  for (let stop = 0; stop < STOPS; stop++) {
    server.pause()
    await sleep(STOPPED_MS)
    server.resume()
    await sleep(RUNNING_MS)
  }
  await assertSendsAway(t, server)
  writer.set('edit', 1)
  await until('who is there goes on', () => reader.map.get('edit') === 1)
  await letsIn(t, server)
  for (const { socket } of [writer, reader]) assert.equal(socket.readyState, socket.OPEN)
})

test('a slow disk that nobody needs any more keeps nobody out', async t => {
  const disk = new SlowDisk(t, 0)
  const server = await Server.start(t, { env: disk.env })
  const writer = await Extended.join(t, server, ROOM)
  const stop = keepEditing(writer)
  disk.delay(COMMIT_MS)
  await until('the node says that it is overloaded', () => isOverloaded(server), { detail: () => ({ acked: writer.acked }) })
  await stop()
  await letsIn(t, server)
})
