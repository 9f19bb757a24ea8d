/** Maps as streams of events. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { join, published, roomId } from '../lib/client.mjs'
import { toJSON } from '../lib/map.mjs'
import { Server } from '../lib/server.mjs'
import { Stream } from '../lib/sse.mjs'
import { guarded, token } from '../lib/token.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

const text = doc => doc.getText('text').toString()

const synced = stream => until('the stream has brought the state', () => stream.lastEventId !== undefined)

test('a stream brings the map, then what happens in it', async t => {
  const id = roomId('stream')
  const ada = await join(t, server, id, { state: { name: 'Ada' } })
  ada.doc.getText('text').insert(0, 'hello')
  await published(t, server, id, toJSON(ada.doc))
  const stream = await Stream.open(t, server.http, id)
  assert.equal(stream.response.headers.get('content-type'), 'text/event-stream')
  assert.equal(stream.response.headers.get('content-encoding'), null)
  await synced(stream)
  assert.equal(text(stream.doc), 'hello')
  const [question, people, state] = stream.events
  assert.ok(question.step1 && people.awareness && state.step2)
  assert.equal(question.id, undefined)
  ada.doc.getText('text').insert(5, ' world')
  await until('the edit has come', () => text(stream.doc) === 'hello world')
  await until('a comment keeps the stream alive', () => stream.comments > 0, { deadline_ms: 30_000 })
})

test('a stream goes on where it broke, with nothing twice and nothing missing', async t => {
  const id = roomId('resume')
  const ada = await join(t, server, id)
  const first = await Stream.open(t, server.http, id)
  await synced(first)
  for (let n = 0; n < 20; n++) ada.doc.getText('text').insert(0, 'a')
  await until('the edits have come', () => text(first.doc).length === 20)
  first.close()
  ada.doc.getText('text').insert(0, 'b')
  ada.doc.getText('text').delete(10, 2)
  await published(t, server, id, toJSON(ada.doc))
  const second = await Stream.open(t, server.http, id, { doc: first.doc, lastEventId: first.lastEventId })
  await until('it has caught up', () => text(second.doc) === text(ada.doc))
  assert.ok(second.events.every(event => event.update || event.awareness), 'only what was missed')
  assert.ok(second.events.filter(event => event.update).length <= 2)
  // A cursor that is of no use: what the vector lacks, and deletions.
  second.close()
  const third = await Stream.open(t, server.http, id, { doc: second.doc, lastEventId: 'nonsense', sv: Stream.vector(second.doc) })
  await synced(third)
  const state = third.events.find(event => event.step2).step2
  assert.ok(state.length < 40, `${state.length} bytes for somebody who has it all`)
  const query = await Stream.open(t, server.http, id, { cursor: third.lastEventId })
  ada.doc.getText('text').insert(0, 'c')
  await until('the edit has come', () => query.events.some(event => event.update))
  assert.ok(!query.events.some(event => event.step2))
})

test('a large map comes in parts, and only the last of them has a cursor', async t => {
  const id = roomId('large')
  const ada = await join(t, server, id)
  for (let n = 0; n < 60; n++) ada.doc.getMap('large').set(`key ${n}`, 'x'.repeat(5_000))
  // Edits that are on their way to disk while somebody joins would come once more.
  await until('all of it is there', async () =>
    (await (await fetch(`${server.http}/v1/graphs/${id}/snapshot`)).arrayBuffer()).byteLength > 60 * 5_000)
  const stream = await Stream.open(t, server.http, id)
  await synced(stream)
  assert.deepEqual(stream.doc.getMap('large').toJSON(), ada.doc.getMap('large').toJSON())
  const parts = stream.events.filter(event => event.update ?? event.step2)
  assert.ok(parts.length > 3)
  assert.ok(parts.slice(0, -1).every(part => part.id === undefined))
  assert.ok(parts.at(-1).step2 && parts.at(-1).id)
})

test('a stream says why it ends', async t => {
  const id = roomId('ends')
  const stream = await Stream.open(t, server.http, id, { ext: 1 })
  await synced(stream)
  await server.request('DELETE', `/v1/graphs/${id}`)
  await until('the stream is over', () => stream.over)
  assert.equal(stream.closed.code, 4410)
  const again = await Stream.open(t, server.http, id)
  assert.equal(again.response.status, 410)
  assert.equal((await again.response.json()).error.code, 'gone')

  const own = await Server.start(t, { env: { SYNAPTI_SHUTDOWN_GRACE: '5' } })
  const other = await Stream.open(t, own.http, 'm', { ext: 1 })
  await synced(other)
  assert.deepEqual(await own.stop(), { code: 0, signal: null })
  await until('the stream is over', () => other.over)
  assert.equal(other.closed.code, 1012)
})

test('what no stream begins with is refused', async t => {
  const bad = await Stream.open(t, server.http, roomId('bad'), { sv: '***' })
  assert.equal(bad.response.status, 422)
  const page = await Stream.open(t, server.http, roomId('bad'), { headers: { origin: 'https://elsewhere.example' } })
  assert.equal(page.response.status, 403)
  assert.equal((await page.response.json()).error.code, 'origin_not_allowed')
})

test('who gives up a stream leaves nothing behind', async t => {
  const id = roomId('gone')
  const streams = []
  for (let n = 0; n < 10; n++) streams.push(await Stream.open(t, server.http, id))
  await Promise.all(streams.map(synced))
  const open = async () => Number(/^synapti_sse_streams (\d+)/m.exec((await server.request('GET', '/metrics')).text)[1])
  const before = await open()
  assert.ok(before >= 10)
  streams.forEach(stream => stream.close())
  await until('they are gone', async () => await open() <= before - 10, { deadline_ms: 40_000 })
})

test('streams ask for the same rights as sockets', async t => {
  const own = await Server.start(t, { env: guarded })
  const id = 'm'
  const owner = token({ [id]: 'owner' })
  await own.request('POST', '/v1/graphs', { id }, { authorization: `Bearer ${owner}` })
  const status = async options => {
    const stream = await Stream.open(t, own.http, id, options)
    stream.close()
    return stream.response.status
  }
  const viewer = token({ [id]: 'viewer' }, { sub: 'val' })
  assert.equal(await status({}), 401)
  assert.equal(await status({ token: 'a.b.c' }), 401)
  assert.equal(await status({ token: token({ other: 'owner' }) }), 403)
  assert.equal(await status({ token: viewer }), 200)
  assert.equal(await status({ headers: { authorization: `Bearer ${viewer}` } }), 200)
  assert.equal(await status({ token: token({ [id]: 'viewer' }, { seconds: 7200 }) }), 401, 'too long for an address')
  assert.equal((await Stream.open(t, own.http, 'missing', { token: token({ '*': 'viewer' }) })).response.status, 404)
  const brief = await Stream.open(t, own.http, id, { token: token({ [id]: 'viewer' }, { seconds: 2, sub: 'brief' }) })
  await until('the token ends', () => brief.over)
  assert.equal(brief.closed.code, 4401)
  // Five of one client.
  const five = []
  for (let n = 0; n < 5; n++) five.push(await Stream.open(t, own.http, id, { token: token({ [id]: 'viewer' }, { sub: 'many' }) }))
  assert.deepEqual(five.map(stream => stream.response.status), [200, 200, 200, 200, 200])
  const sixth = await Stream.open(t, own.http, id, { token: token({ [id]: 'viewer' }, { sub: 'many' }) })
  assert.equal(sixth.response.status, 429)
  assert.ok(sixth.response.headers.has('retry-after'))
})
