/** States of a map that are kept, shown and restored while people have it open. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { converged, freshJSON, join, leave, published, roomId } from '../lib/client.mjs'
import { addEdge, addNode, initMap, nodeOf, toJSON, typeInto } from '../lib/map.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after }, { restartable: true })

const call = async (method, path, body, status = 200) => {
  const response = await server.request(method, path, body)
  assert.equal(response.status, status, response.text)
  return response.json
}

const list = async id => (await call('GET', `/v1/graphs/${id}/versions`)).versions

test('a version is kept, shown and restored as an edit that everybody sees', async t => {
  const id = roomId('restored')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, 'Bees')
  addNode(ada.doc, { id: 'hive', title: 'Hive 🐝', parent: 'root', pos: [1, 0, 2] })
  addEdge(ada.doc, { id: 'e', source: 'root', target: 'hive' })
  ada.doc.getText('text').insert(0, 'free text', { bold: true })
  ada.doc.getArray('list').push([1, { b: 1, a: 2 }, 'x'])
  const before = await converged([ada, bob])
  await published(t, server, id, before)

  const kept = await call('POST', `/v1/graphs/${id}/versions`, { name: 'First', author: 'Ada' }, 201)
  assert.deepEqual([kept.kind, kept.name, kept.author], ['named', 'First', 'Ada'])
  assert.ok(Math.abs(Date.parse(kept.created_at) - Date.now()) < 60_000 && kept.bytes > 0)

  bob.doc.getMap('nodes').delete('hive')
  addNode(bob.doc, { id: 'wasp', title: 'Wasp', parent: 'root' })
  typeInto(nodeOf(ada.doc, 'root').get('title'), ', wasps')
  ada.doc.getText('text').delete(0, 4)
  ada.doc.getArray('list').delete(0, 1)
  bob.doc.getMap('edges').delete('e')
  const later = await converged([ada, bob])
  await published(t, server, id, later)

  const preview = await call('GET', `/v1/graphs/${id}/versions/${kept.id}`)
  assert.equal(preview.id, kept.id)
  assert.deepEqual(preview.graph.nodes.map(node => node.title).sort(), ['Bees', 'Hive 🐝'])
  assert.deepEqual(await freshJSON(t, server, id, toJSON), later, 'looking changes nothing')

  const graph = await call('POST', `/v1/graphs/${id}/versions/${kept.id}/restore`, { author: 'Bob' })
  assert.deepEqual(graph.nodes.map(node => node.title).sort(), ['Bees', 'Hive 🐝'])
  await until('everybody sees it', () => ada.doc.getMap('nodes').has('hive') && bob.doc.getMap('nodes').has('hive'))
  assert.deepEqual(await converged([ada, bob]), before)
  assert.deepEqual(ada.doc.getText('text').toDelta(), [{ insert: 'free text', attributes: { bold: true } }])

  const versions = await list(id)
  assert.deepEqual(versions.slice(0, 2).map(({ kind, author }) => [kind, author]), [['before_restore', 'Bob'], ['named', 'Ada']])
  await call('POST', `/v1/graphs/${id}/versions/${versions[0].id}/restore`)
  await until('it is undone', () => ada.doc.getMap('nodes').has('wasp') && bob.doc.getMap('nodes').has('wasp'))
  assert.deepEqual(await converged([ada, bob]), later)
  await published(t, server, id, later)

  await server.kill9()
  await server.start()
  assert.deepEqual(await freshJSON(t, server, id), later)
  const survived = await list(id)
  assert.deepEqual(survived.find(version => version.id === kept.id), kept)
})

test('restoring what is there already changes nothing', async t => {
  const id = roomId('same')
  await call('POST', '/v1/graphs', { id, topic: 'Same' }, 201)
  const { id: version } = await call('POST', `/v1/graphs/${id}/versions`, { name: 'Now' }, 201)
  const etag = async () => (await server.request('GET', `/v1/graphs/${id}`)).headers.get('etag')
  const before = await etag()
  await call('POST', `/v1/graphs/${id}/versions/${version}/restore`)
  assert.equal(await etag(), before)
})

test('when everybody has left there is an automatic version, with the names of its authors', async t => {
  const id = roomId('automatic')
  const ada = await join(t, server, id, { state: { user: { name: 'Ada' } } })
  initMap(ada.doc, 'Automatic')
  await published(t, server, id, toJSON(ada.doc))
  leave(ada)
  await until('there is one', async () => (await list(id)).length > 0, { deadline_ms: 60_000 })
  const [version] = await list(id)
  assert.deepEqual([version.kind, version.name, version.author], ['automatic', null, 'Ada'])
  const preview = await call('GET', `/v1/graphs/${id}/versions/${version.id}`)
  assert.equal(preview.graph.topic, 'Automatic')

  const named = await call('PATCH', `/v1/graphs/${id}/versions/${version.id}`, { name: 'Worth it' })
  assert.deepEqual([named.kind, named.name, named.author], ['named', 'Worth it', 'Ada'])
  await call('DELETE', `/v1/graphs/${id}/versions/${version.id}`, undefined, 204)
  await call('GET', `/v1/graphs/${id}/versions/${version.id}`, undefined, 404)
  assert.deepEqual(await list(id), [])
})

test('pages of versions follow each other, and what is wrong is said', async t => {
  const id = roomId('pages')
  await call('POST', '/v1/graphs', { id, topic: 'Pages' }, 201)
  for (let n = 0; n < 5; n++) await call('POST', `/v1/graphs/${id}/versions`, { name: `v${n}` }, 201)
  const names = []
  let cursor = ''
  do {
    const page = await call('GET', `/v1/graphs/${id}/versions?limit=2${cursor}`)
    names.push(...page.versions.map(version => version.name))
    cursor = page.next_cursor === null ? null : `&cursor=${page.next_cursor}`
  } while (cursor !== null)
  assert.deepEqual(names, ['v4', 'v3', 'v2', 'v1', 'v0'])

  const refused = async (method, path, body, status, code) => {
    const { error } = await call(method, path, body, status)
    assert.equal(error.code, code)
  }
  const path = `/v1/graphs/${id}/versions`
  await refused('GET', `${path}/999999`, undefined, 404, 'version_not_found')
  await refused('GET', `${path}/nonsense`, undefined, 404, 'version_not_found')
  await refused('POST', `${path}/999999/restore`, {}, 404, 'version_not_found')
  await refused('POST', path, {}, 422, 'validation_failed')
  await refused('POST', path, { name: '' }, 422, 'validation_failed')
  await refused('GET', `${path}?cursor=x`, undefined, 422, 'validation_failed')
  await refused('GET', `/v1/graphs/${roomId('never')}/versions`, undefined, 404, 'graph_not_found')
  const other = roomId('other')
  await call('POST', '/v1/graphs', { id: other, topic: 'Other' }, 201)
  const [{ id: theirs }] = await list(id)
  await refused('GET', `/v1/graphs/${other}/versions/${theirs}`, undefined, 404, 'version_not_found')
  await call('DELETE', `/v1/graphs/${other}`, undefined, 204)
  await refused('GET', `/v1/graphs/${other}/versions`, undefined, 410, 'gone')
})
