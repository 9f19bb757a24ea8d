/** What applications rely on in the provider, with this server behind it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { REQUIRED, join, leave, mapName, open, reads, saved, socket, token, write } from '../lib/people.mjs'

const server = await Server.start({ after })

/** Counts events of a provider: `{ message: 3, … }`. */
const counting = (emitter, names) => {
  const counts = Object.fromEntries(names.map(name => [name, 0]))
  for (const name of names) emitter.on(name, () => { counts[name] += 1 })
  return counts
}

test('callbacks and events of a connection', async t => {
  const called = {}
  const hook = name => [name, () => { called[name] = (called[name] ?? 0) + 1 }]
  const hooks = Object.fromEntries(['onOpen', 'onConnect', 'onMessage', 'onSynced', 'onDisconnect', 'onClose', 'onStatus', 'onDestroy'].map(hook))
  const ada = open(t, server, mapName('callbacks'), hooks)
  const events = counting(ada.provider, ['open', 'connect', 'message', 'synced', 'disconnect', 'close', 'status'])
  await saved(ada)
  for (const name of ['onOpen', 'onConnect', 'onSynced']) assert.equal(called[name], 1, name)
  for (const name of ['open', 'connect', 'synced']) assert.equal(events[name], 1, name)
  assert.ok(called.onMessage >= 3 && events.message >= 3)
  ada.socket.disconnect()
  await until('it is closed', () => called.onClose === 1 && events.close === 1)
  assert.deepEqual([called.onDisconnect ?? 0, events.disconnect], [1, 1])
})

test('what the provider says and hears, in order', async t => {
  const said = []
  const heard = []
  const ada = open(t, server, mapName('order'), {
    onOutgoingMessage: ({ message }) => said.push(message.description),
    onMessage: ({ message }) => heard.push([message.readVarString(), message.readVarUint(), message.readVarUint()].slice(1))
  })
  await saved(ada)
  assert.deepEqual(said.slice(0, 3), ['Authentication', 'First sync step', 'Awareness states update'])
  assert.deepEqual(heard[0], [2, 2], 'authenticated')
  const at = body => heard.findIndex(message => message[0] === body[0] && message[1] === body[1])
  assert.ok(at([0, 1]) < at([8, 1]), 'the state comes before the status of the handshake')
})

test('tokens come as strings, from functions and from promises', async t => {
  const guarded = await Server.start(t, { env: REQUIRED })
  const name = mapName('tokens')
  const good = token({ [name]: 'owner' })
  for (const shown of [good, () => good, async () => good]) {
    const ada = await join(t, guarded, name, { token: shown })
    assert.deepEqual(ada.heard.scopes, ['read-write'])
    leave(ada)
  }
  const failing = open(t, guarded, name, { token: async () => { throw new Error('no network') } })
  await until('it is told', () => /no network/.test(failing.heard.denied[0] ?? ''))
})

test('a document has no unsaved changes before and after, and has some in between', async t => {
  const ada = await join(t, server, mapName('unsaved'))
  assert.equal(ada.provider.hasUnsyncedChanges, false)
  const numbers = []
  ada.provider.on('unsyncedChanges', ({ number }) => numbers.push(number))
  write(ada, 'x')
  assert.equal(ada.provider.hasUnsyncedChanges, true)
  await saved(ada)
  write(ada, 'y')
  await saved(ada)
  assert.deepEqual(numbers, [1, 0, 1, 0])
})

test('observers are called once for each change, and not for its echo', async t => {
  const name = mapName('observed')
  const [ada, bob] = [await join(t, server, name), await join(t, server, name)]
  const calls = { own: 0, ownDeep: 0, other: 0 }
  ada.doc.getArray('list').observe(() => { calls.own += 1 })
  ada.doc.getMap('map').observeDeep(() => { calls.ownDeep += 1 })
  bob.doc.getMap('map').observe(() => { calls.other += 1 })
  ada.doc.getArray('list').insert(0, ['one'])
  ada.doc.getMap('map').set('a', 1)
  ada.doc.getMap('map').set('b', 2)
  ada.doc.transact(() => {
    ada.doc.getMap('map').set('c', 3)
    ada.doc.getMap('map').set('d', 4)
  })
  await until('Bob has it', () => bob.doc.getMap('map').get('d') === 4)
  await saved(ada)
  assert.deepEqual([calls.own, calls.ownDeep], [1, 3])
  assert.ok(calls.other >= 1)
})

test('presence: what comes from others is not sent back, what is one\'s own is', async t => {
  const name = mapName('echo')
  const said = []
  const ada = await join(t, server, name, { onOutgoingMessage: ({ message }) => said.push(message.description) })
  const changes = []
  ada.provider.on('awarenessChange', ({ states }) => changes.push(states.length))
  const updates = counting(ada.provider, ['awarenessUpdate'])
  const before = said.length
  const bob = await join(t, server, name)
  bob.provider.setAwarenessField('name', 'Bob')
  await until('Ada sees Bob', () => ada.provider.awareness.getStates().get(bob.doc.clientID)?.name === 'Bob')
  assert.ok(!said.slice(before).includes('Awareness states update'))
  ada.provider.setAwarenessField('name', 'Ada')
  await until('Bob sees Ada', () => bob.provider.awareness.getStates().get(ada.doc.clientID)?.name === 'Ada')
  assert.ok(said.slice(before).includes('Awareness states update'))
  leave(bob)
  await until('Ada sees him go', () => ada.provider.awareness.getStates().size === 1)
  assert.ok(changes.length >= 3 && changes.at(-1) === 1)
  assert.ok(updates.awarenessUpdate >= 3)
})

test('quick changes of presence are gathered', async t => {
  const name = mapName('pointer')
  const said = []
  const ada = await join(t, server, name, { flushDelay: 60, onOutgoingMessage: ({ message }) => said.push(message.description) })
  await until('the first presence is out', () => said.includes('Awareness states update'))
  const bob = await join(t, server, name)
  const before = said.length
  for (let x = 1; x <= 30; x++) ada.provider.setAwarenessField('x', x)
  await until('Bob sees the last', () => bob.provider.awareness.getStates().get(ada.doc.clientID)?.x === 30)
  assert.equal(said.slice(before).filter(description => description === 'Awareness states update').length, 1)
})

test('what waits for the connection is kept once where the newest counts', async t => {
  const shared = socket(t, server, { autoConnect: false })
  const names = [mapName('queue'), mapName('queue')]
  const people = names.map(name => open(t, server, name, { on: shared }))
  for (let at = 0; at < 5; at++) {
    people.forEach(person => person.provider.setAwarenessField('at', at))
    write(people[0], String(at))
    people[0].provider.sendStateless(String(at))
  }
  assert.equal(shared.messageQueue.length, 2 + 5 + 5, 'presence of each document, five updates, five stateless messages')
  shared.connect()
  await saved(...people)
  const reader = await join(t, server, names[0])
  await reads('01234', reader)
  await until('the last presence arrived', () => reader.provider.awareness.getStates().get(people[0].doc.clientID)?.at === 4)
})

test('a document that is destroyed is gone from presence, and its socket stays for the others', async t => {
  const shared = socket(t, server)
  const names = [mapName('one'), mapName('two')]
  const [one, two] = names.map(name => open(t, server, name, { on: shared }))
  const witness = await join(t, server, names[0])
  await saved(one, two)
  await until('the witness sees it', () => witness.provider.awareness.getStates().has(one.doc.clientID))
  leave(one)
  await until('and sees it go', () => !witness.provider.awareness.getStates().has(one.doc.clientID))
  assert.equal(shared.status, 'connected')
  write(two, 'x')
  await saved(two)
})
