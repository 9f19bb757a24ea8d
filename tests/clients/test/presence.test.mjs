/** Who is here: names, cursors, and that they disappear with their owner. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect, cut, join, leave, roomId, synced } from '../lib/client.mjs'
import { AWARENESS, RawClient, awareness, step1 } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

/** What `client` knows of the person at `other`. */
const stateOf = (client, other) => client.awareness.getStates().get(other.doc.clientID)

const sees = (client, other, name) => until(`${name} is seen`, () => stateOf(client, other)?.name === name, {
  detail: () => Object.fromEntries(client.awareness.getStates())
})

const gone = (client, other) => until('the other one is gone', () => stateOf(client, other) === undefined)

const isAwareness = ({ type }) => type === AWARENESS

test('names appear at the others, also at those who come later', async t => {
  const id = roomId('names')
  const ada = await join(t, server, id, { state: { name: 'Ada', cursor: { x: 1.5, y: -2 } } })
  const bob = await join(t, server, id, { state: { name: 'Bob' } })
  await sees(ada, bob, 'Bob')
  await sees(bob, ada, 'Ada')
  assert.deepEqual(stateOf(bob, ada), { name: 'Ada', cursor: { x: 1.5, y: -2 } })
  ada.awareness.setLocalStateField('name', 'Ada Lovelace 👩‍💻')
  await sees(bob, ada, 'Ada Lovelace 👩‍💻')
  const late = await join(t, server, id)
  await sees(late, ada, 'Ada Lovelace 👩‍💻')
  await sees(late, bob, 'Bob')
})

test('the newest of many quick changes is what the others see in the end', async t => {
  const id = roomId('cursor')
  const [ada, bob] = [await join(t, server, id, { state: { name: 'Ada' } }), await join(t, server, id)]
  for (let x = 0; x <= 500; x++) ada.awareness.setLocalStateField('cursor', x)
  await until('the last cursor is seen', () => stateOf(bob, ada)?.cursor === 500)
})

test('a person who leaves disappears', async t => {
  const id = roomId('leaving')
  const [ada, bob] = [await join(t, server, id, { state: { name: 'Ada' } }), await join(t, server, id, { state: { name: 'Bob' } })]
  await sees(ada, bob, 'Bob')
  leave(bob)
  await gone(ada, bob)
})

test('a person whose socket is destroyed disappears', async t => {
  const id = roomId('destroyed')
  const ada = await join(t, server, id, { state: { name: 'Ada' } })
  const bob = await join(t, server, id, { state: { name: 'Bob' } })
  await sees(ada, bob, 'Bob')
  bob.provider.shouldConnect = false
  cut(bob)
  await gone(ada, bob)
})

test('a removal that was heard of does not come back with a later joiner', async t => {
  const id = roomId('ghost')
  const [ada, bob] = [await join(t, server, id, { state: { name: 'Ada' } }), await join(t, server, id, { state: { name: 'Bob' } })]
  await sees(ada, bob, 'Bob')
  bob.provider.disconnect()
  await gone(ada, bob)
  const late = await join(t, server, id)
  await sees(late, ada, 'Ada')
  assert.equal(stateOf(late, bob), undefined)
})

test('a person comes back after a lost connection', async t => {
  const id = roomId('back')
  const ada = await join(t, server, id, { state: { name: 'Ada' } })
  const bob = await join(t, server, id, { state: { name: 'Bob' } })
  await sees(ada, bob, 'Bob')
  cut(bob)
  await gone(ada, bob)
  await synced(bob)
  await sees(ada, bob, 'Bob')
  await sees(bob, ada, 'Ada')
})

test('a client hears its own presence, which keeps its connection alive', async t => {
  const raw = await RawClient.open(t, server, roomId('echo'))
  raw.send(step1(), awareness([{ client: 4711, clock: 3, state: { name: 'Raw' } }]))
  const { entries } = await raw.message('the own presence comes back', message =>
    isAwareness(message) && message.entries.some(entry => entry.client === 4711))
  assert.deepEqual(entries.find(entry => entry.client === 4711), { client: 4711, clock: 3, state: { name: 'Raw' } })
})

test('clocks are kept, and an older one changes nothing', async t => {
  const id = roomId('clocks')
  const [raw, watcher] = [await RawClient.open(t, server, id), await join(t, server, id)]
  raw.send(awareness([{ client: 9, clock: 7, state: { name: 'seven' } }]))
  await until('clock 7 is seen', () => watcher.awareness.meta.get(9)?.clock === 7)
  raw.send(awareness([{ client: 9, clock: 5, state: { name: 'five' } }]))
  raw.send(awareness([{ client: 9, clock: 8, state: { name: 'eight' } }]))
  await until('clock 8 is seen', () => watcher.awareness.meta.get(9)?.clock === 8)
  assert.deepEqual(watcher.awareness.getStates().get(9), { name: 'eight' })
})

test('queryAwareness is answered with everybody', async t => {
  const id = roomId('query')
  const ada = await join(t, server, id, { state: { name: 'Ada' } })
  const raw = await RawClient.open(t, server, id)
  await raw.read()
  const from = raw.messages.length
  raw.send(new Uint8Array([3]))
  const { entries } = await raw.message('the answer lists Ada', message =>
    isAwareness(message) && message.entries.some(entry => entry.client === ada.doc.clientID), from)
  assert.equal(entries.find(entry => entry.client === ada.doc.clientID).state.name, 'Ada')
})

test('somebody else\'s relay neither kills nor steals a presence, and is not punished', async t => {
  const id = roomId('relay')
  const ada = await join(t, server, id, { state: { name: 'Ada' } })
  const watcher = await join(t, server, id)
  await sees(watcher, ada, 'Ada')
  const { clientID } = ada.doc
  const { clock } = watcher.awareness.meta.get(clientID)

  const relay = await RawClient.open(t, server, id)
  relay.send(
    awareness([{ client: 1234, clock: 1, state: { name: 'Relay' } }]),
    awareness([{ client: clientID, clock, state: { name: 'Ada' } }]),
    awareness([{ client: clientID, clock: clock + 50, state: { name: 'stolen' } }]),
    awareness([{ client: clientID, clock: clock + 60, state: null }]),
    awareness([{ client: 1234, clock: 2, state: { name: 'Relay, done' } }])
  )
  await until('the relay\'s own presence is seen', () => watcher.awareness.getStates().get(1234)?.name === 'Relay, done')
  assert.equal(stateOf(watcher, ada)?.name, 'Ada')
  ada.awareness.setLocalStateField('mood', 'fine')
  await until('Ada goes on', () => stateOf(watcher, ada)?.mood === 'fine')
  relay.socket.terminate()
  await until('the relay is gone', () => !watcher.awareness.getStates().has(1234))
  assert.equal(stateOf(watcher, ada)?.mood, 'fine', 'the relay takes nobody with it')
})

test('presence reaches nobody in other rooms and leaves no trace in the map', async t => {
  const [ada, eve] = [await join(t, server, roomId('here'), { state: { name: 'Ada' } }), await join(t, server, roomId('there'))]
  const bob = connect(t, server, ada.provider.roomname, { state: { name: 'Bob' } })
  await sees(bob, ada, 'Ada')
  assert.equal(stateOf(eve, ada), undefined)
  assert.equal(ada.doc.store.clients.size, 0)
})
