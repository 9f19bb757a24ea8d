import assert from 'node:assert/strict'
import { test } from 'node:test'
import { colorsOf } from '../src/model/color.ts'
import { type GraphJson, modelOf } from '../src/model/past.ts'
import { layOut } from '../src/view/layout.ts'

const node = (id: string, parent_id: string | null, order: string, more = {}) =>
  ({ id, title: id, summary: '', color: '#112233', parent_id, order, collapsed: true, ...more })

const GRAPH: GraphJson = {
  topic: 'Then',
  nodes: [
    node('root', null, 'z9'), node('b', 'root', 'a0', { summary: 'words' }), node('b1', 'b', 'a0', { state: 'proposed', run: 'j', source: 'template', strength: 0.7 }),
    node('a', 'root', 'a1'), node('float', null, 'a0')
  ],
  edges: [
    { id: 'e', source: 'a', target: 'b1', relationship: 'likes' },
    { id: 't', source: 'root', target: 'a', relationship: 'contains', derived: true },
    { id: 'x', source: 'a', target: 'gone', relationship: 'likes' }
  ]
}

test('a version is drawn as the map was, with all branches open', () => {
  const { topic, nodes, edges, tree } = modelOf(GRAPH)
  assert.equal(topic, 'Then')
  assert.equal(tree.root, 'root', 'the first node, though the floating topic comes before it by its key')
  assert.deepEqual(tree.preorder, ['root', 'b', 'b1', 'a', 'float'])
  assert.deepEqual(tree.topics, ['float'])
  assert.deepEqual(edges.map(edge => edge.id), ['e'])
  assert.deepEqual([...nodes.values()].filter(one => one.hasSummary).map(one => one.id), ['b'])
  assert.deepEqual([...nodes.values()].filter(one => one.proposed).map(one => one.id), ['b1'])
  assert.deepEqual([nodes.get('b1')?.run, nodes.get('b1')?.source, nodes.get('b1')?.strength], ['j', 'template', 0.7])
  assert.equal(layOut(tree, nodes, () => ({ w: 10, h: 10 })).boxes.size, 5)
  assert.ok([...colorsOf(tree, nodes).values()].every(color => color === '#112233'))
})

test('an empty map was empty', () => {
  assert.deepEqual(modelOf({ topic: '', nodes: [], edges: [] }).tree, { root: null, topics: [], places: new Map(), preorder: [] })
})
