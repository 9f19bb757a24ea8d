/** Large answers that nobody takes: who reads slowly does not keep others from getting theirs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect, leave, roomId } from '../../clients/lib/client.mjs'
import { Y, bundle, post, step1, step2 } from '../../clients/lib/poll.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { Stream } from '../../clients/lib/sse.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Tcp } from '../lib/http.mjs'
import { Narrow } from '../lib/narrow.mjs'
import { memoryBytes } from '../lib/process.mjs'

/** A map of 24 MB by many authors. Each reader has another one's part, so that no two get the same answer. */
const AUTHORS = 16
const KEYS = 24
const VALUE_BYTES = 64 << 10
const MAP_BYTES = AUTHORS * KEYS * VALUE_BYTES

/** More of them than what the server keeps for all answers together (256 MiB) has room for. */
const READERS = 14
const BYTES_PER_SECOND = 1000
/** Of these, some do not read on at all before they are told to. */
const STOPPED = 4

/** So many have their answer for certain while the others still wait for it. */
const BEGUN_MIN = 8
const BEGUN_WITHIN_MS = 60_000

/** Beyond what it takes a server that is busy with those answers; one that keeps them gives up after 15 s. */
const SYNCED_WITHIN_MS = 30_000

/** The head of an answer is no longer than this. */
const HEAD_BYTES_MAX = 4000

/** Connections that were cut off, because others waited for what they held. */
const cutOff = async server => Number(/^synapti_ends_total\{why="made_way"\} (\d+)$/m.exec((await server.request('GET', '/metrics')).text)[1])

const authors = Array.from({ length: AUTHORS }, (_, author) => {
  const doc = new Y.Doc()
  doc.clientID = author + 1
  for (let key = 0; key < KEYS; key++) doc.getMap('bulk').set(`${author}-${key}`, String(key).padEnd(VALUE_BYTES, '.'))
  return doc
})

/** A server with that map. */
const withMap = async t => {
  const [server, id] = [await Server.start(t), roomId('bulk')]
  for (const doc of authors) {
    const { status, durable } = await post(server.http, id, { body: [step2(doc)] })
    assert.deepEqual([status, durable], [200, 1])
  }
  return { server, id }
}

/** A request by hand, whose answer is read slowly, or not any more after its beginning. */
const crawl = async (t, server, number, head, body = Buffer.alloc(0)) => {
  const isStopped = number < STOPPED
  const tcp = await Tcp.open(t, isStopped ? server : await Narrow.open(t, server, BYTES_PER_SECOND))
  if (isStopped) tcp.socket.once('data', () => tcp.socket.pause())
  tcp.isClosed = false
  tcp.closed.then(() => { tcp.isClosed = true })
  tcp.send([...head, `Host: 127.0.0.1:${server.port}`, `Content-Length: ${body.length}`, '', ''].join('\r\n'))
  tcp.send(body)
  return tcp
}

/** Those who stopped read on, until nothing more comes or they have the whole answer. */
const readOn = async (t, readers, isWhole) => {
  const stopped = readers.slice(0, STOPPED).filter(({ status }) => status === 200)
  for (const { socket } of stopped) socket.resume()
  await until('they have everything or the connection ends', () => stopped.every(reader => reader.isClosed || isWhole(reader)))
  t.diagnostic(`${stopped.filter(isWhole).length} of ${stopped.length} who stopped for a while have the whole answer`)
  return stopped
}

const bodyBytes = ({ received }) => received.length - received.indexOf('\r\n\r\n') - 4

/** What all readers have in common: they begin, somebody new comes, and nobody has been told anything that is not so. */
const othersComeIn = async (t, { server, id }, readers) => {
  const begun = () => readers.filter(({ status }) => status === 200)
  await until('the first have their answers', () => begun().length >= BEGUN_MIN, {
    deadline_ms: BEGUN_WITHIN_MS, detail: () => readers.map(({ status }) => status)
  })
  const held = memoryBytes(server)
  const since = performance.now()
  const newcomer = connect(t, server, id)
  const closes = []
  newcomer.provider.on('connection-close', event => closes.push(event?.code))
  await until('somebody new has the whole map', () => newcomer.provider.synced && newcomer.doc.getMap('bulk').size === AUTHORS * KEYS, {
    deadline_ms: SYNCED_WITHIN_MS, detail: () => ({ closes, readers: readers.map(({ status, isClosed }) => [status, isClosed]) })
  })
  t.diagnostic(`synced after ${Math.round(performance.now() - since)} ms beside ${begun().length} answers; ${readers.filter(({ isClosed }) => isClosed).length} cut; ${Math.round(held / 1e6)} MB of memory`)
  assert.deepEqual(closes, [], 'at the first attempt')
  leave(newcomer)
  for (const { status } of readers) assert.ok(status === undefined || status === 200 || status === 503, `answered with ${status}`)
}

test('answers of /sync that are taken slowly do not keep others out', async t => {
  const map = await withMap(t)
  const head = [`POST /v1/graphs/${map.id}/sync HTTP/1.1`, 'Content-Type: application/octet-stream']
  const readers = await Promise.all(authors.slice(0, READERS).map((doc, number) =>
    crawl(t, map.server, number, head, Buffer.from(bundle([step1(doc)])))))
  await othersComeIn(t, map, readers)
  const made = await cutOff(map.server)
  assert.ok(made >= 1 && made < READERS, `${made} have made way`)
  const announced = ({ received }) => Number(/^content-length: (\d+)\r$/im.exec(received.slice(0, HEAD_BYTES_MAX))?.[1])
  for (const reader of await readOn(t, readers, reader => bodyBytes(reader) === announced(reader))) {
    // Nobody may take a part for the whole.
    assert.ok(announced(reader) > MAP_BYTES / 2, 'it says how much there is')
    assert.ok(bodyBytes(reader) === announced(reader) || (reader.isClosed && bodyBytes(reader) < announced(reader)))
  }
})

test('streams of events that are taken slowly do not keep others out', async t => {
  const map = await withMap(t)
  const readers = await Promise.all(authors.slice(0, READERS).map((doc, number) =>
    crawl(t, map.server, number, [`GET /v1/graphs/${map.id}/sse?sv=${Stream.vector(doc)} HTTP/1.1`])))
  await othersComeIn(t, map, readers)
  const made = await cutOff(map.server)
  assert.ok(made >= 1 && made < READERS, `${made} have made way`)
  // A cursor says that the map is whole, and it comes with the last part.
  const isWhole = ({ received }) => received.length > MAP_BYTES && received.includes('\nid: ')
  for (const reader of await readOn(t, readers, isWhole)) {
    if (!isWhole(reader)) assert.ok(!reader.received.includes('\nid: '), 'who was cut has no cursor')
  }
})

test('sockets that are read slowly do not keep others out', async t => {
  const map = await withMap(t)
  const readers = await Promise.all(authors.slice(0, READERS).map(async doc => {
    const { socket } = await RawClient.open(t, await Narrow.open(t, map.server, BYTES_PER_SECOND), map.id)
    socket.send(step1(doc))
    const greeted = 2 * BYTES_PER_SECOND
    return {
      get status () { return socket._socket.bytesRead > greeted ? 200 : undefined },
      get isClosed () { return socket.readyState !== socket.OPEN }
    }
  }))
  await othersComeIn(t, map, readers)
  assert.ok(readers.every(({ isClosed }) => !isClosed), 'they are sent the rest later')
  assert.equal(await cutOff(map.server), 0)
})
