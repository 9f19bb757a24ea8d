/** Who may come in, who may edit, and what happens while the server is too busy. */
import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import * as decoding from 'lib0/decoding'
import { applyAwarenessUpdate, Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { demand, forgetToken, giveToken, granted } from '../src/live/access.ts'
import { change, FakeSocket, greet, linkOf, newest, setUp } from './played-server.ts'

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln'
const OTHER = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln'

const kindOf = (): string => demand.value.kind

beforeEach(() => {
  forgetToken()
  granted()
})

test('without a token the connection is what it was; with one it is a subprotocol', async t => {
  const { socket } = await setUp(t)
  assert.deepEqual(socket.protocols, [])
  giveToken(JWT)
  const next = newest()
  assert.notEqual(next, socket)
  assert.deepEqual(next.protocols, ['synapti.v1', `bearer.${JWT}`])
  assert.equal(next.url, socket.url, 'the address has no token in it')
})

test('who is not let in is not tried again; with a token all that was changed is sent', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  giveToken(JWT)
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.ack(1)
  assert.equal(kindOf(), 'none')
  assert.equal(session.saved.value, 'saved')
  socket.notice({ kind: 'error', code: 4401, message: 'token expired' })
  socket.end(4401, 'token expired')
  assert.equal(linkOf(session), 'ended')
  assert.deepEqual(demand.value, { kind: 'wanted', why: 'token expired' })
  const count = FakeSocket.all.length
  t.mock.timers.tick(120_000)
  assert.equal(FakeSocket.all.length, count, 'there is no other try')
  assert.equal(session.isEditable.value, true)
  change(session)
  assert.equal(session.saved.value, 'unknown', 'and not saved')
  giveToken(OTHER)
  const next = newest()
  assert.deepEqual(next.protocols, ['synapti.v1', `bearer.${OTHER}`])
  assert.equal(kindOf(), 'checking')
  greet(next)
  assert.equal(kindOf(), 'none')
  assert.equal(session.saved.value, 'saving')
  next.ack(1)
  assert.equal(session.saved.value, 'saved')
})

test('a token that is not taken either is answered for; a server that cannot be reached is no answer', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { session, socket } = await setUp(t)
  socket.open()
  socket.end(4401, 'sign in')
  assert.deepEqual(demand.value, { kind: 'wanted', why: null })
  giveToken(JWT)
  newest().open()
  newest().end(4401, 'bad signature')
  assert.equal(linkOf(session), 'ended')
  assert.equal(kindOf(), 'wanted')
  giveToken(OTHER)
  newest().end(1006)
  assert.equal(kindOf(), 'none')
  assert.equal(linkOf(session), 'lost')
  t.mock.timers.tick(1000)
  greet(newest())
  assert.equal(linkOf(session), 'live')
})

test('another token while all is well makes another connection, and presence is newer than the farewell', async t => {
  const { session, socket } = await setUp(t)
  greet(socket)
  session.presence.select('a')
  const other = new Awareness(new Y.Doc())
  t.after(() => other.destroy())
  const hear = (from: FakeSocket) => {
    for (const message of from.sent) if (message[0] === 1) applyAwarenessUpdate(other, decoding.readVarUint8Array(decoding.createDecoder(message.subarray(1))), null)
  }
  hear(socket)
  const isSeen = () => other.getStates().get(session.doc.clientID)?.['selected'] === 'a'
  assert.ok(isSeen())
  giveToken(JWT)
  assert.notEqual(newest(), socket)
  assert.equal(linkOf(session), 'connecting')
  hear(socket)
  assert.ok(!isSeen(), 'the farewell')
  greet(newest())
  assert.equal(linkOf(session), 'live')
  hear(newest())
  assert.ok(isSeen())
})

test('a deleted map stays deleted, whoever comes', async t => {
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.end(4410)
  const before = FakeSocket.all.length
  giveToken(JWT)
  assert.equal(FakeSocket.all.length, before)
  assert.equal(linkOf(session), 'ended')
  assert.equal(kindOf(), 'none')
})

test('roles: who may read only, and that a server without roles lets everybody edit', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { session, socket } = await setUp(t)
  const expected = { viewer: false, commenter: false, editor: true, owner: true }
  assert.equal(session.isEditable.value, true)
  for (const [role, isEditable] of Object.entries(expected)) {
    socket.notice({ kind: 'role', role })
    assert.equal(session.isEditable.value, isEditable, role)
  }
  socket.notice({ kind: 'role', role: 'viewer' })
  for (const notice of [{ kind: 'role' }, { kind: 'role', role: 'emperor' }, { kind: 'role', role: 7 }]) socket.notice(notice)
  assert.equal(session.rights.role.value, 'viewer')
  greet(socket)
  socket.end(1006)
  assert.equal(session.isEditable.value, false, 'what was true is true until something else is said')
  t.mock.timers.tick(1000)
  greet(newest())
  assert.equal(session.isEditable.value, true)
})

test('changes that are refused are said to be, and are never called saved', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { session, socket } = await setUp(t)
  change(session)
  greet(socket)
  socket.deny('you may only read this map')
  assert.equal(session.rights.refusal.value, 'you may only read this map')
  assert.equal(session.isEditable.value, false)
  assert.equal(session.saved.value, 'refused')
  socket.ack(1)
  assert.equal(session.saved.value, 'refused')
  socket.end(1006)
  t.mock.timers.tick(1000)
  greet(newest())
  assert.equal(session.isEditable.value, false, 'nothing was taken yet')
  newest().ack(1)
  assert.equal(session.saved.value, 'saved')
  assert.equal(session.rights.refusal.value, null, 'whoever got the right to edit')
  assert.equal(session.isEditable.value, true)
})

test('a busy server is left alone until it wants to be asked again; edits go on here', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  t.mock.method(Math, 'random', () => 0)
  const { session, socket } = await setUp(t)
  greet(socket)
  socket.ack(1)
  assert.equal(session.asOf.value, null)
  socket.notice({ kind: 'fallback', transport: 'poll', retry_after_ms: 20_000 })
  socket.end(4503)
  const { value: link } = session.link
  assert.ok(link.kind === 'busy')
  const inSeconds = (link.at.getTime() - Date.now()) / 1000
  assert.ok(inSeconds > 15 && inSeconds <= 20, `${inSeconds}`)
  assert.ok(session.asOf.value !== null)
  change(session)
  assert.equal(session.saved.value, 'unknown')
  t.mock.timers.tick(19_999)
  assert.equal(newest(), socket)
  t.mock.timers.tick(1)
  assert.notEqual(newest(), socket)
  // Turned away at the door: what is shown is still of the same time.
  const { value: asOf } = session.asOf
  newest().open()
  newest().notice({ kind: 'fallback', transport: 'poll', retry_after_ms: 1000 })
  newest().end(4503)
  assert.equal(session.asOf.value, asOf)
  t.mock.timers.tick(1000)
  greet(newest())
  newest().ack(1)
  assert.equal(linkOf(session), 'live')
  assert.equal(session.asOf.value, null)
  assert.equal(session.saved.value, 'saved')
})

test('who is sent away for too much comes back ever later', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  t.mock.method(Math, 'random', () => 0)
  const { session, socket } = await setUp(t)
  for (const pause_ms of [4000, 8000, 16_000]) {
    const current = newest()
    greet(current)
    current.end(1008, 'too many messages')
    const { value: link } = session.link
    assert.ok(link.kind === 'lost')
    assert.match(link.why, /too many messages/)
    t.mock.timers.tick(pause_ms - 1)
    assert.equal(newest(), current)
    t.mock.timers.tick(1)
    assert.notEqual(newest(), current)
  }
  assert.notEqual(newest(), socket)
})
