/** Nodes are killed, stopped and started again while people work on all of them. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { after, test } from 'node:test'
import { binary } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { allClosed } from '../lib/check.mjs'
import { Cluster } from '../lib/cluster.mjs'
import { LIVE_WITHIN_MS, Scene } from '../lib/scene.mjs'

/** Presence of a node that was killed is gone after ten seconds and some more. */
const DEAD_NODE_GONE_WITHIN_MS = 15_000

const cluster = await Cluster.start({ after }, { env: { SYNAPTI_SHUTDOWN_GRACE: '2' } })

/** From now on people whose node ends go to the next one. */
const balance = people => {
  for (const person of people) person.balancer = node => cluster.after(node) ?? node
}

const allConnected = people => until('everybody is connected', () => people.every(({ isConnected, isMoving }) => isConnected && !isMoving), {
  detail: () => people.filter(({ isConnected }) => !isConnected).map(({ name, node }) => `${name} on ${node.name}`)
})

test('a node is killed under load, and comes back', async t => {
  const scene = await Scene.begin(t, cluster)
  const [, node] = cluster.nodes
  for (let round = 0; round < 3; round++) {
    await node.kill9()
    await scene.load.more(20)
    await scene.edits('a node is dead', { near_ms: 2_000 })
    await node.start()
    await Promise.all(scene.on(node).filter(({ ledger }) => ledger !== undefined).map(scribe => scribe.move(node)))
    await allConnected(scene.people)
    await scene.load.more(20)
  }
  await scene.allIsWell('a node was killed three times', { endedNodes: [node] })
})

test('a node is killed under load, and its people go elsewhere', async t => {
  const scene = await Scene.begin(t, cluster)
  const [node] = cluster.nodes
  balance(scene.people)
  await node.kill9()
  await scene.load.more(20)
  await allConnected(scene.people)
  assert.deepEqual(scene.on(node), [])
  await scene.allIsWell('a node is dead', { endedNodes: [node] })
  await until('everybody is seen once', () => {
    // Who has moved passes over what they knew, until it is renewed.
    for (const person of scene.visible.filter(({ closes }) => closes.length === 0)) assert.deepEqual(person.seen, ['A1', 'A2', 'B1', 'B2', 'C1', 'C2'], person.name)
    return true
  }, { deadline_ms: DEAD_NODE_GONE_WITHIN_MS })
  await node.start()
})

test('a node is stopped under load, and its people go elsewhere', async t => {
  const scene = await Scene.begin(t, cluster)
  const [, , node] = cluster.nodes
  balance(scene.people)
  assert.deepEqual(await node.stop(), { code: 0, signal: null })
  await allConnected(scene.people)
  const codes = scene.people.flatMap(({ closes }) => closes).filter(close => close.node === node).map(({ code }) => code)
  assert.deepEqual(codes, [1012, 1012, 1012])
  await scene.allIsWell('a node has stopped', { endedNodes: [node] })
  await node.start()
})

test('all nodes are restarted, one after the other, under load', async t => {
  const scene = await Scene.begin(t, cluster)
  balance(scene.people)
  for (const node of cluster.nodes) {
    assert.deepEqual(await node.stop(), { code: 0, signal: null })
    await allConnected(scene.people)
    await node.start()
    assert.equal((await node.request('GET', '/ready')).status, 200)
    await scene.load.more(20)
  }
  await scene.allIsWell('all nodes are new', { endedNodes: cluster.nodes })
})

test('a node stands still for so long that it counts as dead, and goes on', async t => {
  const scene = await Scene.begin(t, cluster)
  const [, node] = cluster.nodes
  const others = scene.people.filter(person => person.node !== node && person.awareness !== undefined)
  t.after(() => node.resume())
  node.pause()
  await until('its people are gone elsewhere', () => {
    for (const person of others) assert.deepEqual(person.seen, ['A1', 'A2', 'C1', 'C2'], person.name)
    return true
  }, { deadline_ms: DEAD_NODE_GONE_WITHIN_MS })
  node.resume()
  // Clients take somebody whom they knew as gone only with a newer number.
  for (const { awareness } of scene.visible) awareness.setLocalStateField('cursor', Math.random())
  await until('they are back', () => {
    for (const person of scene.visible) assert.deepEqual(person.seen, ['A1', 'A2', 'B1', 'B2', 'C1', 'C2'], person.name)
    return true
  }, { deadline_ms: LIVE_WITHIN_MS })
  await scene.allIsWell('a node stood still')
})

test('one more node comes under load, and goes', async t => {
  const scene = await Scene.begin(t, cluster)
  const node = await cluster.add('D')
  t.after(() => cluster.remove(node))
  await scene.join(node)
  await scene.live('one more node')
  await scene.load.more(20)
  balance(scene.people)
  assert.deepEqual(await node.stop(), { code: 0, signal: null })
  await allConnected(scene.people)
  await scene.allIsWell('the node has gone', { endedNodes: [node] })
})

test('all nodes are killed at once under load, and their people come back', async t => {
  const scene = await Scene.begin(t, cluster)
  await Promise.all(cluster.nodes.map(node => node.kill9()))
  await scene.load.more(20)
  await Promise.all(cluster.nodes.map(node => node.start()))
  await Promise.all(scene.people.filter(({ ledger }) => ledger !== undefined).map(scribe => scribe.move(scribe.node)))
  await allConnected(scene.people)
  await scene.allIsWell('all nodes were killed', { endedNodes: cluster.nodes })
})

test('nothing of it stays open', () => allClosed(cluster))

test('after all that the store has no damage', async () => {
  for (const exit of await Promise.all(cluster.nodes.map(node => node.stop()))) assert.deepEqual(exit, { code: 0, signal: null })
  const printed = execFileSync(binary(), ['check', '--database-url', cluster.database.url], { encoding: 'utf8' })
  assert.match(printed, /no damage/)
})
