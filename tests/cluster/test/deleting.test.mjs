/** What one node does to a map ends or changes it on all nodes. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect, roomId } from '../../clients/lib/client.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { CONVERGED_WITHIN_MS, converged, nobodyDisconnected } from '../lib/check.mjs'
import { Cluster } from '../lib/cluster.mjs'
import { lasting } from '../lib/pause.mjs'
import { Plain } from '../lib/people.mjs'
import { Scene } from '../lib/scene.mjs'

const CLOSED_WITHIN_MS = 5_000
const DELETED = 4410

/** Time enough for a node that still has the map to bring it back. */
const AFTERWARDS_MS = 3_000

const cluster = await Cluster.start({ after })
const [a, b, c] = cluster.nodes

const closedForAll = people => until('everybody is closed with 4410', () => {
  for (const { name, closes } of people) assert.equal(closes.at(-1)?.code, DELETED, name)
  return true
}, { deadline_ms: CLOSED_WITHIN_MS })

/** The map is gone, on all nodes, for whoever asks. */
const isGone = async (t, room) => {
  for (const node of cluster.nodes) {
    assert.equal((await node.request('GET', `/v1/graphs/${room}`)).status, 410, node.name)
    assert.equal((await RawClient.knock(t, node, room)).code, DELETED, node.name)
    const { json } = await node.request('GET', '/v1/graphs?limit=500')
    assert.ok(!json.graphs.some(({ id }) => id === room), `${node.name} does not list it`)
  }
}

const deletedUnderLoad = async (t, scene) => {
  assert.equal((await a.request('DELETE', `/v1/graphs/${scene.room}`)).status, 204)
  await closedForAll(scene.people)
  scene.load.stop()
  await isGone(t, scene.room)
  // They have the whole map, and try again.
  const again = scene.people.filter(({ client }) => client.provider !== undefined)
  const [before] = [again.map(({ closes }) => closes.length)]
  for (const { client } of again) client.provider.connect()
  await until('they are closed again', () => again.every(({ closes }, index) => closes.length > before[index]))
  await closedForAll(again)
  await lasting(AFTERWARDS_MS)
  await isGone(t, scene.room)
}

test('a map is deleted on one node while people on all edit it', async t => {
  const scene = await Scene.begin(t, cluster)
  await deletedUnderLoad(t, scene)
})

test('a map is deleted on one node while Redis is away', async t => {
  const scene = await Scene.begin(t, cluster)
  t.after(async () => { if (!cluster.redis.running) await cluster.redis.start() })
  await cluster.redis.kill()
  await deletedUnderLoad(t, scene)
})

test('maps are deleted in the moment in which people come', async t => {
  for (let round = 0; round < 20; round++) {
    const room = roomId('coming')
    const stays = await Plain.join(t, b, room, 'stays')
    stays.add()
    await until('the map is in the store', async () => (await a.request('GET', `/v1/graphs/${room}`)).status === 200)
    const comes = connect(t, c, room)
    const closed = new Promise(resolve => comes.provider.once('closed', resolve))
    await lasting(round)
    assert.equal((await a.request('DELETE', `/v1/graphs/${room}`)).status, 204)
    await closedForAll([stays])
    assert.equal((await closed).code, DELETED)
    comes.doc.destroy()
    for (const node of cluster.nodes) assert.equal((await node.request('GET', `/v1/graphs/${room}`)).status, 410)
  }
})

test('an older version is restored on one node while people on all type', async t => {
  const scene = await Scene.begin(t, cluster)
  const path = `/v1/graphs/${scene.room}`
  const onB = scene.on(b)[0]
  const everywhere = (what, test) => until(what, () => scene.people.every(({ doc }) => test(doc.getMap('nodes'))), { deadline_ms: CONVERGED_WITHIN_MS })
  const old = onB.add()
  await everywhere('all have the old node', nodes => nodes.has(old))
  const version = await a.request('POST', `${path}/versions`, { name: 'before' })
  assert.equal(version.status, 201, version.text)
  onB.doc.getMap('nodes').delete(old)
  const young = onB.add()
  await everywhere('all have the younger state', nodes => nodes.has(young) && !nodes.has(old))
  const restored = await a.request('POST', `${path}/versions/${version.json.id}/restore`, {})
  assert.equal(restored.status, 200, restored.text)
  await everywhere('all have the older state', nodes => nodes.has(old) && !nodes.has(young))
  await scene.load.more(20)
  scene.load.stop()
  await converged(cluster, scene.people, scene.room)
  nobodyDisconnected(scene.people)
  for (const node of cluster.nodes) {
    const { json } = await node.request('GET', `${path}/versions`)
    assert.ok(json.versions.some(({ kind }) => kind === 'before_restore'), node.name)
  }
})
