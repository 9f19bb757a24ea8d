/** A Redis Cluster: found out by itself, and used with sharded channels. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../clients/lib/wait.mjs'
import { Cluster, busStatus } from '../lib/cluster.mjs'
import { RedisCluster } from '../lib/redis-cluster.mjs'
import { Scene } from '../lib/scene.mjs'

const MAPS = 6

/** Of each map. */
const EDITS_AROUND = 5
const AWAY_MS = 3_000

const allUp = cluster => until('all nodes have joined', async () => {
  for (const node of cluster.nodes) assert.equal(await busStatus(node), 'up', node.name)
  return true
})

/** The load of several maps, on different shards. */
const beginAll = (t, cluster) => Promise.all(Array.from({ length: MAPS }, () => Scene.begin(t, cluster, { perSecond: 5, edits: EDITS_AROUND })))

const allAreWell = (scenes, what) => Promise.all(scenes.map(scene => scene.allIsWell(what)))

for (const size of [1, 3]) {
  test(`a Redis Cluster of ${size}`, async t => {
    const redis = await RedisCluster.start(t, size)
    const cluster = await Cluster.start(t, { redis: redis.members[0], links: false })
    await allUp(cluster)
    const scenes = await beginAll(t, cluster)
    await Promise.all(scenes.map(scene => scene.live('in a Redis Cluster')))
    const channels = await Promise.all(redis.members.map(member => member.list('PUBSUB', 'SHARDCHANNELS')))
    for (const { room } of scenes) assert.equal(channels.flat().filter(name => name.includes(room)).length, 1, `${room} has a sharded channel: ${channels}`)
    assert.equal(channels.every(names => names.length > 0), true, 'they are spread')
    await allAreWell(scenes, 'in a Redis Cluster')
  })
}

test('one of three members of a Redis Cluster dies and comes back', async t => {
  const redis = await RedisCluster.start(t, 3)
  const cluster = await Cluster.start(t, { redis: redis.members[0], links: false })
  await allUp(cluster)
  const scenes = await beginAll(t, cluster)
  await redis.members[2].kill()
  await Promise.all(scenes.map(scene => scene.editsGoOn('a member is dead', AWAY_MS)))
  await redis.members[2].start()
  await redis.isWhole()
  await allAreWell(scenes, 'the member is back')
})
