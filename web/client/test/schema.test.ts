import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Y from 'yjs'
import {
  addEdge, addNode, beginMap, moveNode, readMap, readSummary, removeEdge, removeNode, renameNode, rootsOf, setRelationship, setSummary
} from '../src/schema/index.ts'

const setUp = () => {
  const doc = new Y.Doc()
  const root = beginMap(doc, 'Planets', new Date('2026-01-01T00:00:00Z'))
  const add = (parent: string | null, title: string): string => addNode(doc, { parent }, { title }) ?? assert.fail('no node')
  return { doc, root, add }
}

/** Two people who have the same map. */
const twoOf = (doc: Y.Doc): { other: Y.Doc, meet: () => void } => {
  const other = new Y.Doc()
  const meet = () => {
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(other)))
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)))
  }
  meet()
  return { other, meet }
}

test('a map is made, read, and changed', () => {
  const { doc, root, add } = setUp()
  const inner = add(root, 'Inner')
  const earth = addNode(doc, { parent: inner }, { title: 'Earth', summary: 'Blue.', color: '#3B82F6' }) ?? assert.fail()
  const mars = add(inner, 'Mars')
  let map = readMap(doc)
  assert.equal(map.topic, 'Planets')
  assert.deepEqual(map.tree.preorder.map(id => map.nodes.get(id)?.title), ['Planets', 'Inner', 'Earth', 'Mars'])
  assert.equal(readSummary(doc, earth), 'Blue.')
  assert.equal(map.nodes.get(earth)?.color, '#3B82F6')
  assert.equal(moveNode(doc, mars, { parent: root, at: 0 }), true)
  assert.equal(renameNode(doc, mars, 'The red one'), true)
  assert.equal(setSummary(doc, mars, 'Dusty.'), true)
  map = readMap(doc)
  assert.deepEqual(map.tree.preorder.map(id => map.nodes.get(id)?.title), ['Planets', 'The red one', 'Inner', 'Earth'])
  assert.equal(readSummary(doc, mars), 'Dusty.')
  assert.equal(removeNode(doc, inner), true)
  assert.deepEqual([...readMap(doc).nodes.keys()].sort(), [root, mars].sort())
})

test('what is not there cannot be changed', () => {
  const { doc, root } = setUp()
  const before = Y.encodeStateAsUpdate(doc)
  assert.equal(renameNode(doc, 'nobody', 'x'), false)
  assert.equal(setSummary(doc, 'nobody', 'x'), false)
  assert.equal(readSummary(doc, 'nobody'), null)
  assert.equal(addNode(doc, { parent: 'nobody' }), null)
  assert.equal(moveNode(doc, root, { parent: null }), false)
  assert.equal(removeNode(doc, root), false)
  assert.equal(addEdge(doc, root, 'nobody'), null)
  assert.equal(addEdge(doc, root, root), null)
  assert.equal(setRelationship(doc, 'nobody', 'x'), false)
  assert.equal(removeEdge(doc, 'nobody'), false)
  assert.deepEqual(Y.encodeStateAsUpdate(doc), before)
})

test('two who rename one node keep both changes', () => {
  const { doc, root } = setUp()
  const { other, meet } = twoOf(doc)
  renameNode(doc, root, 'All planets')
  renameNode(other, root, 'Planets and moons')
  meet()
  assert.equal(readMap(doc).nodes.get(root)?.title, 'All planets and moons')
  assert.equal(readMap(other).nodes.get(root)?.title, 'All planets and moons')
})

test('links between nodes', () => {
  const { doc, root, add } = setUp()
  const [a, b] = [add(root, 'a'), add(root, 'b')]
  const edge = addEdge(doc, a, b, 'pulls') ?? assert.fail()
  assert.deepEqual(readMap(doc).edges, [{ id: edge, source: a, target: b, relationship: 'pulls' }])
  assert.equal((rootsOf(doc).edges.get(edge) as Y.Map<unknown>).get('strength'), 1)
  assert.equal(setRelationship(doc, edge, 'pushes'), true)
  assert.equal(readMap(doc).edges[0]?.relationship, 'pushes')
  removeNode(doc, b)
  assert.deepEqual(readMap(doc).edges, [])
  assert.equal(removeEdge(doc, edge), true)
  assert.equal(rootsOf(doc).edges.size, 0)
})

test('what an AI run has made says so, and values of a wrong type count as missing', () => {
  const { doc, add, root } = setUp()
  const { meta, nodes } = rootsOf(doc)
  const id = add(root, 'Orbit')
  const node = nodes.get(id) as Y.Map<unknown>
  const read = () => readMap(doc).nodes.get(id) ?? assert.fail()
  assert.deepEqual([read().source, read().run, read().proposed, read().expandable, read().relationship, read().strength], ['human', null, false, true, '', null])
  const write = (values: Record<string, unknown>) => doc.transact(() => { for (const [key, value] of Object.entries(values)) node.set(key, value) })
  write({ source: 'template', run: 'job-1', state: 'proposed', expandable: false, relationship: 'part of', strength: 0.8 })
  assert.deepEqual([read().source, read().run, read().proposed, read().expandable, read().relationship, read().strength], ['template', 'job-1', true, false, 'part of', 0.8])
  write({ source: 'a ghost', run: 7, state: 'else', expandable: 'no', relationship: 1, strength: 2 })
  assert.deepEqual([read().source, read().run, read().proposed, read().expandable, read().relationship, read().strength], [null, null, false, true, '', null])
  assert.equal(readMap(doc).language, null)
  meta.set('language', 'de')
  assert.equal(readMap(doc).language, 'de')
})
