/** Readers behind a slow network, and readers that stop: they get everything, and cost the server nothing to speak of. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Extended } from '../../clients/lib/extended.mjs'
import { RawClient, STEP2, SYNC, step1 } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Narrow } from '../lib/narrow.mjs'
import { Neighbours } from '../lib/neighbours.mjs'
import { memoryBytes } from '../lib/process.mjs'

const KB = 1000
const MB = 1000 * KB

/** A map of 5 MB, and a network for it: some 10 s. */
const KEYS = 100
const VALUE_BYTES = 50 * KB
const SLOW_BYTES_PER_SECOND = 500 * KB
const READ_WITHIN_MS = 60_000

/** How long readers stop, and what is written meanwhile: many times what a room keeps for those who are behind (1 MiB). */
const STOPPED_MS = 15_000
const WRITES = 300
const WRITE_BYTES = 64 * KB
const STOPPED = 5

const server = await Server.start({ after })

/** Fails the test at the first message that does not join on to what came before. */
const watchOrder = (t, reader) => {
  const holes = []
  reader.socket.on('message', () => {
    const { pendingStructs, pendingDs } = reader.doc.store
    if (pendingStructs !== null || pendingDs !== null) holes.push(reader.messages.length)
  })
  return holes
}

const bytesRead = ({ socket }) => socket._socket.bytesRead

test('a large map over a slow network', async t => {
  const id = roomId('slow')
  const author = await Extended.join(t, server, id)
  for (let key = 0; key < KEYS; key++) author.set(`key-${key}`, String(key).padEnd(VALUE_BYTES, '.'))
  await author.saved()
  // In another room: here, what they write could reach the reader before what it builds on.
  const neighbours = await Neighbours.begin(t, server, roomId('beside'))

  const crawling = await RawClient.open(t, await Narrow.open(t, server, KB), id)
  crawling.send(step1())
  const slow = await RawClient.open(t, await Narrow.open(t, server, SLOW_BYTES_PER_SECOND), id)
  const holes = watchOrder(t, slow)
  const begun = performance.now()
  slow.send(step1())
  await until('the whole map has come', () => slow.messages.some(({ type, kind }) => type === SYNC && kind === STEP2), {
    deadline_ms: READ_WITHIN_MS, detail: () => ({ read: bytesRead(slow) })
  })
  assert.ok(performance.now() - begun > 5_000, 'the network was slow')
  t.diagnostic(`slowest edit of the neighbours ${Math.round(await neighbours.finish())} ms`)
  const map = slow.doc.getMap('set')
  assert.equal(map.size, KEYS)
  for (const [key, value] of author.map) assert.equal(map.get(key), value, key)
  assert.deepEqual(holes, [], 'everything came in order')
  assert.equal(slow.socket.readyState, slow.socket.OPEN)

  // At 1 KB/s it would take hours; it is let go on.
  const before = bytesRead(crawling)
  await until('the one that crawls has read on', () => bytesRead(crawling) > before + 4 * KB)
  assert.equal(crawling.socket.readyState, crawling.socket.OPEN)
})

test('readers that stop while the room goes on far beyond what it keeps for them', async t => {
  const id = roomId('stopped')
  const writer = await Extended.join(t, server, id)
  const ways = await Promise.all(Array.from({ length: STOPPED }, () => Narrow.open(t, server, 10 * MB)))
  const readers = await Promise.all(ways.map(way => RawClient.open(t, way, id)))
  await Promise.all(readers.map(reader => reader.read()))
  const holes = readers.map(reader => watchOrder(t, reader))
  const before = memoryBytes(server)
  const read = readers.map(bytesRead)
  for (const way of ways) way.stop()
  let most = before
  for (let write = 0; write < WRITES; write++) {
    writer.set(`key-${write % 4}`, String(write).padEnd(WRITE_BYTES, '.'))
    await new Promise(resolve => setTimeout(resolve, STOPPED_MS / WRITES))
    most = Math.max(most, memoryBytes(server))
  }
  await writer.saved()
  // What was in the buffers on the way came.
  for (const [index, reader] of readers.entries()) assert.ok(bytesRead(reader) - read[index] < 2 * MB, 'they have stopped')
  t.diagnostic(`memory grew by ${Math.round((most - before) / MB)} MB while ${STOPPED} did not read ${Math.round(WRITES * WRITE_BYTES / MB)} MB`)
  assert.ok(most - before < 100 * MB, `memory grew by ${most - before} bytes`)

  for (const way of ways) way.goOn()
  for (const [index, reader] of readers.entries()) {
    const map = reader.doc.getMap('set')
    await until(`reader ${index} has what the writer has`, () => [...writer.map].every(([key, value]) => map.get(key) === value))
    assert.deepEqual(holes[index], [], 'everything came in order')
    assert.equal(reader.socket.readyState, reader.socket.OPEN, 'it kept its connection')
  }
})
