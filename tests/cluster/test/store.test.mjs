/** The network between one node and PostgreSQL fails: its people go on, and the other nodes save what they show. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { until } from '../../clients/lib/wait.mjs'
import { allClosed, converged, nobodyDisconnected, nothingLost } from '../lib/check.mjs'
import { RoomChannel } from '../lib/channel.mjs'
import { Cluster } from '../lib/cluster.mjs'
import { Scene } from '../lib/scene.mjs'

const AWAY_MS = 6_000

/** A store that is behind is noticed after a second; until then edits wait for it. */
const NEAR_WITHIN_MS = 5_000

/** A commit that failed is tried again every second; one that hangs has to be given up first. */
const READY_WITHIN_MS = 30_000

const cluster = await Cluster.start({ after }, { storeLinks: true })
const [node] = cluster.nodes
const { storeLink } = node

const isReady = () => until('the node is ready', async () => (await node.request('GET', '/ready')).status === 200, { deadline_ms: READY_WITHIN_MS })

for (const [what, fail, mend] of [
  ['is down', () => storeLink.refuse(), () => storeLink.accept()],
  ['is silent', () => storeLink.swallow(), () => { storeLink.pass(); storeLink.cut() }]
]) {
  test(`the link to PostgreSQL ${what}`, async t => {
    const scene = await Scene.begin(t, cluster)
    await fail()
    t.after(mend)
    await scene.editsGoOn(`the link to PostgreSQL ${what}`, AWAY_MS, { near_ms: NEAR_WITHIN_MS })
    await scene.live('without PostgreSQL')
    await mend()
    await isReady()
    await scene.allIsWell('PostgreSQL is back')
  })
}

test('a node that could not save is killed: what others saw of it is not lost', async t => {
  const scene = await Scene.begin(t, cluster)
  await storeLink.refuse()
  const author = scene.on(node)[0]
  await until('the node cannot save', async () => (await node.request('GET', '/ready')).status === 503)
  const ids = Array.from({ length: 10 }, () => author.add())
  const others = scene.people.filter(person => person.node !== node)
  await until('people on other nodes see it', () => others.every(({ doc }) => ids.every(id => doc.getMap('nodes').has(id))), { deadline_ms: NEAR_WITHIN_MS })
  await node.kill9()
  scene.load.stop()
  for (const person of scene.on(node)) person.leave()
  await storeLink.accept()
  await converged(cluster, others, scene.room)
  await nothingLost(t, cluster, scene.people, scene.room)
  nobodyDisconnected(others)
  for (const other of cluster.running) {
    const { json } = await other.request('GET', `/v1/graphs/${scene.room}`)
    assert.deepEqual(ids.filter(id => !json.nodes.some(node => node.id === id)), [], `node ${other.name} has all`)
  }
  for (const person of others) person.leave()
  const channel = await RoomChannel.of(cluster.redis, scene.room)
  await channel.has(0)
  await node.start()
  const { json } = await node.request('GET', `/v1/graphs/${scene.room}`)
  assert.deepEqual(ids.filter(id => !json.nodes.some(node => node.id === id)), [], 'it is in the store')
})

test('nothing of it stays open', () => allClosed(cluster))
