/** One map opened on two nodes in the same moment, a thousand times. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Extended } from '../../clients/lib/extended.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { CONVERGED_WITHIN_MS, allClosed } from '../lib/check.mjs'
import { Cluster } from '../lib/cluster.mjs'

const MAPS = 1_000
const AT_ONCE = 20

/** Of so many maps one is also read by somebody on the third node. */
const READ_EVERY = 10

const cluster = await Cluster.start({ after })

/** Their edits go out before anything else, as those of somebody who was offline. */
const open = async (t, node, room, key) => {
  const client = await Extended.open(t, node, room, { protocols: ['synapti.v1'] })
  const edit = client.set(key, node.name)
  const read = client.read()
  return { client, edit, read }
}

const openTwice = async (t, number) => {
  const room = roomId('twice')
  const [one, two, third] = [0, 1, 2].map(step => cluster.nodes[(number + step) % 3])
  const both = await Promise.all([open(t, one, room, 'one'), open(t, two, room, 'two')])
  const maps = both.map(({ client }) => client.map)
  await until(`both see both in ${room}`, () => maps.every(map => map.has('one') && map.has('two')), {
    deadline_ms: CONVERGED_WITHIN_MS,
    detail: () => maps.map(map => map.toJSON())
  })
  await Promise.all(both.flatMap(({ client, edit, read }) => [client.saved(edit), read]))
  if (number % READ_EVERY === 0) {
    const reader = await Extended.join(t, third, room)
    assert.deepEqual(reader.map.toJSON(), { one: one.name, two: two.name })
    reader.socket.terminate()
  }
  for (const { client } of both) client.socket.terminate()
}

test('two people open a map on two nodes at once, and each writes at once', async t => {
  const begun = performance.now()
  let next = 0
  const worker = async () => {
    while (next < MAPS) await openTwice(t, next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  t.diagnostic(`${MAPS} maps in ${Math.round(performance.now() - begun)} ms`)
})

test('nothing of it stays open', () => allClosed(cluster))
