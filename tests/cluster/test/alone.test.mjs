/** Without a Redis: nodes with one database, which find each other's edits there. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Cluster, busStatus, metric } from '../lib/cluster.mjs'
import { Scene } from '../lib/scene.mjs'

const LASTING_MS = 6_000

const cluster = await Cluster.start({ after }, { redis: false })

test('nodes converge through the store', async t => {
  const scene = await Scene.begin(t, cluster)
  await scene.editsGoOn('without a Redis', LASTING_MS)
  await scene.allIsWell('without a Redis', { isLive: false })
  for (const node of cluster.nodes) {
    assert.equal(await busStatus(node), 'off')
    assert.equal((await node.request('GET', '/ready')).status, 200)
    assert.ok(await metric(node, 'synapti_store_catch_ups_total') > 0, node.name)
  }
})
