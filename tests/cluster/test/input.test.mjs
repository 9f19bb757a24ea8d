/** What nodes hear from others on the same Redis: anything. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, test } from 'node:test'
import { until } from '../../clients/lib/wait.mjs'
import { mutationOf } from '../../clients/lib/mutator.mjs'
import { shape } from '../../clients/lib/shape.mjs'
import { converged, nobodyDisconnected } from '../lib/check.mjs'
import { RoomChannel } from '../lib/channel.mjs'
import { Cluster, metric } from '../lib/cluster.mjs'
import { Scene } from '../lib/scene.mjs'

const MUTATIONS = 300

/** Where an envelope says which version of the format it has. */
const VERSION_AT = 1

const cluster = await Cluster.start({ after })
const { redis } = cluster

const ignored = async (label = '') =>
  Promise.all(cluster.nodes.map(node => metric(node, 'synapti_bus_ignored_total', label)))

/** Envelopes that the nodes send while people edit, and their channel. */
const overheard = async t => {
  let scene
  const channel = await RoomChannel.around(redis, '', async () => { scene = await Scene.begin(t, cluster) })
  const { heard, stop } = await redis.listen(t, '*')
  await until('envelopes are overheard', () => heard.filter(({ channel: name }) => name === channel.name).length > 20)
  stop()
  await redis.cli('PING')
  const envelopes = heard.filter(({ channel: name }) => name === channel.name).map(({ bytes }) => bytes)
  return { scene, channel, envelopes, nodeEnvelopes: heard.filter(({ channel: name }) => name !== channel.name) }
}

/** Publishes all of it; every node counts each one as `why`, and people notice nothing. */
const isIgnored = async (t, { scene, channel }, what, all, why = '') => {
  const before = await ignored(why)
  for (const bytes of all) assert.ok(await channel.publish(bytes) >= 3)
  await until(`${what} is counted on all nodes`, async () => {
    const now = await ignored(why)
    assert.deepEqual(now.map((count, index) => count - before[index]), cluster.nodes.map(() => all.length))
    return true
  })
  await scene.live(what)
  nobodyDisconnected(scene.people)
}

test('bytes of somebody else, pieces of envelopes and envelopes of a newer version are counted, and nothing else happens', async t => {
  const around = await overheard(t)
  const { scene, envelopes } = around
  await isIgnored(t, around, 'a foreign message', ['hello', '{"type":"cache"}', '\0', randomBytes(64).fill(7, 0, 1), randomBytes(1_000_000).fill(7, 0, 1)])
  const longest = envelopes.reduce((one, other) => other.length > one.length ? other : one)
  const pieces = [2, 5, 10, Math.floor(longest.length / 2), longest.length - 1].map(length => longest.subarray(0, length))
  await isIgnored(t, around, 'a piece of an envelope', pieces)
  const newer = Buffer.from(longest)
  newer[VERSION_AT] += 1
  await isIgnored(t, around, 'an envelope of a newer version', [newer], 'newer')
  await isIgnored(t, around, 'an envelope with more behind it', [Buffer.concat([longest, Buffer.from([0])])])
  await scene.allIsWell('bytes of somebody else')
})

test('envelopes that come twice, late and in any order change nothing', async t => {
  const { scene, channel, envelopes } = await overheard(t)
  scene.load.stop()
  await converged(t, cluster, scene.people, scene.room)
  const before = shape(scene.people[0].doc)
  for (const bytes of scene.random.shuffle([...envelopes, ...envelopes])) await channel.publish(bytes)
  await scene.live('envelopes came twice')
  await converged(t, cluster, scene.people, scene.room)
  assert.deepEqual(shape(scene.people[0].doc), before)
  scene.load.start()
  await scene.allIsWell('envelopes came twice')
})

test('envelopes with changed bytes stop nobody', async t => {
  const { scene, channel, envelopes } = await overheard(t)
  for (let index = 0; index < MUTATIONS; index++) await channel.publish(mutationOf(scene.random, scene.random.pick(envelopes), envelopes))
  // What a changed envelope says may be believed, also about presence; what counts is that all go on and agree.
  await scene.load.more(20)
  scene.load.stop()
  await converged(t, cluster, scene.people, scene.room)
  nobodyDisconnected(scene.people)
  for (const node of cluster.nodes) assert.equal(await metric(node, 'synapti_room_panics_total'), 0, node.name)
})

test('other channels are no concern of ours', async t => {
  const { scene, nodeEnvelopes } = await overheard(t)
  for (const { channel, bytes } of nodeEnvelopes) {
    await redis.publish(channel, 'hello')
    await redis.publish(channel, bytes.subarray(0, bytes.length - 1))
  }
  await redis.publish('somebody-else', 'hello')
  await scene.allIsWell('words on other channels')
})
