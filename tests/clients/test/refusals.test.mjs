/** What the server refuses, how it says so, and that nobody else notices. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect as connectTcp } from 'node:net'
import { after, test } from 'node:test'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { connect, converged, freshJSON, join, leave, published, roomId } from '../lib/client.mjs'
import { toJSON } from '../lib/map.mjs'
import { RawClient, awareness, step1, step2, update } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { until, within } from '../lib/wait.mjs'

const server = await Server.start({ after })

const KIB = 1024

/** A document that encodes to a little more than `bytes`. */
const documentOf = bytes => {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'x'.repeat(bytes))
  return doc
}

/** Runs `offence` while two people work in the same room, and checks that they notice nothing. */
const undisturbed = async (t, offence) => {
  const id = roomId('calm')
  const [ada, bob] = [await join(t, server, id, { state: { name: 'Ada' } }), await join(t, server, id)]
  ada.doc.getText('text').insert(0, 'calm')
  await converged([ada, bob])
  const sockets = [ada.provider.ws, bob.provider.ws]
  const result = await offence(id)
  bob.doc.getText('text').insert(4, ' sea')
  const json = await converged([ada, bob])
  assert.equal(json.text, 'calm sea')
  assert.deepEqual([ada.provider.ws, bob.provider.ws], sockets, 'they kept their connections')
  assert.equal(bob.awareness.getStates().get(ada.doc.clientID)?.name, 'Ada')
  assert.deepEqual(await freshJSON(t, server, id), json)
  leave(ada)
  leave(bob)
  return result
}

const nested = depth => {
  // An update that sets a map key to arrays nested `depth` deep: lib0 Any tag 117 with one element each.
  const header = [1, 1, 7, 0, 0x28, 1, 1, 109, 1, 107, 1]
  return Uint8Array.from([...header, ...Array.from({ length: depth }, () => [117, 1]).flat(), 126, 0])
}

const MALFORMED = {
  'an empty message': new Uint8Array(0),
  'an unfinished type': new Uint8Array([0x80]),
  'a type beyond 2^53': new Uint8Array(Array(12).fill(0xFF)),
  'an unknown sync message': new Uint8Array([0, 9, 1, 0]),
  'a sync message without a body': new Uint8Array([0, 2]),
  'a body shorter than it says': new Uint8Array([0, 2, 200, 1, 0]),
  'a body that claims 2^52 bytes': new Uint8Array([0, 2, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x08]),
  'an update of garbage': update(new Uint8Array([7, 7, 7, 7, 7, 7])),
  'an empty update body': update(new Uint8Array(0)),
  'an update that claims a hundred million structs': update(new Uint8Array([1, 0xFF, 0xFF, 0xFF, 0x7F, 1, 0])),
  'an update that claims a hundred million clients': update(new Uint8Array([0xFF, 0xFF, 0xFF, 0x7F, 0])),
  'an update cut short': update(Y.encodeStateAsUpdate(documentOf(50)).slice(0, 30)),
  'a Step2 cut short': step2(Y.encodeStateAsUpdate(documentOf(50)).slice(0, 30)),
  'values nested ten thousand deep': update(nested(10_000)),
  'a state vector of garbage': step1(new Uint8Array([5, 1])),
  'a state vector that claims a hundred million clients': step1(new Uint8Array([0xFF, 0xFF, 0xFF, 0x7F])),
  'awareness without a body': new Uint8Array([1]),
  'awareness that claims a million entries': new Uint8Array([1, 3, 0xC0, 0x84, 0x3D]),
  'awareness that is no JSON': new Uint8Array([1, 6, 1, 1, 1, 2, 0x7B, 0x7B]),
  'awareness that is no UTF-8': new Uint8Array([1, 6, 1, 1, 1, 2, 0xC3, 0x28]),
  'a text frame': 'hello'
}

for (const [what, bytes] of Object.entries(MALFORMED)) {
  test(`${what}: 4400 with a reason`, async t => {
    const { code, reason } = await undisturbed(t, async id => {
      const raw = await RawClient.open(t, server, id)
      raw.send(bytes)
      return raw.closeCode()
    })
    assert.equal(code, 4400)
    assert.ok(reason.length > 0, 'it says why')
  })
}

test('values nested ten deep are fine', async t => {
  const raw = await RawClient.open(t, server, roomId('nested'))
  raw.send(update(nested(10)))
  const value = (await raw.read()).getMap('m').get('k')
  assert.equal(JSON.stringify(value), '[[[[[[[[[[null]]]]]]]]]]')
})

test('what came before a malformed message on the same connection is kept', async t => {
  const id = roomId('before')
  const raw = await RawClient.open(t, server, id)
  raw.send(update(Y.encodeStateAsUpdate(documentOf(3))), new Uint8Array([0, 9]))
  assert.equal((await raw.closeCode()).code, 4400)
  assert.equal((await freshJSON(t, server, id)).text, 'xxx')
})

test('a provider that is refused stops', async t => {
  const client = await join(t, server, roomId('stop'))
  const closed = new Promise(resolve => client.provider.once('closed', resolve))
  client.provider.ws.send(new Uint8Array([0, 9]))
  assert.equal((await within('the provider gives up', closed)).code, 4400)
  assert.equal(client.provider.shouldConnect, false)
})

test('hostile byte streams after the upgrade disturb nobody', async t => {
  const { streams } = JSON.parse(readFileSync(new URL('../data/websocket-streams.json', import.meta.url), 'utf8'))
  await undisturbed(t, async id => {
    for (const stream of streams) await throwAt(id, Buffer.from(stream, 'base64'))
  })
})

/** Upgrades by hand, writes the bytes, says goodbye and waits until the server is done with it. */
const throwAt = async (id, bytes) => {
  const socket = connectTcp(server.port, '127.0.0.1')
  socket.on('error', () => {})
  const ended = new Promise(resolve => socket.once('close', resolve))
  socket.write(`GET /v1/ws/${id} HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n')
  await within('the upgrade is answered', new Promise(resolve => socket.once('data', resolve)))
  socket.resume()
  socket.end(bytes)
  await within('the server closes the connection', ended)
}

test('a frame header that claims an exabyte is refused at once', async t => {
  await undisturbed(t, id => throwAt(id, Buffer.from([0x82, 0xFF, 0x0F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4])))
})

test('a message in many fragments, with pings in between, is one message', async t => {
  const id = roomId('fragments')
  const raw = await RawClient.open(t, server, id)
  const bytes = update(Y.encodeStateAsUpdate(documentOf(100)))
  for (let at = 0; at < bytes.length; at += 10) {
    raw.socket.send(bytes.subarray(at, at + 10), { binary: true, fin: at + 10 >= bytes.length })
    raw.socket.ping()
  }
  assert.equal((await raw.read()).getText('text').length, 100)
})

test('a graph id outside of the rule is refused', async t => {
  for (const id of ['a%20b', 'x'.repeat(129), '%C3%A4', 'a%2Fb', 'a!b', 'a%00']) {
    const refusal = await RawClient.knock(t, server, id)
    assert.ok(refusal.status === 400 || refusal.code === 4400, `${id}: refused with ${refusal.code ?? refusal.status}`)
  }
  const longest = await join(t, server, 'A-z.0_9~'.repeat(16))
  longest.doc.getText('text').insert(0, 'fine')
  assert.equal(longest.provider.wsconnected, true)
})

test('a deleted graph: 4410 to those inside and to those who come, and providers stop', async t => {
  const id = roomId('deleted')
  const ada = await join(t, server, id)
  ada.doc.getText('text').insert(0, 'doomed')
  await published(t, server, id, toJSON(ada.doc))
  const closed = new Promise(resolve => ada.provider.once('closed', resolve))
  assert.equal((await server.request('DELETE', `/v1/graphs/${id}`)).status, 204)
  assert.equal((await within('the provider gives up', closed)).code, 4410)
  assert.equal(ada.provider.shouldConnect, false)

  const late = connect(t, server, id)
  assert.equal((await within('the late one is told', new Promise(resolve => late.provider.once('closed', resolve)))).code, 4410)
  ada.provider.connect()
  assert.equal((await within('the first one is told again', new Promise(resolve => ada.provider.once('closed', resolve)))).code, 4410)
  assert.equal((await server.request('GET', `/v1/graphs/${id}`)).status, 410)
})

test('limits: too large is 4413', async t => {
  const small = await Server.start(t, {
    env: {
      SYNAPTI_LIMITS_MESSAGE_BYTES_MAX: String(64 * KIB),
      SYNAPTI_LIMITS_SYNC_BYTES_MAX: String(256 * KIB),
      SYNAPTI_LIMITS_DOCUMENT_BYTES_MAX: String(512 * KIB)
    }
  })
  const id = roomId('limits')
  const watcher = await join(t, small, id)

  const fitting = await RawClient.open(t, small, id)
  fitting.send(update(Y.encodeStateAsUpdate(documentOf(60 * KIB))), step2(Y.encodeStateAsUpdate(documentOf(200 * KIB))))
  await until('both arrive', () => watcher.doc.getText('text').length === 260 * KIB)

  for (const [what, frame] of [
    ['an update', update(Y.encodeStateAsUpdate(documentOf(100 * KIB)))],
    ['a Step2', step2(Y.encodeStateAsUpdate(documentOf(300 * KIB)))],
    ['awareness', awareness([{ client: 5, clock: 1, state: { name: 'x'.repeat(100 * KIB) } }])]
  ]) {
    const raw = await RawClient.open(t, small, id)
    raw.send(frame)
    const { code, reason } = await raw.closeCode()
    assert.equal(code, 4413, what)
    assert.ok(reason.length > 0)
  }
  assert.equal(watcher.provider.wsconnected, true)
  assert.equal(watcher.doc.getText('text').length, 260 * KIB)

  // The map itself is bounded too: the writer that would exceed it is told.
  const greedy = await RawClient.open(t, small, id)
  greedy.send(...Array.from({ length: 4 }, () => step2(Y.encodeStateAsUpdate(documentOf(100 * KIB)))))
  assert.equal((await greedy.closeCode()).code, 4413, 'the map')
  const reader = await join(t, small, id)
  assert.ok(reader.doc.getText('text').length <= 512 * KIB)
  assert.ok(reader.doc.getText('text').length >= 260 * KIB)
})

test('limits: too many connections are turned away, and let in when there is room again', async t => {
  const crowded = await Server.start(t, { env: { SYNAPTI_LIMITS_MAX_CONNECTIONS: '3', SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_ROOM: '2' } })
  const [room, other] = [roomId('crowded'), roomId('empty')]
  const inside = [await RawClient.open(t, crowded, room), await RawClient.open(t, crowded, room)]
  await inside[1].read()

  const expectBusy = answer => assert.ok([1008, 1013].includes(answer.code) || answer.status === 503, `refused with ${answer.code ?? answer.status}`)
  expectBusy(await RawClient.knock(t, crowded, room))
  const third = await RawClient.open(t, crowded, other)
  await third.read()
  expectBusy(await RawClient.knock(t, crowded, other))

  third.socket.close()
  await third.closeCode()
  const next = await until('there is room again', async () => (await RawClient.knock(t, crowded, other)).client)
  assert.equal(next.socket.readyState, WebSocket.OPEN)
})
