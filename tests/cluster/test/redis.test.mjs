/** Redis dies, stands still, or sends people away, while nine people on three nodes edit one map. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { until } from '../../clients/lib/wait.mjs'
import { allClosed } from '../lib/check.mjs'
import { Cluster, busStatus, metric } from '../lib/cluster.mjs'
import { lasting } from '../lib/pause.mjs'
import { Scene } from '../lib/scene.mjs'

const AWAY_MS = 10_000
const STANDSTILL_MS = 8_000

/** How soon a node says that Redis is away: connections that were closed are noticed at once, silence is not. */
const NOTICED_WITHIN_MS = 5_000

const LARGE_TEXTS = 8
const LARGE = 'large '.repeat(200_000 / 6)

const cluster = await Cluster.start({ after })
const { redis } = cluster

const allSay = (status, deadline_ms = NOTICED_WITHIN_MS) =>
  until(`all nodes say that the bus is ${status}`, async () => {
    for (const node of cluster.nodes) assert.equal(await busStatus(node), status, node.name)
    return true
  }, { deadline_ms })

test('Redis is killed, and comes back empty', async t => {
  const scene = await Scene.begin(t, cluster)
  await allSay('up')
  await redis.kill()
  const begun = performance.now()
  await allSay('away')
  for (const node of cluster.nodes) {
    assert.equal(await metric(node, 'synapti_bus_up'), 0, node.name)
    assert.equal((await node.request('GET', '/ready')).status, 200, node.name)
    assert.equal((await node.request('GET', '/health')).status, 200, node.name)
  }
  await scene.editsGoOn('without Redis', AWAY_MS - (performance.now() - begun))
  await redis.start()
  await scene.allIsWell('Redis is back')
  await allSay('up')
  for (const node of cluster.nodes) assert.ok(await metric(node, 'synapti_bus_reconnects_total') > 0, node.name)
})

test('Redis stands still', async t => {
  const scene = await Scene.begin(t, cluster)
  t.after(() => redis.resume())
  redis.pause()
  await scene.editsGoOn('while Redis stands still', STANDSTILL_MS)
  redis.resume()
  await scene.allIsWell('Redis goes on')
})

test('Redis ends the connections, ten times in a row', async t => {
  const scene = await Scene.begin(t, cluster)
  const before = await metric(cluster.nodes[0], 'synapti_bus_reconnects_total')
  for (let round = 0; round < 10; round++) {
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal')
    await scene.load.more(5)
  }
  await scene.allIsWell('connections were ended')
  const reconnects = await metric(cluster.nodes[0], 'synapti_bus_reconnects_total') - before
  t.diagnostic(`node A reconnected ${reconnects} times`)
  assert.ok(reconnects > 0)
})

test('Redis ends subscribers that fall behind', async t => {
  const scene = await Scene.begin(t, cluster)
  const [, , slow] = cluster.nodes
  await redis.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 64kb 32kb 1')
  t.after(async () => redis.running && redis.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60'))
  slow.link.throttle(50_000)
  t.after(() => slow.link.pass())
  const writer = scene.on(cluster.nodes[0])[0]
  for (let index = 0; index < LARGE_TEXTS; index++) {
    writer.doc.getMap('texts').set(`large-${index}`, LARGE)
    await lasting(250)
  }
  await scene.edits('with large edits', { near_ms: 5_000 })
  await redis.cli('CONFIG', 'SET', 'client-output-buffer-limit', 'pubsub 32mb 8mb 60')
  slow.link.pass()
  await scene.allIsWell('subscribers fell behind')
  for (const { name, doc } of scene.people) assert.equal(doc.getMap('texts').size, LARGE_TEXTS, name)
})

test('nothing of it stays open', () => allClosed(cluster))
