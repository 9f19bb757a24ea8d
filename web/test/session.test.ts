/** A session with the real provider over a socket whose server is played by the test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as encoding from 'lib0/encoding'
import * as sync from 'y-protocols/sync'
import * as Y from 'yjs'
import { RECOVERED_FOR_MS } from '../src/live/notices.ts'
import { change, greet, linkOf, newest, setUp } from './played-server.ts'

test('the session asks for acknowledgements, and counts what the provider sends', async t => {
  const { session, socket } = await setUp(t)
  assert.equal(socket.url, 'wss://maps.example/v1/ws/m?ext=1')
  change(session)
  assert.equal(session.saved.value, 'unknown')
  greet(socket)
  assert.equal(linkOf(session), 'live')
  assert.equal(session.saved.value, 'saving', 'the handshake is answered; nothing is acknowledged')
  socket.ack(1)
  assert.equal(session.saved.value, 'saved')
  change(session)
  change(session)
  socket.ack(2)
  assert.equal(session.saved.value, 'saving')
  socket.ack(3)
  assert.equal(session.saved.value, 'saved')
  // What others send is applied and not sent back.
  const other = new Y.Doc()
  other.getMap('meta').set('other', 1)
  socket.say(encoder => {
    encoding.writeVarUint(encoder, 0)
    sync.writeUpdate(encoder, Y.encodeStateAsUpdate(other))
  })
  assert.equal(session.doc.getMap('meta').get('other'), 1)
  assert.equal(session.saved.value, 'saved')
})

test('who waits for the last change to be saved is told, and not kept waiting for ever', async t => {
  const { session, socket } = await setUp(t)
  greet(socket)
  const waiting = session.whenSaved()
  socket.ack(1)
  assert.equal(await waiting, true)
  assert.equal(await session.whenSaved(), true)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  change(session)
  const inVain = session.whenSaved()
  t.mock.timers.tick(60_000)
  assert.equal(await inVain, false)
})

test('a change that falls between the end of a socket and the news of it is not called saved', async t => {
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.ack(1)
  socket.readyState = 2
  change(session)
  assert.equal(session.saved.value, 'saving')
  socket.end(1006)
  assert.equal(session.saved.value, 'unknown')
  assert.deepEqual(session.link.value, { kind: 'lost', why: 'the server cannot be reached; trying again' })
})

test('the count begins anew on each connection', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { session, socket } = await setUp(t)
  greet(socket)
  for (let edit = 0; edit < 5; edit++) change(session)
  socket.ack(3)
  socket.end(1006)
  assert.equal(session.saved.value, 'unknown')
  t.mock.timers.tick(1000)
  const next = newest()
  assert.notEqual(next, socket)
  greet(next)
  assert.equal(session.saved.value, 'saving')
  next.ack(1)
  assert.equal(session.saved.value, 'saved')
})

test('a server that cannot save says so, and when it can again', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.ack(1)
  socket.notice({ kind: 'saved' })
  assert.equal(session.notices.disk.value, 'well', 'nothing was wrong')
  socket.notice({ kind: 'unsaved' })
  assert.equal(session.notices.disk.value, 'failing')
  change(session)
  socket.ack(2)
  socket.notice({ kind: 'saved' })
  assert.equal(session.notices.disk.value, 'recovered')
  t.mock.timers.tick(RECOVERED_FOR_MS)
  assert.equal(session.notices.disk.value, 'well')
  socket.notice({ kind: 'unsaved' })
  socket.end(1006)
  t.mock.timers.tick(1000)
  assert.equal(session.notices.disk.value, 'well', 'a new connection has heard nothing')
})

test('a server that goes is left without alarm, and the page comes back when it was told to', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.notice({ kind: 'draining', reconnect_after_ms: 700 })
  assert.equal(linkOf(session), 'live')
  socket.end(1012)
  assert.equal(linkOf(session), 'moving')
  t.mock.timers.tick(699)
  assert.equal(newest(), socket)
  t.mock.timers.tick(1)
  assert.notEqual(newest(), socket)
  newest().end(1006)
  assert.equal(linkOf(session), 'lost', 'the second time it is a loss')
  t.mock.timers.tick(1000)
  greet(newest())
  assert.equal(linkOf(session), 'live')
})

test('the last words before the end take the place of what the code alone would say', async t => {
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.notice({ kind: 'error', code: 4413, message: 'this edit has 9 bytes, and 8 are allowed' })
  socket.end(4413, 'this edit ha')
  const link = session.link.value
  assert.ok(link.kind === 'ended')
  assert.equal(link.ending.advice, 'This edit has 9 bytes, and 8 are allowed. Your changes are kept in this browser.')
  assert.equal(link.ending.title, 'The map, or the last change, is too large for this server')
})

test('last words for another code, and notices that make no sense, change nothing', async t => {
  const { session, socket } = await setUp(t)
  greet(socket)
  for (const notice of ['', '{', 'null', '7', '[]', '{"kind":"news"}', '{"kind":"error","code":"4410"}', '{"kind":"draining","reconnect_after_ms":1e99}']) socket.notice(notice)
  assert.equal(session.notices.comeBackAfter_ms, 0, 'a draining server is one, however long it says')
  socket.notice({ kind: 'error', code: 4400, message: 'no' })
  socket.end(4410)
  const link = session.link.value
  assert.ok(link.kind === 'ended')
  assert.equal(link.ending.title, 'This map was deleted')
  assert.equal(link.ending.advice, 'Nobody can edit or restore it any more.')
})
