/** A node listens to a map's channel as long as somebody there has the map open. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Cluster } from '../lib/cluster.mjs'
import { lasting } from '../lib/pause.mjs'
import { Plain } from '../lib/people.mjs'
import { RoomChannel } from '../lib/channel.mjs'

const LEFT_WITHIN_MS = 5_000
const WATCHED_MS = 4_000
const BACK_AFTER_MS = [0, 200, 500, 800]

const cluster = await Cluster.start({ after })
const { redis } = cluster

test('nodes join a map\'s channel with their first client, and leave it after their last', async t => {
  const room = roomId('channel')
  const a = await Plain.join(t, cluster.nodes[0], room, 'a')
  const here = await RoomChannel.of(redis, room)
  assert.equal(await here.listeners(), 1)
  const b = await Plain.join(t, cluster.nodes[1], room, 'b')
  const second = await Plain.join(t, cluster.nodes[1], room, 'b2')
  const c = await Plain.join(t, cluster.nodes[2], room, 'c')
  await here.has(3)
  b.leave()
  c.leave()
  await here.has(2, LEFT_WITHIN_MS)
  second.leave()
  await here.has(1, LEFT_WITHIN_MS)
  a.leave()
  await here.has(0, LEFT_WITHIN_MS)
  await Plain.join(t, cluster.nodes[2], room, 'c2')
  await here.has(1)
})

test('a node stays for somebody who is back within the second', async t => {
  const room = roomId('back')
  await Plain.join(t, cluster.nodes[0], room, 'stays')
  const channel = await RoomChannel.of(redis, room)
  const goes = await Plain.join(t, cluster.nodes[1], room, 'goes')
  await channel.has(2)
  let fewest = 2
  let isOver = false
  const watching = (async () => {
    while (!isOver) fewest = Math.min(fewest, await channel.listeners())
  })()
  for (const milliseconds of BACK_AFTER_MS) {
    goes.client.provider.shouldConnect = false
    goes.client.provider.disconnect()
    await lasting(milliseconds)
    goes.client.provider.connect()
    await until('they are back', () => goes.isConnected)
  }
  await lasting(WATCHED_MS)
  isOver = true
  await watching
  assert.equal(fewest, 2, 'node B has been there all the time')
})

test('two hundred maps that were open leave nothing behind', async t => {
  const before = (await redis.list('PUBSUB', 'CHANNELS')).length
  for (let round = 0; round < 10; round++) {
    const people = await Promise.all(Array.from({ length: 20 }, (_, index) => Plain.join(t, cluster.nodes[index % 3], roomId('many'), `p${index}`)))
    for (const person of people) person.leave()
  }
  await until('no more channels than before', async () => (await redis.list('PUBSUB', 'CHANNELS')).length <= before, { deadline_ms: 2 * LEFT_WITHIN_MS })
  const { json } = await cluster.nodes[0].request('GET', '/health')
  assert.ok(json.components.rooms.open <= 3, JSON.stringify(json.components.rooms))
})
