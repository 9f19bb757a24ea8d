/** Several people edit one map: what one does, the others see. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { connect, converged, cut, freshJSON, join, leave, published, roomId, synced } from '../lib/client.mjs'
import { addEdge, addNode, initMap, nodeOf, toJSON, typeInto } from '../lib/map.mjs'
import { Random, freshSeed } from '../lib/random.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

test('two clients see each other\'s edits', async t => {
  const id = roomId('pair')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, 'Gardens')
  await until('Bob sees the root', () => bob.doc.getMap('nodes').has('root'))
  assert.equal(nodeOf(bob.doc, 'root').get('title').toString(), 'Gardens')

  addNode(bob.doc, { id: 'soil', title: '', parent: 'root', order: 'a1' })
  typeInto(nodeOf(bob.doc, 'soil').get('title'), 'Soil & 🌱')
  addNode(ada.doc, { id: 'water', title: 'Water', parent: 'root', order: 'a2', pos: [4, 0.5, -2] })
  await converged([ada, bob])
  addEdge(ada.doc, { id: 'e1', source: 'water', target: 'soil', relationship: 'feeds', strength: 0.75 })
  const json = await converged([ada, bob])

  assert.deepEqual(json.meta, { schema: 1, topic: 'Gardens', root: 'root', created_at: '2026-01-01T00:00:00Z' })
  assert.deepEqual(Object.keys(json.nodes).sort(), ['root', 'soil', 'water'])
  assert.equal(json.nodes.soil.title, 'Soil & 🌱')
  assert.deepEqual(json.nodes.water.pos, [4, 0.5, -2])
  assert.deepEqual(json.edges, { e1: { source: 'water', target: 'soil', relationship: 'feeds', strength: 0.75 } })
  assert.deepEqual(await freshJSON(t, server, id), json)
})

test('two people type into one title at the same time', async t => {
  const id = roomId('typing')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, '')
  await until('Bob sees the root', () => bob.doc.getMap('nodes').has('root'))
  const type = async (client, word) => {
    const title = nodeOf(client.doc, 'root').get('title')
    for (const letter of word) {
      title.insert(title.length, letter)
      await new Promise(setImmediate)
    }
  }
  await Promise.all([type(ada, 'abcdefghij'.repeat(5)), type(bob, '0123456789'.repeat(5))])
  const { nodes } = await converged([ada, bob])
  assert.equal(nodes.root.title.replace(/\d/g, ''), 'abcdefghij'.repeat(5), 'each person\'s letters keep their order')
  assert.equal(nodes.root.title.replace(/\D/g, ''), '0123456789'.repeat(5))
})

test('edits made offline on both sides meet after reconnecting', async t => {
  const id = roomId('offline')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, 'Plans')
  addNode(ada.doc, { id: 'a', title: 'cat', parent: 'root' })
  addNode(ada.doc, { id: 'b', title: 'b', parent: 'root' })
  await converged([ada, bob])

  ada.provider.disconnect()
  bob.provider.disconnect()
  nodeOf(ada.doc, 'a').get('title').insert(0, 'big ')
  nodeOf(bob.doc, 'a').get('title').insert(3, 's')
  nodeOf(ada.doc, 'a').set('parent', 'b')
  nodeOf(bob.doc, 'b').set('parent', 'a')
  addNode(ada.doc, { id: 'from-ada', title: 'x', parent: 'a' })
  addNode(bob.doc, { id: 'from-bob', title: 'y', parent: 'b' })
  ada.doc.getText('text').insert(0, 'ada')
  bob.doc.getText('text').insert(0, 'bob')
  bob.doc.getMap('edges').set('gone', new Y.Map())
  bob.doc.getMap('edges').delete('gone')
  ada.provider.connect()
  await synced(ada)
  bob.provider.connect()
  await synced(bob)

  const json = await converged([ada, bob])
  assert.equal(json.nodes.a.title, 'big cats')
  assert.deepEqual([json.nodes.a.parent, json.nodes.b.parent], ['b', 'a'], 'a cycle is data like any other')
  assert.ok(json.nodes['from-ada'] && json.nodes['from-bob'])
  assert.equal(json.text.length, 6)
  assert.deepEqual(json.edges, {})
  assert.deepEqual(await freshJSON(t, server, id), json)
})

test('a deletion made offline reaches a client that has no other news', async t => {
  const id = roomId('deletion')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, 'Deletions')
  addNode(ada.doc, { id: 'a', title: 'doomed', parent: 'root' })
  await converged([ada, bob])
  ada.provider.disconnect()
  ada.doc.getMap('nodes').delete('a')
  ada.provider.connect()
  await until('Bob sees the deletion', () => !bob.doc.getMap('nodes').has('a'))
  assert.ok(!('a' in (await freshJSON(t, server, id)).nodes))
})

test('fifty clients edit one map', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const id = roomId('fifty')
  const first = await join(t, server, id)
  initMap(first.doc, 'Fifty')
  const clients = [first, ...Array.from({ length: 49 }, () => connect(t, server, id))]
  await synced(...clients)

  const rounds = 8
  for (let round = 0; round < rounds; round++) {
    for (const [index, client] of random.shuffle(Array.from(clients.entries()))) {
      addNode(client.doc, { id: `n${index}-${round}`, title: `node ${index}`, parent: 'root', order: `a${index}` })
      const ids = Array.from(client.doc.getMap('nodes').keys())
      nodeOf(client.doc, random.pick(ids)).set('parent', random.pick(ids))
      client.doc.getText('text').insert(random.int(client.doc.getText('text').length + 1), 'x😀')
      client.doc.getArray('list').insert(random.int(client.doc.getArray('list').length + 1), [`${index}:${round}`])
      if (index % 10 === 0) await new Promise(setImmediate)
    }
    // A lost network now and then: these clients go on typing and come back by themselves.
    for (const client of clients) {
      if (random.chance(0.05) && client.provider.ws !== null) cut(client)
    }
    await new Promise(setImmediate)
  }

  const json = await converged(clients, { deadline_ms: 60_000 })
  assert.equal(Object.keys(json.nodes).length, 1 + 50 * rounds)
  assert.equal(json.list.length, 50 * rounds, 'every insert is there once')
  assert.equal(new Set(json.list).size, 50 * rounds)
  assert.equal(json.text.replaceAll('😀', '').replaceAll('\uFFFD', '').length, 50 * rounds)
  assert.deepEqual(await freshJSON(t, server, id), json)
})

test('two tabs join and leave two hundred times, with one edit each', async t => {
  const id = roomId('tabs')
  const watcher = await join(t, server, id)
  const tab = async name => {
    for (let visit = 0; visit < 100; visit++) {
      const client = await join(t, server, id)
      client.doc.getMap('nodes').set(`${name}-${visit}`, visit)
      leave(client)
    }
  }
  await Promise.all([tab('left'), tab('right')])
  await until('the watcher has all 200 edits', () => watcher.doc.getMap('nodes').size === 200, {
    detail: () => ({ size: watcher.doc.getMap('nodes').size })
  })
  assert.deepEqual(await freshJSON(t, server, id), toJSON(watcher.doc))
})

test('visits to a room that nobody else holds open lose nothing', async t => {
  const id = roomId('visits')
  for (let visit = 0; visit < 40; visit++) {
    const client = await join(t, server, id)
    assert.equal(client.doc.getArray('list').length, visit, 'each visitor finds what the ones before wrote')
    client.doc.getArray('list').push([visit])
    client.provider.awareness.setLocalState(null)
    leave(client)
    // The leaving client does not wait for anybody; the next one must not overtake its edit.
    await until('the edit is readable', async () => (await freshJSON(t, server, id)).list.length === visit + 1)
  }
})

test('rooms do not hear each other', async t => {
  const [one, other] = [roomId('one'), roomId('other')]
  const [ada, bob, eve] = [await join(t, server, one), await join(t, server, other), await join(t, server, one)]
  ada.doc.getText('text').insert(0, 'only here')
  bob.doc.getText('text').insert(0, 'elsewhere')
  await converged([ada, eve])
  assert.equal(bob.doc.getText('text').toString(), 'elsewhere')
  await published(t, server, other, toJSON(bob.doc))
})
