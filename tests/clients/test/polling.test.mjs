/** Maps over `POST /sync`: what a client can do that can only send requests. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { join, published, roomId } from '../lib/client.mjs'
import { toJSON } from '../lib/map.mjs'
import { Poller, bundle, post, presence, step1, update } from '../lib/poll.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after }, { restartable: true, env: { SYNAPTI_LIMITS_MESSAGE_BYTES_MAX: '65536', SYNAPTI_LIMITS_SYNC_BYTES_MAX: '262144' } })

const poller = (t, id, options) => {
  const client = new Poller(server.http, id, options)
  t.after(() => client.destroy())
  return client
}

const text = doc => doc.getText('text').toString()

/** The updates that one edit of a document makes. */
const updatesOf = (doc, ...edits) => {
  const updates = []
  const hear = bytes => updates.push(bytes)
  doc.on('update', hear)
  for (const edit of edits) edit(doc.getText('text'))
  doc.off('update', hear)
  return updates
}

const waiting = () => until('a poll waits', async () => {
  const metrics = await server.request('GET', '/metrics')
  return /^synapti_polls_waiting [1-9]/m.test(metrics.text)
})

test('a poll reads the whole map, writes durably, and waits for what others do', async t => {
  const id = roomId('poll')
  const ada = await join(t, server, id)
  ada.doc.getText('text').insert(0, 'hello')
  await published(t, server, id, toJSON(ada.doc))
  const bob = poller(t, id)
  const first = await bob.poll()
  assert.equal(first.status, 200)
  assert.equal(first.durable, undefined, 'nothing was said')
  assert.deepEqual(first.messages.map(message => Object.keys(message)[0]).slice(0, 2), ['step2', 'step1'])
  assert.equal(text(bob.doc), 'hello')

  bob.doc.getText('text').insert(5, ' world')
  const written = await bob.poll()
  assert.deepEqual([written.status, written.durable, bob.unsent.length], [200, 1, 0])
  await until('the other one sees it', () => text(ada.doc) === 'hello world')

  const waits = bob.poll({ wait: 50 })
  await waiting()
  ada.doc.getText('text').insert(11, '!')
  const heard = await waits
  assert.deepEqual([heard.status, text(bob.doc)], [200, 'hello world!'])
  assert.notEqual(heard.cursor, written.cursor)
  const quiet = await bob.poll()
  assert.deepEqual([quiet.status, quiet.cursor, quiet.messages], [204, heard.cursor, []])
})

test('what a poll was told is durable survives a power cut', async t => {
  const own = await Server.start(t, { restartable: true })
  const client = new Poller(own.http, 'm')
  t.after(() => client.destroy())
  for (let n = 0; n < 5; n++) {
    client.doc.getText('text').insert(0, `${n}`)
    assert.equal((await client.poll()).durable, 1)
  }
  await own.kill9()
  await own.start()
  const after = new Poller(own.http, 'm')
  t.after(() => after.destroy())
  await after.poll()
  assert.equal(text(after.doc), '43210')
  // The cursor of before is one of another opening: at once, although there is nothing new.
  const stale = await post(own.http, 'm', { body: [step1(client.doc)], cursor: client.cursor, wait: 50 })
  assert.equal(stale.status, 200)
  assert.ok(stale.messages[0].step2)
})

test('presence does not end a wait, and comes with what does', async t => {
  const id = roomId('presence')
  const ada = await join(t, server, id)
  const bob = poller(t, id)
  await bob.poll()
  const waits = bob.poll({ wait: 50 })
  await waiting()
  let ended = false
  waits.then(() => { ended = true })
  ada.awareness.setLocalState({ name: 'Ada' })
  const carol = await join(t, server, id)
  await until('somebody else has been told', () => carol.awareness.getStates().get(ada.doc.clientID)?.name === 'Ada')
  assert.equal(ended, false)
  ada.doc.getText('text').insert(0, 'x')
  await waits
  assert.equal(bob.awareness.getStates().get(ada.doc.clientID)?.name, 'Ada')
  ada.provider.destroy()
  await until('somebody else has been told', () => !carol.awareness.getStates().has(ada.doc.clientID))
  await bob.poll()
  assert.ok(!bob.awareness.getStates().has(ada.doc.clientID), 'a poll is also told who went')
  const alone = await bob.poll({ wait: 1 })
  assert.equal(alone.status, 204)
})

test('who polls is seen for a while, until they say that they go', async t => {
  const id = roomId('shown')
  const ada = await join(t, server, id)
  const [bob, carol] = [poller(t, id), poller(t, id)]
  await bob.show({ name: 'Bob' })
  await carol.show({ name: 'Carol' })
  const names = () => [...ada.awareness.getStates().values()].map(state => state.name).filter(Boolean).sort()
  await until('both are seen', () => names().length === 2)
  bob.awareness.setLocalState(null)
  await post(server.http, id, { body: [presence(bob.awareness)] })
  await until('one has gone', () => names().join() === 'Carol')
  // Nothing more is heard of Carol.
  await until('the other one is forgotten', () => names().length === 0, { deadline_ms: 60_000 })
})

test('a cursor that is of no use is answered at once by the state vector', async t => {
  const id = roomId('cursor')
  const [ada, other] = [await join(t, server, id), poller(t, roomId('other'))]
  ada.doc.getText('text').insert(0, 'abcdef')
  await published(t, server, id, toJSON(ada.doc))
  const bob = poller(t, id)
  await bob.poll()
  await other.poll()
  const old = bob.cursor
  // A deletion, which no state vector shows.
  ada.doc.getText('text').delete(1, 2)
  await published(t, server, id, toJSON(ada.doc))
  for (const cursor of ['nonsense', other.cursor, `${old}0000`, old.replace(/^./, old[0] === '0' ? '1' : '0')]) {
    const answer = await post(server.http, id, { body: [step1(bob.doc)], cursor, wait: 50 })
    assert.equal(answer.status, 200, cursor)
    const doc = new Y.Doc()
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(bob.doc))
    Y.applyUpdate(doc, answer.messages[0].step2)
    assert.equal(text(doc), 'adef', cursor)
  }
  const whole = await post(server.http, id, { cursor: 'nonsense' })
  const doc = new Y.Doc()
  Y.applyUpdate(doc, whole.messages[0].step2)
  assert.equal(text(doc), 'adef', 'all of it for who shows no vector')
  // Beyond what the ring holds.
  for (let n = 0; n < 1500; n++) {
    ada.doc.getText('text').insert(0, 'x')
    if (n % 50 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  ada.awareness.setLocalState({})
  await published(t, server, id, toJSON(ada.doc))
  await bob.poll()
  assert.equal(text(bob.doc), text(ada.doc))
})

test('an edit that lacks an earlier one is not durable before that comes', async t => {
  const id = roomId('hole')
  const doc = new Y.Doc()
  const [first, second] = updatesOf(doc, it => it.insert(0, 'one '), it => it.insert(4, 'two'))
  const answer = await post(server.http, id, { body: [update(second)] })
  assert.deepEqual([answer.status, answer.durable], [200, 0])
  assert.deepEqual([...answer.messages.find(message => message.step1).step1], [0], 'the server has nothing, and says so')
  const both = await post(server.http, id, { body: [update(first), update(second)], cursor: answer.cursor })
  assert.equal(both.durable, 2)
  const read = poller(t, id)
  await read.poll()
  assert.equal(text(read.doc), 'one two')
})

test('what cannot be read is refused as a whole', async t => {
  const id = roomId('bad')
  const [edit] = updatesOf(new Y.Doc(), it => it.insert(0, 'x'))
  const good = bundle([update(edit)])
  for (const [what, status, code, request] of [
    ['a wait that is too long', 422, 'validation_failed', { wait: 56 }],
    ['a wait that is no number', 422, 'validation_failed', { wait: 'soon' }],
    ['a wait before now', 422, 'validation_failed', { wait: -1 }],
    ['a good message and a bad one', 400, 'malformed_message', { body: Buffer.concat([good, Buffer.from([2, 9, 9])]) }],
    ['a message that is cut off', 400, 'malformed_message', { body: good.subarray(0, good.length - 1) }],
    ['an update that is none', 400, 'malformed_message', { body: bundle([update(new Uint8Array([1, 2, 3]))]) }],
    ['JSON', 415, 'unsupported_media_type', { body: good, headers: { 'content-type': 'application/json' } }],
    ['no type', 415, 'unsupported_media_type', { body: good, headers: { 'content-type': '' } }],
    ['an id that is none', 400, 'invalid_graph_id', { body: good, id: 'a b' }],
    ['more than may come at once', 413, 'payload_too_large', { body: new Uint8Array(1 << 20) }],
    ['more than one message may hold', 413, 'message_too_large', { body: bundle([update(updatesOf(new Y.Doc(), it => it.insert(0, 'x'.repeat(70_000)))[0])]) }]
  ]) {
    const { id: other = id, ...rest } = request
    const answer = await post(server.http, encodeURIComponent(other), rest)
    assert.deepEqual([answer.status, answer.error?.code], [status, code], what)
    assert.ok(answer.error.message.length > 10 && answer.headers.has('x-request-id'), what)
  }
  const read = poller(t, id)
  await read.poll()
  assert.equal(text(read.doc), '', 'nothing of any of them was taken')
})

test('a map that is deleted ends the wait', async t => {
  const id = roomId('deleted')
  const bob = poller(t, id)
  await bob.poll()
  const waits = bob.poll({ wait: 50 })
  await waiting()
  assert.equal((await server.request('DELETE', `/v1/graphs/${id}`)).status, 204)
  const answer = await waits
  assert.deepEqual([answer.status, answer.error.code], [410, 'gone'])
  assert.ok(answer.headers.has('x-process-time') && answer.headers.has('x-request-id'))
  assert.equal((await bob.poll()).status, 410)
})

test('a stopped server answers who waits, and loses nothing', async t => {
  const own = await Server.start(t, { env: { SYNAPTI_SHUTDOWN_GRACE: '5' } })
  const client = new Poller(own.http, 'm')
  t.after(() => client.destroy())
  await client.poll()
  const waits = client.poll({ wait: 50 })
  await until('a poll waits', async () => /^synapti_polls_waiting 1/m.test((await own.request('GET', '/metrics')).text))
  const stopped = own.stop()
  assert.equal((await waits).status, 204)
  assert.deepEqual(await stopped, { code: 0, signal: null })
})
