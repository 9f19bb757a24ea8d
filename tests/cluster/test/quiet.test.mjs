/** Nothing fails: edits and presence reach everybody on every node, and nobody stays who has left. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { join, leave, roomId } from '../../clients/lib/client.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { allClosed, converged } from '../lib/check.mjs'
import { Cluster, busStatus, metric } from '../lib/cluster.mjs'
import { Plain } from '../lib/people.mjs'
import { Scene } from '../lib/scene.mjs'

const DELIVERED_WITHIN_MS = 5_000
const GONE_WITHIN_MS = 5_000

/** Eight megabytes in one message. */
const TEXTS = 40
const TEXT = 'large '.repeat(200_000 / 6)
const LARGE_WITHIN_MS = 15_000

/** Ten seconds without a sign of life, and some more to notice. */
const DEAD_NODE_GONE_WITHIN_MS = 15_000

const cluster = await Cluster.start({ after })

/** Clients know each other's states by a number, and take one that they knew as gone only with a newer number. */
const moveCursor = person => person.awareness.setLocalStateField('cursor', Math.random())

/** Waits until all these people see exactly these names. */
const see = (what, people, names, deadline_ms) => until(what, () => {
  for (const person of people) assert.deepEqual(person.seen, names, person.name)
  return true
}, { deadline_ms })

test('edits reach people on the other nodes', async t => {
  const scene = await Scene.begin(t, cluster, { perSecond: 40 })
  await scene.live('at first')
  scene.load.measureAnew()
  await scene.load.more(200)
  await scene.allIsWell('quiet')
  const { count, median, p99, max } = scene.load.delays
  t.diagnostic(`${count} nodes seen on another node: median ${median} ms, p99 ${p99} ms, max ${max} ms`)
  assert.ok(count > 100)
  assert.ok(max <= DELIVERED_WITHIN_MS, `one took ${max} ms`)
  for (const node of cluster.nodes) {
    assert.equal(await busStatus(node), 'up')
    assert.equal(await metric(node, 'synapti_bus_up'), 1)
    assert.equal(await metric(node, 'synapti_bus_nodes'), 2)
    assert.equal(await metric(node, 'synapti_bus_ignored_total'), 0)
    assert.equal(await metric(node, 'synapti_bus_divergences_total'), 0)
  }
})

test('what somebody brings who was offline reaches all nodes, however large', async t => {
  const room = roomId('large')
  const people = await Promise.all(cluster.nodes.map(node => Plain.join(t, node, room, node.name)))
  const [offline] = people
  offline.isMoving = true
  offline.client.provider.disconnect()
  for (let index = 0; index < TEXTS; index++) offline.doc.getMap('texts').set(`text-${index}`, TEXT)
  offline.client.provider.connect()
  const begun = performance.now()
  await until('everybody has all of it', () => people.every(({ doc }) => doc.getMap('texts').size === TEXTS), { deadline_ms: LARGE_WITHIN_MS })
  t.diagnostic(`${TEXTS * TEXT.length} bytes within ${Math.round(performance.now() - begun)} ms`)
  await converged(cluster, people, room)
})

test('people see each other wherever they are, and nobody stays who has left', async t => {
  const room = roomId('presence')
  const people = await Promise.all(cluster.nodes.flatMap(node => [1, 2].map(number => Plain.join(t, node, room, `${node.name}${number}`))))
  await see('everybody sees everybody', people, people.map(({ name }) => name).sort(), GONE_WITHIN_MS)
  const [first] = people
  first.awareness.setLocalStateField('cursor', { x: 1.5, y: -2 })
  await until('a cursor is seen on all nodes', () => people.every(({ awareness }) => awareness.getStates().get(first.doc.clientID)?.cursor?.x === 1.5), { deadline_ms: GONE_WITHIN_MS })
  const late = await Plain.join(t, cluster.nodes[1], room, 'late')
  await see('who comes late sees everybody', [late], [...people, late].map(({ name }) => name).sort(), GONE_WITHIN_MS)
  late.leave()
  first.leave()
  const rest = people.slice(1)
  await see('who has left is gone everywhere', rest, rest.map(({ name }) => name).sort(), GONE_WITHIN_MS)
})

test('people of a node that is killed are gone, and are back with their node', async t => {
  const room = roomId('killed')
  const [a, b, c] = await Promise.all(cluster.nodes.map(node => Plain.join(t, node, room, node.name)))
  await see('everybody sees everybody', [a, b, c], ['A', 'B', 'C'], GONE_WITHIN_MS)
  const begun = performance.now()
  await c.node.kill9()
  await see('who was on the node that was killed is gone', [a, b], ['A', 'B'], DEAD_NODE_GONE_WITHIN_MS)
  t.diagnostic(`gone after ${Math.round(performance.now() - begun)} ms`)
  const late = await join(t, a.node, room, { state: { name: 'late' } })
  await see('nobody brings them back', [a, b], ['A', 'B', 'late'], GONE_WITHIN_MS)
  leave(late)
  await c.node.start()
  await until('they have reconnected', () => c.isConnected)
  for (const person of [a, b, c]) moveCursor(person)
  await see('they are back with their node', [a, b, c], ['A', 'B', 'C'], GONE_WITHIN_MS)
})

test('who goes to another node is seen by all again', async t => {
  const room = roomId('moving')
  const [a, b, c] = await Promise.all(cluster.nodes.map(node => Plain.join(t, node, room, node.name)))
  for (let move = 0; move < 4; move++) {
    await see('everybody sees everybody', [a, b, c], ['A', 'B', 'C'], GONE_WITHIN_MS)
    // On the node that was left nobody is there any more, before they are on the next one.
    c.client.provider.disconnect()
    await see('who has left is gone', [a, b], ['A', 'B'], GONE_WITHIN_MS)
    await c.move(cluster.after(c.node))
    for (const person of [a, b, c]) moveCursor(person)
  }
  await see('everybody sees everybody', [a, b, c], ['A', 'B', 'C'], GONE_WITHIN_MS)
})

test('nothing of it stays open', () => allClosed(cluster))
