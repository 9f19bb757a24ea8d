/** The HTTP API and the live rooms are one and the same map. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect, converged, freshJSON, join, roomId } from '../lib/client.mjs'
import { addEdge, addNode, nodeOf, toJSON, typeInto } from '../lib/map.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

/** Creates a graph and fails the test when that is not answered with 201. */
const create = async (body = {}) => {
  const response = await server.request('POST', '/v1/graphs', { topic: 'Gardens', ...body })
  assert.equal(response.status, 201, response.text)
  return response.json
}

const nodeByTitle = (graph, title) => graph.nodes.find(node => node.title === title)

test('a graph made over HTTP is there for those who join', async t => {
  const id = roomId('made')
  const graph = await create({ id })
  assert.equal(graph.id, id)
  const client = await join(t, server, id)
  const { meta, nodes } = toJSON(client.doc)
  assert.equal(meta.topic, 'Gardens')
  assert.equal(meta.schema, 1)
  assert.ok(!Number.isNaN(Date.parse(meta.created_at)))
  assert.equal(nodes[meta.root].title, 'Gardens')
})

test('edits over HTTP appear live at the clients', async t => {
  const { id } = await create()
  const path = `/v1/graphs/${id}`
  const client = await join(t, server, id)

  const made = await server.request('POST', `${path}/nodes`, { title: 'Soil', summary: 'What plants stand in' })
  assert.equal(made.status, 201, made.text)
  const soil = made.json.id
  await until('the node appears', () => client.doc.getMap('nodes').has(soil))
  assert.equal(nodeOf(client.doc, soil).get('title').toString(), 'Soil')
  assert.equal(nodeOf(client.doc, soil).get('parent'), client.doc.getMap('meta').get('root'))

  const water = (await server.request('POST', `${path}/nodes`, { id: 'water', title: 'Water', parent_id: soil, position: { x: 1, y: 2, z: 3 } })).json.id
  assert.equal(water, 'water')
  await until('the child appears', () => client.doc.getMap('nodes').has('water'))
  assert.deepEqual([nodeOf(client.doc, 'water').get('parent'), nodeOf(client.doc, 'water').get('pos')], [soil, [1, 2, 3]])

  const moved = await server.request('PATCH', `${path}/nodes/water`, { title: 'Rain water', parent_id: null, position: null })
  assert.equal(moved.status, 200, moved.text)
  await until('the change appears', () => nodeOf(client.doc, 'water').get('title').toString() === 'Rain water')
  assert.equal(nodeOf(client.doc, 'water').get('parent'), null)
  assert.equal(nodeOf(client.doc, 'water').has('pos'), false)

  const edge = await server.request('POST', `${path}/edges`, { source: 'water', target: soil, relationship: 'feeds', strength: 0.5 })
  assert.equal(edge.status, 201, edge.text)
  await until('the edge appears', () => client.doc.getMap('edges').has(edge.json.id))
  assert.deepEqual(client.doc.getMap('edges').get(edge.json.id).toJSON(), { source: 'water', target: soil, relationship: 'feeds', strength: 0.5 })

  assert.equal((await server.request('DELETE', `${path}/edges/${edge.json.id}`)).status, 204)
  assert.equal((await server.request('DELETE', `${path}/nodes/${soil}`)).status, 204)
  await until('both are gone', () => !client.doc.getMap('nodes').has(soil) && client.doc.getMap('edges').size === 0)

  assert.equal((await server.request('PATCH', path, { topic: 'Orchards' })).status, 200)
  await until('the topic changes', () => client.doc.getMap('meta').get('topic') === 'Orchards')
  assert.deepEqual(await freshJSON(t, server, id), toJSON(client.doc))
})

test('edits of clients appear in the JSON, with a new ETag', async t => {
  const { id } = await create()
  const path = `/v1/graphs/${id}`
  const first = await server.request('GET', path)
  assert.equal(first.status, 200)
  const etag = first.headers.get('etag')
  assert.ok(etag)
  assert.equal((await server.request('GET', path, undefined, { 'if-none-match': etag })).status, 304)

  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  const root = ada.doc.getMap('meta').get('root')
  addNode(ada.doc, { id: 'live', title: '', parent: root, pos: [1.005, 2.349, -3] })
  typeInto(nodeOf(ada.doc, 'live').get('title'), 'Typed 🌱')
  addEdge(ada.doc, { id: 'cross', source: 'live', target: root, relationship: 'echoes', strength: 0.25 })
  addEdge(ada.doc, { id: 'dangling', source: 'live', target: 'nowhere' })
  await converged([ada, bob])

  const second = await server.request('GET', path, undefined, { 'if-none-match': etag })
  assert.equal(second.status, 200, 'what another client has seen is in the JSON')
  assert.notEqual(second.headers.get('etag'), etag)
  const live = second.json.nodes.find(node => node.id === 'live')
  assert.equal(live.title, 'Typed 🌱')
  assert.equal(live.parent_id, root)
  assert.deepEqual(Object.keys(live.position).sort(), ['x', 'y', 'z'])
  assert.equal(live.position.y, 2.35)
  assert.ok(live.connections.includes(root))
  const cross = second.json.edges.find(edge => edge.id === 'cross')
  assert.deepEqual([cross.source, cross.target, cross.relationship, cross.strength], ['live', root, 'echoes', 0.25])
  assert.ok(!second.json.edges.some(edge => edge.id === 'dangling'), 'an edge to a missing node is hidden')
  assert.ok(ada.doc.getMap('edges').has('dangling'), 'and not deleted')
  for (const key of ['id', 'topic', 'nodes', 'edges', 'metadata', 'created_at', 'last_modified']) assert.ok(key in second.json, key)
})

test('a room that a client made is a graph', async t => {
  const id = roomId('joined')
  const client = await join(t, server, id)
  addNode(client.doc, { id: 'only', title: 'Only', parent: null })
  await until('it is in the JSON', async () => {
    const { status, json } = await server.request('GET', `/v1/graphs/${id}`)
    return status === 200 && nodeByTitle(json, 'Only')
  })
  const { json } = await server.request('GET', '/v1/graphs?limit=100')
  assert.ok(json.graphs.some(graph => graph.id === id))
})

test('typing and a change of the same title over HTTP merge', async t => {
  const { id } = await create({ topic: 'one two' })
  const client = await join(t, server, id)
  const root = client.doc.getMap('meta').get('root')
  client.provider.disconnect()
  nodeOf(client.doc, root).get('title').insert(0, 'typed ')
  assert.equal((await server.request('PATCH', `/v1/graphs/${id}/nodes/${root}`, { title: 'one 😀 two' })).status, 200)
  client.provider.connect()
  await until('both changes are there', () => nodeOf(client.doc, root).get('title').toString() === 'typed one 😀 two')
  const emoji = nodeOf(client.doc, root).get('title')
  assert.equal((await server.request('PATCH', `/v1/graphs/${id}/nodes/${root}`, { title: 'typed one 😁 two' })).status, 200)
  await until('one emoji is exchanged for its neighbour', () => emoji.toString() === 'typed one 😁 two')
})

test('many clients and the API at once', async t => {
  const { id } = await create()
  const clients = await Promise.all(Array.from({ length: 5 }, () => join(t, server, id)))
  const root = clients[0].doc.getMap('meta').get('root')
  const overHttp = Array.from({ length: 30 }, (_, index) =>
    server.request('POST', `/v1/graphs/${id}/nodes`, { id: `http-${index}`, title: `H${index}` }))
  for (let index = 0; index < 30; index++) {
    const client = clients[index % clients.length]
    addNode(client.doc, { id: `live-${index}`, title: `L${index}`, parent: root })
    await new Promise(setImmediate)
  }
  for (const response of await Promise.all(overHttp)) assert.equal(response.status, 201, response.text)
  const { nodes } = await until('everything is everywhere', async () => {
    const json = await converged(clients)
    return Object.keys(json.nodes).length === 61 ? json : undefined
  })
  const graph = (await server.request('GET', `/v1/graphs/${id}`)).json
  assert.deepEqual(graph.nodes.map(node => node.id).sort(), Object.keys(nodes).sort())
})

test('an answered edit survives a kill', async t => {
  const durable = await Server.start(t, { restartable: true })
  const { json: graph } = await durable.request('POST', '/v1/graphs', { topic: 'Kept' })
  const answered = []
  for (let index = 0; index < 20; index++) {
    const { status, json } = await durable.request('POST', `/v1/graphs/${graph.id}/nodes`, { title: `N${index}` })
    assert.equal(status, 201)
    answered.push(json.id)
  }
  const { json: doomed } = await durable.request('POST', '/v1/graphs', { topic: 'Doomed' })
  assert.equal((await durable.request('DELETE', `/v1/graphs/${doomed.id}`)).status, 204)
  const before = await durable.request('GET', `/v1/graphs/${graph.id}`)
  await durable.kill9()
  await durable.start()
  const after = await durable.request('GET', `/v1/graphs/${graph.id}`)
  assert.deepEqual(after.json.nodes, before.json.nodes)
  assert.ok(answered.every(id => after.json.nodes.some(node => node.id === id)))
  assert.equal((await durable.request('GET', `/v1/graphs/${doomed.id}`)).status, 410, 'a tombstone stays')
  const client = connect(t, durable, doomed.id)
  await until('the provider stops', () => client.provider.shouldConnect === false)
})

test('operations', async () => {
  const live = await server.request('GET', '/live')
  const ready = await server.request('GET', '/ready')
  const health = await server.request('GET', '/health')
  assert.deepEqual([live.status, ready.status, health.status], [200, 200, 200])
  assert.equal(health.json.status, 'ok')
  const metrics = await server.request('GET', '/metrics')
  assert.equal(metrics.status, 200)
  assert.match(metrics.text, /^websocket_connections\b/m)
  assert.match(metrics.text, /^api_request_duration/m)
  const spec = await server.request('GET', '/openapi.json')
  assert.ok(spec.json.paths['/v1/graphs/{id}'] ?? spec.json.paths['/v1/graphs/{graph_id}'])
})

test('errors have one shape', async () => {
  const missing = await server.request('GET', `/v1/graphs/${roomId('missing')}`)
  assert.equal(missing.status, 404)
  assert.deepEqual(Object.keys(missing.json.error).sort(), ['code', 'details', 'message', 'request_id', 'timestamp'])
  assert.equal(missing.headers.get('x-request-id'), missing.json.error.request_id)
  assert.equal((await server.request('GET', '/v1/graphs/a%20b')).status, 400)
  assert.equal((await server.request('POST', '/v1/graphs', '{"topic":')).status, 400)
  const echoed = await server.request('GET', '/live', undefined, { 'x-request-id': 'my-own.id_1' })
  assert.equal(echoed.headers.get('x-request-id'), 'my-own.id_1')
  assert.ok(Number(echoed.headers.get('x-process-time')) >= 0)
})
