/** `synapti.v1`: who asks for it is told which edits are on disk, and hears news about the connection. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { connect, freshJSON, join, roomId, synced } from '../lib/client.mjs'
import { initMap } from '../lib/map.mjs'
import { ACK, NOTICE, RawClient, step2, update } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after }, { restartable: true, env: { SYNAPTI_SHUTDOWN_GRACE: '1' } })
const EMPTY_UPDATE = new Uint8Array([0, 0])

/** A document whose edits are handed out one by one. */
const author = () => {
  const doc = new Y.Doc()
  const edits = []
  doc.on('update', edit => edits.push(edit))
  return { doc, edits, edit: (key, value = key) => { doc.getMap('nodes').set(key, value); return edits.at(-1) } }
}

const isAck = edits => message => message.type === ACK && message.count >= edits
const acks = client => client.messages.filter(({ type }) => type === ACK).map(({ count }) => count)

test('acknowledgements count every Update and SyncStep2, and only grow', async t => {
  const id = roomId('counted')
  const ada = author()
  const client = await RawClient.open(t, server, id, { protocols: ['synapti.v1'] })
  assert.equal(client.socket.protocol, 'synapti.v1')
  client.send(step2(EMPTY_UPDATE))
  await client.message('the empty answer is acknowledged', isAck(1))
  for (let n = 0; n < 50; n++) client.send(update(ada.edit(`n${n}`)))
  client.send(step2(Y.encodeStateAsUpdate(ada.doc)), update(EMPTY_UPDATE))
  await client.message('everything is acknowledged', isAck(53))
  assert.deepEqual(acks(client), acks(client).toSorted((a, b) => a - b))
  assert.equal(acks(client).at(-1), 53)
})

test('an acknowledged edit survives kill -9', async t => {
  const id = roomId('killed')
  const ada = author()
  const client = await RawClient.open(t, server, id, { query: '?ext=1' })
  for (let n = 0; n < 20; n++) {
    client.send(update(ada.edit(`n${n}`)))
    await client.message('it is acknowledged', isAck(n + 1))
  }
  await server.kill9()
  await server.start()
  assert.equal(Object.keys((await freshJSON(t, server, id)).nodes).length, 20)
})

test('an edit whose predecessor is missing is acknowledged when that has come', async t => {
  const id = roomId('hole')
  const ada = author()
  const [first, second, third] = ['a', 'b', 'c'].map(key => ada.edit(key))
  const client = await RawClient.open(t, server, id, { query: '?ext=1' })
  const other = await RawClient.open(t, server, id, { query: '?ext=1' })
  client.send(update(first))
  await client.message('the first is acknowledged', isAck(1))
  client.send(update(third))
  other.send(update(author().edit('bystander')))
  await other.message('others do not wait', isAck(1))
  assert.deepEqual(acks(client), [1])
  client.send(update(second))
  await client.message('both are acknowledged', isAck(3))
})

test('plain clients hear nothing of it', async t => {
  const id = roomId('plain')
  const plain = await RawClient.open(t, server, id, { protocols: ['y-sync'] })
  assert.equal(plain.socket.protocol, 'y-sync')
  const extended = await RawClient.open(t, server, id, { query: '?ext=1' })
  const ada = author()
  plain.send(update(ada.edit('a')))
  extended.send(update(author().edit('b')))
  await extended.message('the other one does', isAck(1))
  await plain.read()
  assert.deepEqual(Object.keys(plain.doc.getMap('nodes').toJSON()).sort(), ['a', 'b'])
  assert.ok(plain.messages.every(({ type }) => type !== ACK && type !== NOTICE))
})

test('the unmodified provider counts along over a reconnect', async t => {
  const id = roomId('provider')
  const ada = connect(t, server, id, { acks: true })
  await synced(ada)
  initMap(ada.doc, 'Counted')
  await until('it is acknowledged', () => ada.acked >= 2)
  ada.provider.ws.terminate()
  await until('the connection is known to be lost', () => !ada.provider.wsconnected)
  ada.acked = 0
  ada.doc.getMap('nodes').set('offline', 1)
  await until('what was made offline is acknowledged on the new connection', () => ada.acked >= 1)
  assert.equal((await freshJSON(t, server, id)).nodes.offline, 1)
})

test('a client that is sent away is told why in full, before', async t => {
  const id = roomId('gone')
  const ada = await join(t, server, id)
  initMap(ada.doc, 'Short-lived')
  await until('it is there', async () => (await server.request('GET', `/v1/graphs/${id}`)).status === 200)
  const client = await RawClient.open(t, server, id, { query: '?ext=1' })
  await client.read()
  assert.equal((await server.request('DELETE', `/v1/graphs/${id}`)).status, 204)
  assert.equal((await client.closeCode()).code, 4410)
  const { notice } = client.messages.findLast(({ type }) => type === NOTICE)
  assert.deepEqual([notice.kind, notice.code], ['error', 4410])
  assert.match(notice.message, /deleted/)
})

test('a node that goes says so', async t => {
  const client = await RawClient.open(t, server, roomId('draining'), { query: '?ext=1' })
  await client.read()
  const { code } = await server.stop()
  assert.equal(code, 0)
  assert.equal((await client.closeCode()).code, 1012)
  const draining = client.messages.find(({ type, notice }) => type === NOTICE && notice.kind === 'draining')
  assert.ok(draining.notice.reconnect_after_ms > 0)
  await server.start()
})
