/** People and programs whose every next request meets another node: they read what they wrote. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { initMap } from '../../clients/lib/map.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { converged, nobodyDisconnected, nothingLost } from '../lib/check.mjs'
import { Cluster } from '../lib/cluster.mjs'
import { lasting } from '../lib/pause.mjs'
import { Plain, Scribe } from '../lib/people.mjs'

const MOVES = 40
const MOVE_EVERY_MS = 200
const ROUNDS = 200

const cluster = await Cluster.start({ after })

/** Two who stay, one on A and one on C. */
const stayers = async (t, room) => {
  const [first, second] = [await Plain.join(t, cluster.nodes[0], room, 'first'), await Plain.join(t, cluster.nodes[2], room, 'second')]
  initMap(first.doc, 'Moving')
  await until('both have the map', () => second.doc.getMap('nodes').has('root'))
  return [first, second]
}

test('somebody who changes the node every 200 ms, and edits all the time', async t => {
  const room = roomId('roaming')
  const people = await stayers(t, room)
  const roamer = await Plain.join(t, cluster.nodes[0], room, 'roamer')
  const added = []
  for (let move = 0; move < MOVES; move++) {
    added.push(roamer.add())
    const next = cluster.after(roamer.node)
    const [moved] = [roamer.move(next), added.push(roamer.add())]
    await moved
    added.push(roamer.add())
    await lasting(MOVE_EVERY_MS)
  }
  const took = await converged(cluster, [...people, roamer], room)
  t.diagnostic(`converged after ${took} ms`)
  for (const { name, doc } of people) {
    assert.deepEqual(added.filter(id => !doc.getMap('nodes').has(id)), [], `${name} has all`)
  }
  nobodyDisconnected([...people, roamer])
})

test('somebody who comes to the next node reads there what was acknowledged on the last one', async t => {
  const room = roomId('reading')
  const people = await stayers(t, room)
  const scribe = await Scribe.join(t, cluster.nodes[0], room, 'scribe')
  for (let move = 0; move < MOVES; move++) {
    const id = scribe.add()
    await scribe.client.saved()
    const next = cluster.after(scribe.node)
    // Somebody with an empty document: nothing but what the node has.
    const reader = await RawClient.open(t, next, room)
    assert.ok((await reader.read()).getMap('nodes').has(id), `move ${move}: node ${next.name} has what ${scribe.node.name} acknowledged`)
    reader.socket.terminate()
    await scribe.move(next)
  }
  await converged(cluster, [...people, scribe], room)
  await nothingLost(t, cluster, [scribe], room)
})

test('a program whose requests go to all nodes in turn', async t => {
  const room = roomId('program')
  const people = await stayers(t, room)
  const path = `/v1/graphs/${room}`
  const ask = async (node, method, rest, body) => {
    const answer = await node.request(method, path + rest, body)
    assert.ok(answer.status < 300, `round of ${node.name}: ${method} ${rest}: ${answer.status} ${answer.text}`)
    return answer.json
  }
  for (let round = 0; round < ROUNDS; round++) {
    const [a, b, c] = [0, 1, 2].map(step => cluster.nodes[(round + step) % 3])
    const { id } = await ask(a, 'POST', '/nodes', { title: 'new' })
    await ask(b, 'PATCH', `/nodes/${id}`, { title: `round ${round}` })
    assert.equal((await ask(c, 'GET', `/nodes/${id}`)).title, `round ${round}`, `node ${c.name} is not behind`)
    const graph = await ask(a, 'GET', '')
    assert.equal(graph.nodes.find(node => node.id === id)?.title, `round ${round}`, `node ${a.name} is not behind`)
  }
  await converged(cluster, people, room)
})

test('the name of a state counts on every node', async t => {
  const room = roomId('etag')
  const people = await stayers(t, room)
  const path = `/v1/graphs/${room}`
  await converged(cluster, people, room)
  for (let round = 0; round < 9; round++) {
    const [a, b, c] = [0, 1, 2].map(step => cluster.nodes[(round + step) % 3])
    const etag = (await a.request('GET', path)).headers.get('etag')
    assert.equal((await b.request('GET', path, undefined, { 'if-none-match': etag })).status, 304)
    assert.equal((await b.request('PATCH', path, { topic: `round ${round}` }, { 'if-match': etag })).status, 200)
    assert.equal((await c.request('PATCH', path, { topic: 'too late' }, { 'if-match': etag })).status, 412)
  }
  await converged(cluster, people, room)
})

test('a map that nobody has open is the same on all nodes at once', async t => {
  for (let round = 0; round < 30; round++) {
    const id = roomId('closed')
    const [a, b, c] = [0, 1, 2].map(step => cluster.nodes[(round + step) % 3])
    assert.equal((await a.request('POST', '/v1/graphs', { id, topic: 'one' })).status, 201)
    assert.equal((await b.request('PATCH', `/v1/graphs/${id}`, { topic: 'two' })).status, 200)
    assert.equal((await c.request('GET', `/v1/graphs/${id}`)).json.topic, 'two')
    assert.ok((await c.request('GET', '/v1/graphs?limit=5')).json.graphs.some(graph => graph.id === id))
    assert.equal((await c.request('DELETE', `/v1/graphs/${id}`)).status, 204)
    assert.equal((await a.request('GET', `/v1/graphs/${id}`)).status, 410)
    assert.equal((await b.request('GET', `/v1/graphs/${id}`)).status, 410)
  }
})
