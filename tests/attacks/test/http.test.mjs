/** Requests that are slow, endless, too large or broken. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { roomId } from '../../clients/lib/client.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { Tcp, raw } from '../lib/http.mjs'
import { Neighbours } from '../lib/neighbours.mjs'
import { socketsClosed, memoryBytes, metric, openSockets } from '../lib/process.mjs'

/** Headers have 10 s, a first request 12 s; a machine that is busy may be late. */
const HEADERS_WITHIN_MS = 20_000
/** Bodies, and connections on which nothing passes, have a minute. */
const BODY_WITHIN_MS = 100_000

const server = await Server.start({ after })
const neighbours = await Neighbours.begin({ after }, server, roomId('http'))
const before = openSockets(server)

const POST = ['POST /v1/graphs HTTP/1.1', 'Content-Type: application/json']
const isRefusal = status => status === undefined || (status >= 400 && status < 500)

test('slow ones', { concurrency: true }, async t => {
  await Promise.all([
    t.test('headers that come byte by byte', async t => {
      const tcp = await Tcp.open(t, server)
      const sending = tcp.trickle(`GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ${'x'.repeat(200)}\r\n\r\n`, 1000)
      const status = await tcp.ended('the server has enough of slow headers', HEADERS_WITHIN_MS)
      await sending
      assert.ok(status === undefined || status === 408, `answered with ${status}`)
    }),
    t.test('a connection that says nothing', async t => {
      const tcp = await Tcp.open(t, server)
      assert.equal(await tcp.ended('the server drops a silent connection', HEADERS_WITHIN_MS), undefined)
    }),
    t.test('a connection that says nothing after its first request', async t => {
      const tcp = await Tcp.open(t, server)
      tcp.send(`GET /live HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`)
      assert.equal(await tcp.ended('the server drops an idle connection', HEADERS_WITHIN_MS), 200)
    }),
    t.test('a body that does not come', async t => {
      const tcp = await Tcp.open(t, server)
      tcp.send([...POST, `Host: 127.0.0.1:${server.port}`, 'Content-Length: 1000', '', '{'].join('\r\n'))
      const status = await tcp.ended('the server has enough of waiting', BODY_WITHIN_MS)
      assert.ok(isRefusal(status), `answered with ${status}`)
    }),
    t.test('a body that comes byte by byte', async t => {
      const tcp = await Tcp.open(t, server)
      tcp.send([...POST, `Host: 127.0.0.1:${server.port}`, 'Content-Length: 1000', '', ''].join('\r\n'))
      const sending = tcp.trickle(' '.repeat(1000), 1000)
      const status = await tcp.ended('the server has enough of a slow body', BODY_WITHIN_MS)
      await sending
      assert.ok(isRefusal(status), `answered with ${status}`)
    }),
    t.test('a hundred connections that say nothing leave room for others', async t => {
      const silent = await Promise.all(Array.from({ length: 100 }, () => Tcp.open(t, server)))
      assert.equal((await server.request('GET', '/live')).status, 200)
      await Promise.all(silent.map(tcp => tcp.ended('the server drops a silent connection', HEADERS_WITHIN_MS)))
    })
  ])
})

test('too many headers: 431', async t => {
  const many = Array.from({ length: 100 }, (_, index) => `X-${index}: x`)
  assert.equal(await raw(t, server, ['GET /live HTTP/1.1', ...many]), 431)
})

test('headers that are too large: 431', async t => {
  assert.equal(await raw(t, server, ['GET /live HTTP/1.1', `X-Large: ${'x'.repeat(64 << 10)}`]), 431)
})

test('an address that is too long: 414 or 431', async t => {
  const status = await raw(t, server, [`GET /${'x'.repeat(70_000)} HTTP/1.1`])
  assert.ok([414, 431].includes(status), `answered with ${status}`)
})

const broken = {
  'no HTTP at all': ['\u0016\u0003\u0001 hello'],
  'a version that does not exist': ['GET /live HTTP/9.9'],
  'a header without a name': ['GET /live HTTP/1.1', ': x'],
  'a header with a control character': ['GET /live HTTP/1.1', 'X-Bad: a\u0001b'],
  'a length that is no number': [...POST, 'Content-Length: many'],
  'two lengths': [...POST, 'Content-Length: 2', 'Content-Length: 3'],
  'a length below zero': [...POST, 'Content-Length: -1'],
  'a length beyond all bounds': [...POST, 'Content-Length: 99999999999999999999']
}
for (const [what, head] of Object.entries(broken)) {
  test(`${what} is refused`, async t => {
    const status = await raw(t, server, head, '{}')
    assert.ok(isRefusal(status), `answered with ${status}`)
  })
}

const CHUNKED = [...POST, 'Transfer-Encoding: chunked']
const chunk = text => `${text.length.toString(16)}\r\n${text}\r\n`
const bombs = {
  'a chunk that claims an exabyte': ['FFFFFFFFFFFFFFF\r\n{'],
  'a chunk whose length overflows': ['FFFFFFFFFFFFFFFFFFFFFFFF\r\n{'],
  'a chunk with a length below zero': ['-1\r\n{'],
  'an endless extension of a chunk': [`1;${'x'.repeat(1 << 20)}\r\n{\r\n`],
  'an endless trailer': [chunk('{}'), '0\r\n', ...Array.from({ length: 2000 }, (_, index) => `X-${index}: ${'x'.repeat(1000)}\r\n`)],
  'two megabytes in chunks of one byte': Array.from({ length: 200 }, () => chunk(' ').repeat(10_500)),
  'two megabytes in one chunk': [chunk(' '.repeat(2 << 20))]
}
for (const [what, body] of Object.entries(bombs)) {
  test(`chunks: ${what}`, async t => {
    const begun = memoryBytes(server)
    const status = await raw(t, server, CHUNKED, ...body)
    assert.ok(isRefusal(status), `answered with ${status}`)
    const grown = memoryBytes(server) - begun
    assert.ok(grown < 32e6, `it costs no memory to speak of, not ${grown} bytes`)
  })
}

test('a body that says that it is too large: 413', async t => {
  assert.equal(await raw(t, server, [...POST, `Content-Length: ${2 << 20}`], '{'), 413)
})

test('a body that is too large: 413', async () => {
  const { status, json } = await server.request('POST', '/v1/graphs', `{"topic":"${'x'.repeat(2 << 20)}"}`)
  assert.equal(status, 413)
  assert.ok(json.error.message.length > 0)
})

test('compressed bodies are not unpacked', async () => {
  const begun = memoryBytes(server)
  const bomb = gzipSync(Buffer.alloc(200 << 20, ' '))
  assert.ok(bomb.length < 1 << 20)
  for (const encoding of ['gzip', 'deflate', 'br', 'gzip, gzip']) {
    const response = await fetch(`${server.http}/v1/graphs`, {
      method: 'POST', headers: { 'content-type': 'application/json', 'content-encoding': encoding }, body: bomb
    })
    assert.ok(response.status >= 400 && response.status < 500, `${encoding}: ${response.status}`)
    await response.arrayBuffer()
  }
  assert.ok(memoryBytes(server) - begun < 32e6)
})

test('every text that is or is not JSON, as a body: never an error of the server', async () => {
  const file = new URL('../../../protocol/tests/data/json-test-parsing.tsv', import.meta.url)
  const cases = readFileSync(file, 'utf8').trimEnd().split('\n').map(line => line.split('\t'))
    .map(([name, hex]) => [name, Buffer.from(hex ?? '', 'hex')])
  assert.ok(cases.length > 300)
  // Nested deeper than any stack; the two that are too large for the file.
  cases.push(['n_structure_100000_opening_arrays.json', Buffer.from('['.repeat(100_000))])
  cases.push(['n_structure_open_array_object.json', Buffer.from('[{"":'.repeat(50_000))])
  cases.push(['n_deep_topic.json', Buffer.from(`{"topic":${'['.repeat(100_000)}${']'.repeat(100_000)}}`)])
  const statuses = {}
  for (const [name, body] of cases) {
    for (const [method, path] of [['POST', '/v1/graphs'], ['PATCH', '/v1/graphs/json-bodies'], ['POST', '/v1/graphs/json-bodies/nodes']]) {
      const response = await fetch(server.http + path, { method, headers: { 'content-type': 'application/json' }, body })
      const text = await response.text()
      assert.ok(response.status < 500, `${method} ${path}, ${name}: ${response.status} ${text}`)
      // No body at all is fine: nothing has to be said of a new map.
      if (name.startsWith('n_') && body.length > 0) assert.ok(response.status >= 400, `${method} ${path}, ${name}: ${response.status}`)
      statuses[response.status] = (statuses[response.status] ?? 0) + 1
    }
  }
  assert.ok(Object.keys(statuses).length > 1, JSON.stringify(statuses))
})

test('who works meanwhile has noticed nothing of all that', async t => {
  t.diagnostic(`slowest edit ${Math.round(await neighbours.finish())} ms`)
  await socketsClosed(server, before)
  assert.ok(server.running)
  assert.equal(await metric(server, 'synapti_room_panics_total'), 0)
})
