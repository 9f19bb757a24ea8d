/** A Redis Cluster: found out by itself, and used with sharded channels. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../clients/lib/wait.mjs'
import { Cluster, busStatus } from '../lib/cluster.mjs'
import { RedisCluster } from '../lib/redis-cluster.mjs'
import { lasting } from '../lib/pause.mjs'
import { Scene } from '../lib/scene.mjs'

const MAPS = 6
const AWAY_MS = 5_000

const allUp = cluster => until('all nodes have joined', async () => {
  for (const node of cluster.nodes) assert.equal(await busStatus(node), 'up', node.name)
  return true
})

for (const size of [1, 3]) {
  test(`a Redis Cluster of ${size}`, async t => {
    const redis = await RedisCluster.start(t, size)
    const cluster = await Cluster.start(t, { redis: redis.members[0], links: false })
    await allUp(cluster)
    const scenes = []
    for (let index = 0; index < MAPS; index++) scenes.push(await Scene.begin(t, cluster, { perSecond: 5 }))
    for (const scene of scenes) await scene.live('in a Redis Cluster')
    const channels = await redis.shardChannels()
    for (const { room } of scenes) assert.equal(channels.filter(name => name.includes(room)).length, 1, `${room} has a sharded channel: ${channels}`)
    const members = await Promise.all(redis.members.map(member => member.list('PUBSUB', 'SHARDCHANNELS')))
    if (size > 1) assert.ok(members.filter(names => names.length > 0).length > 1, 'they are spread')
    for (const scene of scenes) await scene.allIsWell('in a Redis Cluster')
    const delays = scenes.flatMap(({ load }) => load.delays_ms).sort((a, b) => a - b)
    t.diagnostic(`median delay ${Math.round(delays[delays.length >> 1])} ms`)
  })
}

test('one of three members of a Redis Cluster dies and comes back', async t => {
  const redis = await RedisCluster.start(t, 3)
  const cluster = await Cluster.start(t, { redis: redis.members[0], links: false })
  await allUp(cluster)
  const scenes = []
  for (let index = 0; index < MAPS; index++) scenes.push(await Scene.begin(t, cluster, { perSecond: 5 }))
  await redis.members[2].kill()
  await Promise.all(scenes.map(scene => scene.editsGoOn('a member is dead', AWAY_MS)))
  await redis.members[2].start()
  await redis.isWhole()
  await lasting(1_000)
  for (const scene of scenes) await scene.allIsWell('the member is back')
})
