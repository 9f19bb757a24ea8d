/** Requests that wait, as bytes on a connection; JSON readers; the snapshot; rights of those who poll. */
import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { after, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import * as Y from 'yjs'
import { join, published, roomId } from '../lib/client.mjs'
import { toJSON } from '../lib/map.mjs'
import { Poller, post, step1, step2, update } from '../lib/poll.mjs'
import { Server } from '../lib/server.mjs'
import { guarded, token } from '../lib/token.mjs'
import { until, within } from '../lib/wait.mjs'

const server = await Server.start({ after })

const waiting = (count, of = server) => until(`${count} polls wait`, async () =>
  Number(/^synapti_polls_waiting (\d+)/m.exec((await of.request('GET', '/metrics')).text)[1]) === count)

/** A connection that says what it is told to. */
const socket = async t => {
  const connection = connectSocket(server.port, '127.0.0.1')
  const said = { text: '', over: false, connection }
  connection.setEncoding('latin1')
  connection.on('data', chunk => { said.text += chunk })
  connection.on('close', () => { said.over = true })
  connection.on('error', () => {})
  t.after(() => connection.destroy())
  await new Promise(resolve => connection.once('connect', resolve))
  return said
}

const request = (method, path, { version = '1.1', headers = '' } = {}) =>
  `${method} ${path} HTTP/${version}\r\nhost: 127.0.0.1:${server.port}\r\n${method === 'POST' ? 'content-length: 0\r\n' : ''}${headers}\r\n`

const answers = said => said.text.split(/(?=HTTP\/1\.[01] \d{3} )/).filter(Boolean)

const edit = (id, insert = 'x') => {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, insert)
  return post(server.http, id, { body: [update(Y.encodeStateAsUpdate(doc))] })
}

test('requests behind one that waits are answered in their order', async t => {
  const id = roomId('order')
  const { cursor } = await post(server.http, id)
  const said = await socket(t)
  said.connection.write(request('GET', '/live'))
  said.connection.write(request('POST', `/v1/graphs/${id}/sync?wait=50&cursor=${cursor}`))
  said.connection.write(request('GET', '/live') + request('GET', '/nowhere'))
  await waiting(1)
  assert.equal(answers(said).length, 1)
  await edit(id)
  await until('all are answered', () => answers(said).length === 4)
  assert.deepEqual(answers(said).map(answer => answer.slice(9, 12)), ['200', '200', '200', '404'])
  assert.match(answers(said)[1], /synapti-cursor: /)
  // And once more on the same connection.
  const [, again] = /synapti-cursor: (\S+)/.exec(answers(said)[1])
  said.connection.write(request('POST', `/v1/graphs/${id}/sync?wait=1&cursor=${again}`))
  await until('it is answered', () => answers(said).length === 5)
  assert.equal(answers(said)[4].slice(9, 12), '204')
  assert.equal(said.over, false)
})

test('a connection that is to be closed after its request is', async t => {
  const id = roomId('closes')
  for (const options of [{ headers: 'connection: close\r\n' }, { version: '1.0' }]) {
    const { cursor } = await post(server.http, id)
    const said = await socket(t)
    said.connection.write(request('POST', `/v1/graphs/${id}/sync?wait=50&cursor=${cursor}`, options))
    await waiting(1)
    await edit(id)
    await until('it is over', () => said.over)
    assert.equal(answers(said).length, 1)
    assert.match(said.text, /^HTTP\/1\.[01] 200 /)
  }
  const { cursor } = await post(server.http, id)
  const kept = await socket(t)
  const kind = { version: '1.0', headers: 'connection: keep-alive\r\n' }
  kept.connection.write(request('POST', `/v1/graphs/${id}/sync?wait=1&cursor=${cursor}`, kind))
  await until('it is answered', () => answers(kept).length === 1)
  kept.connection.write(request('GET', '/live', kind))
  await until('the next is answered', () => answers(kept).length === 2)
})

test('the body of a request that waits is never taken for a request', async t => {
  const id = roomId('body')
  const etag = (await server.request('POST', '/v1/graphs', { id })).headers.get('etag')
  const smuggled = request('GET', '/live')
  for (const [framing, body] of [
    [`content-length: ${smuggled.length}\r\n`, smuggled],
    ['transfer-encoding: chunked\r\n', `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`],
    [`content-length: ${smuggled.length}\r\nexpect: 100-continue\r\n`, smuggled]
  ]) {
    const said = await socket(t)
    said.connection.write(request('GET', `/v1/graphs/${id}?wait=2`, { headers: `if-none-match: ${etag}\r\n${framing}` }))
    await waiting(1)
    said.connection.write(body)
    await until('it is answered', () => answers(said).some(answer => answer.startsWith('HTTP/1.1 304')))
    said.connection.write(request('GET', '/nowhere'))
    await until('the next is answered, or the connection is over', () => said.over || /HTTP\/1.1 404/.test(said.text))
    assert.ok(!said.text.includes('alive'), framing)
  }
  const head = await socket(t)
  head.connection.write(request('HEAD', `/v1/graphs/${id}?wait=50`, { headers: `if-none-match: ${etag}\r\n` }))
  await until('it is answered', () => answers(head).length === 1)
  assert.match(head.text, /^HTTP\/1.1 304 /)
})

test('who hangs up does not wait any more', async t => {
  const id = roomId('hangs-up')
  const { cursor } = await post(server.http, id)
  const people = await Promise.all(Array.from({ length: 20 }, () => socket(t)))
  people.forEach(said => said.connection.write(request('POST', `/v1/graphs/${id}/sync?wait=55&cursor=${cursor}`)))
  await waiting(20)
  people.slice(0, 10).forEach(said => said.connection.destroy())
  people.slice(10).forEach(said => said.connection.end())
  await waiting(0)
})

test('HTTP/2 waits too, many on one connection', async t => {
  const id = roomId('http2')
  const { cursor } = await post(server.http, id)
  const session = connectHttp2(server.http)
  t.after(() => session.destroy())
  const poll = () => new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': `/v1/graphs/${id}/sync?wait=50&cursor=${cursor}` })
    stream.on('response', headers => { stream.resume(); stream.on('end', () => resolve(headers[':status'])) })
    stream.on('error', reject)
    stream.end()
  })
  const polls = Array.from({ length: 5 }, poll)
  await waiting(5)
  await edit(id)
  assert.deepEqual(await within('all are answered', Promise.all(polls)), [200, 200, 200, 200, 200])
})

test('a reader of JSON waits for a change', async t => {
  const id = roomId('json')
  const made = await server.request('POST', '/v1/graphs', { id, topic: 'one' })
  const etag = made.headers.get('etag')
  const read = (wait, tag) => fetch(`${server.http}/v1/graphs/${id}?wait=${wait}`, { headers: { 'if-none-match': tag } })
  const quiet = await read(1, etag)
  assert.deepEqual([quiet.status, quiet.headers.get('etag')], [304, etag])
  const reading = read(50, etag)
  await waiting(1)
  await server.request('PATCH', `/v1/graphs/${id}`, { topic: 'two' })
  const changed = await within('the change comes', reading)
  assert.deepEqual([changed.status, (await changed.json()).topic], [200, 'two'])
  assert.notEqual(changed.headers.get('etag'), etag)
  assert.equal((await read(50, etag)).status, 200, 'at once for who has an older one')
  for (const wait of ['56', '-1', 'x', '']) assert.equal((await read(wait, etag)).status, 422, wait)
  const last = read(50, changed.headers.get('etag'))
  await waiting(1)
  await server.request('DELETE', `/v1/graphs/${id}`)
  const gone = await last
  assert.deepEqual([gone.status, (await gone.json()).error.code], [410, 'gone'])
})

test('the snapshot is the map, compressed and named', async t => {
  const id = roomId('snapshot')
  assert.equal((await server.request('GET', `/v1/graphs/${id}/snapshot`)).status, 404)
  const ada = await join(t, server, id)
  for (let n = 0; n < 100; n++) ada.doc.getMap('nodes').set(`node ${n}`, 'some words that compress well')
  await published(t, server, id, toJSON(ada.doc))
  const plain = await fetch(`${server.http}/v1/graphs/${id}/snapshot`, { headers: { 'accept-encoding': 'identity' } })
  const bytes = new Uint8Array(await plain.arrayBuffer())
  const doc = new Y.Doc()
  Y.applyUpdate(doc, bytes)
  assert.deepEqual(toJSON(doc), toJSON(ada.doc))
  assert.equal(plain.headers.get('content-type'), 'application/octet-stream')
  // By hand: fetch would undo the encoding.
  const said = await socket(t)
  said.connection.write(request('GET', `/v1/graphs/${id}/snapshot`, { headers: 'accept-encoding: gzip\r\n' }))
  await until('it has come', () => /\r\n\r\n/.test(said.text) && said.text.split('\r\n\r\n')[1].length === Number(/content-length: (\d+)/.exec(said.text)[1]))
  assert.match(said.text, /content-encoding: gzip/)
  assert.deepEqual(new Uint8Array(gunzipSync(Buffer.from(said.text.split('\r\n\r\n')[1], 'latin1'))), bytes)
  const [, tag] = /etag: (\S+)/.exec(said.text)
  for (const etag of [tag, plain.headers.get('etag')]) {
    const again = await fetch(`${server.http}/v1/graphs/${id}/snapshot`, { headers: { 'if-none-match': etag } })
    assert.equal(again.status, 304)
  }
  const cursor = plain.headers.get('synapti-cursor')
  const next = await post(server.http, id, { cursor })
  assert.ok(next.status === 204 || next.messages.every(message => message.awareness), 'the cursor goes on from the snapshot')
})

test('polls ask for the same rights as sockets', async t => {
  const own = await Server.start(t, { env: guarded })
  const id = 'm'
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'x')
  const change = update(Y.encodeStateAsUpdate(doc))
  const owner = token({ [id]: 'owner' })
  assert.equal((await post(own.http, id)).status, 401)
  assert.equal((await post(own.http, id, { token: token({ other: 'owner' }) })).status, 403)
  assert.equal((await post(own.http, 'missing', { token: token({ '*': 'viewer' }) })).status, 404)
  assert.equal((await post(own.http, `${id}`, { token: owner, body: [change] })).durable, 1, 'who may edit may also make it')
  const query = await fetch(`${own.http}/v1/graphs/${id}/sync?token=${owner}`, { method: 'POST' })
  assert.equal(query.status, 401, 'requests have headers')
  for (const role of ['viewer', 'commenter']) {
    const reader = new Poller(own.http, id, { token: token({ [id]: role }, { sub: role }) })
    t.after(() => reader.destroy())
    assert.equal((await reader.poll()).status, 200)
    assert.equal(reader.doc.getText('text').toString(), 'x')
    assert.equal((await reader.show({ name: role })).status < 300, true)
    reader.doc.getText('text').insert(0, 'y')
    const refused = await reader.poll()
    assert.deepEqual([refused.status, refused.error.code], [403, 'forbidden'])
  }
  // Deletions that only the map can tell from those that it knows.
  const known = new Y.Doc()
  Y.applyUpdate(known, Y.encodeStateAsUpdate(doc))
  const there = Y.encodeStateVector(known)
  known.getText('text').delete(0, 1)
  const deletes = await post(own.http, id, { token: token({ [id]: 'viewer' }, { sub: 'val' }), body: [step2(known, there)] })
  assert.deepEqual([deletes.status, deletes.error?.code], [403, 'forbidden'])
  const after = await post(own.http, id, { token: owner })
  const read = new Y.Doc()
  Y.applyUpdate(read, after.messages[0].step2)
  assert.equal(read.getText('text').toString(), 'x')
})

test('a map that was edited offline comes as one answer, however it is sent', async t => {
  const id = roomId('offline')
  const doc = new Y.Doc()
  for (let n = 0; n < 100; n++) doc.getArray('offline').push(['x'.repeat(60_000)])
  const answer = await post(server.http, id, { body: [step2(doc)] })
  assert.deepEqual([answer.status, answer.durable], [200, 1])
  const snapshot = new Uint8Array(await (await fetch(`${server.http}/v1/graphs/${id}/snapshot`)).arrayBuffer())
  const read = new Y.Doc()
  Y.applyUpdate(read, snapshot)
  assert.equal(read.getArray('offline').length, 100)
})

test('a client waits as often as it may connect, and edits all the same', async t => {
  const own = await Server.start(t, { env: guarded })
  const ada = token({ '*': 'owner' })
  const { cursor } = await post(own.http, 'm', { token: ada })
  const abort = new AbortController()
  t.after(() => abort.abort())
  const polls = Array.from({ length: 5 }, () => post(own.http, 'm', { token: ada, cursor, wait: 50, signal: abort.signal }))
  await waiting(5, own)
  const sixth = await post(own.http, 'm', { token: ada, cursor, wait: 50 })
  assert.deepEqual([sixth.status, sixth.error.code], [429, 'too_many_connections'])
  assert.ok(Number(sixth.headers.get('retry-after')) >= 1)
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'x')
  const edited = await post(own.http, 'm', { token: ada, cursor, body: [step1(doc), update(Y.encodeStateAsUpdate(doc))] })
  assert.equal(edited.durable, 1)
  assert.deepEqual((await Promise.all(polls)).map(answer => answer.status), [200, 200, 200, 200, 200])
})
