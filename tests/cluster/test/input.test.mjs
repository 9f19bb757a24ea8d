/** What nodes hear from others on the same Redis: anything. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { mutationOf } from '../../clients/lib/mutator.mjs'
import { shape } from '../../clients/lib/shape.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { allClosed, converged, nobodyDisconnected } from '../lib/check.mjs'
import { RoomChannel } from '../lib/channel.mjs'
import { Cluster, metric } from '../lib/cluster.mjs'
import { Scene } from '../lib/scene.mjs'

const MUTATIONS = 300

/** Where an envelope says which version of the format it has, and where the number of its node begins. */
const VERSION_AT = 1
const NODE_AT = 2

const cluster = await Cluster.start({ after })
const { redis } = cluster

/** People who edit; what their nodes have said meanwhile about their map, and on which channels nodes listen. */
const overheard = async t => {
  const scene = await Scene.begin(t, cluster)
  const { name } = await RoomChannel.of(redis, scene.room)
  const { heard, stop } = await redis.listen(t, '*')
  const ofRoom = () => heard.filter(({ channel }) => channel === name).map(({ bytes }) => bytes)
  await until('envelopes are overheard', () => ofRoom().length > 20)
  await stop()
  return { scene, name, envelopes: ofRoom(), channels: await redis.list('PUBSUB', 'CHANNELS') }
}

/** Publishes all of it on a channel; whoever hears it counts it as `why`, and people notice nothing. */
const isIgnored = async (scene, channel, what, why, all) => {
  const ignored = async () => {
    const counts = await Promise.all(cluster.nodes.map(node => metric(node, 'synapti_bus_ignored_total', why)))
    return counts.reduce((sum, count) => sum + count)
  }
  const before = await ignored()
  let sent = 0
  for (const bytes of all) sent += await redis.publish(channel, bytes)
  assert.ok(sent >= all.length, `${channel} is heard`)
  await until(`${what} is counted by all who hear it`, async () => {
    assert.equal(await ignored() - before, sent)
    return true
  })
  nobodyDisconnected(scene.people)
}

/** Never the beginning of one of ours. */
const foreign = bytes => randomBytes(bytes).fill(7, 0, 1)

test('bytes of somebody else, pieces of envelopes and envelopes of a newer version are counted, and nothing else happens', async t => {
  const { scene, name, envelopes, channels } = await overheard(t)
  const longest = Buffer.from(envelopes.reduce((one, other) => other.length > one.length ? other : one))
  // Of a node that is not there: nodes pass over what they have said themselves.
  longest[NODE_AT] ^= 1
  const newer = Buffer.from(longest)
  newer[VERSION_AT] += 1
  for (const channel of channels) {
    await isIgnored(scene, channel, 'a foreign message', 'foreign', ['hello', '{"type":"cache"}', '\0', foreign(64), foreign(1_000_000)])
    await isIgnored(scene, channel, 'a piece of an envelope', '', [2, 5, 10, longest.length >> 1, longest.length - 1].map(length => longest.subarray(0, length)))
    await isIgnored(scene, channel, 'an envelope of a newer version', 'newer', [newer])
  }
  await isIgnored(scene, name, 'an envelope with more behind it', 'damaged', [Buffer.concat([longest, Buffer.from([0])])])
  await redis.publish('somebody-else', 'hello')
  await scene.allIsWell('bytes of somebody else')
})

test('envelopes that come twice, late and in any order change nothing', async t => {
  const { scene, name, envelopes } = await overheard(t)
  scene.load.stop()
  await converged(cluster, scene.people, scene.room)
  const before = shape(scene.people[0].doc)
  for (const bytes of scene.random.shuffle([...envelopes, ...envelopes])) await redis.publish(name, bytes)
  await scene.live('envelopes came twice')
  await converged(cluster, scene.people, scene.room)
  assert.deepEqual(shape(scene.people[0].doc), before)
  scene.load.start()
  await scene.allIsWell('envelopes came twice')
})

test('envelopes with changed bytes stop nobody', async t => {
  const { scene, name, envelopes } = await overheard(t)
  for (let index = 0; index < MUTATIONS; index++) await redis.publish(name, mutationOf(scene.random, scene.random.pick(envelopes), envelopes))
  // What a changed envelope says may be believed, also of presence, and each node may save it at a time of its own; what
  // counts is that all go on and agree.
  await scene.load.more(20)
  scene.load.stop()
  await converged(cluster, scene.people, scene.room, { except: ['last_modified'] })
  nobodyDisconnected(scene.people)
  for (const node of cluster.nodes) assert.equal(await metric(node, 'synapti_room_panics_total'), 0, node.name)
})

test('nothing of it stays open', () => allClosed(cluster))
