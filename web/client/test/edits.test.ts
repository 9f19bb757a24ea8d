import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Y from 'yjs'
import { addNode, beginMap, editableText, followRootTitle, Local, moveNode, removeBranch, setCollapsed, setColor } from '../src/schema/edits.ts'
import { Mirror } from '../src/schema/mirror.ts'
import { nodeMap, rootsOf } from '../src/schema/schema.ts'

const newMap = () => {
  const doc = new Y.Doc()
  const root = beginMap(doc, 'Topic', new Date('2026-01-01T00:00:00Z'))
  const add = (parent: string, at = 99): string => addNode(doc, { parent, at }) ?? assert.fail('no node')
  const tree = () => new Mirror(doc, () => {}).read().tree
  return { doc, root, add, tree }
}

test('the first node carries the topic, and a second beginning is none', () => {
  const { doc, root } = newMap()
  assert.deepEqual(doc.getMap('meta').toJSON(), { root, schema: 1, topic: 'Topic', created_at: '2026-01-01T00:00:00.000Z' })
  const node = (doc.getMap('nodes').toJSON())[root] as object
  assert.deepEqual(node, { title: 'Topic', summary: '', parent: null, order: 'a0', source: 'human' })
  assert.equal(beginMap(doc, 'Other', new Date()), root)
  assert.equal(doc.getMap('nodes').size, 1)
})

test('nodes are added where they are asked for', () => {
  const { root, add, tree } = newMap()
  const [a, b] = [add(root), add(root)]
  const c = add(root, 1)
  assert.deepEqual(tree().places.get(root)?.children, [a, c, b])
})

test('a node never goes under itself, and the root stays', () => {
  const { doc, root, add, tree } = newMap()
  const a = add(root)
  const b = add(a)
  assert.equal(moveNode(doc, a, { parent: b, at: 0 }), false)
  assert.equal(moveNode(doc, a, { parent: a, at: 0 }), false)
  assert.equal(moveNode(doc, root, { parent: a, at: 0 }), false)
  assert.equal(removeBranch(doc, root), false)
  assert.equal(moveNode(doc, b, { parent: root, at: 0 }), true)
  assert.deepEqual(tree().places.get(root)?.children, [b, a])
})

test('a branch goes as a whole, and comes back as a whole', () => {
  const { doc, root, add } = newMap()
  const { meta, nodes } = rootsOf(doc)
  const undo = new Y.UndoManager([meta, nodes], { trackedOrigins: new Set([Local]) })
  const a = add(root)
  add(add(a))
  undo.stopCapturing()
  assert.equal(removeBranch(doc, a), true)
  assert.deepEqual([...nodes.keys()], [root])
  undo.undo()
  assert.equal(nodes.size, 4)
})

test('moving one of a cycle leaves the others where they were seen', () => {
  const { doc, root, add, tree } = newMap()
  const [a, b] = [add(root), add(root)].sort() as [string, string]
  nodeMap(rootsOf(doc), a)?.set('parent', b)
  nodeMap(rootsOf(doc), b)?.set('parent', a)
  assert.deepEqual(tree().places.get(root)?.children, [a])
  const c = add(root)
  assert.equal(moveNode(doc, b, { parent: c, at: 0 }), true)
  assert.equal(tree().places.get(a)?.parent, root)
  assert.equal(tree().places.get(b)?.parent, c)
})

test('adding under a closed branch opens it; closing and colours are written once', () => {
  const { doc, root, add } = newMap()
  const a = add(root)
  setCollapsed(doc, a, true)
  add(a)
  assert.equal(nodeMap(rootsOf(doc), a)?.get('collapsed'), false)
  setColor(doc, a, '#112233')
  const before = Y.encodeStateVector(doc)
  setColor(doc, a, '#112233')
  assert.deepEqual(Y.encodeStateVector(doc), before)
  setColor(doc, a, null)
  assert.equal(nodeMap(rootsOf(doc), a)?.has('color'), false)
})

test('a plain title becomes a text when somebody types into it', () => {
  const { doc, root } = newMap()
  nodeMap(rootsOf(doc), root)?.set('title', 'plain')
  assert.equal(editableText(doc, root, 'title')?.toString(), 'plain')
  assert.ok(nodeMap(rootsOf(doc), root)?.get('title') instanceof Y.Text)
  const text = editableText(doc, root, 'title')
  assert.equal(editableText(doc, root, 'title'), text)
  text?.insertEmbed(0, { image: 'x' })
  assert.equal(editableText(doc, root, 'title')?.length, 5)
})

test('the name of the map follows its root until it gets one of its own', () => {
  const { doc, root } = newMap()
  editableText(doc, root, 'title')?.insert(5, 's')
  followRootTitle(doc, 'Topic')
  assert.equal(doc.getMap('meta').get('topic'), 'Topics')
  doc.getMap('meta').set('topic', 'Own')
  editableText(doc, root, 'title')?.insert(0, 'X')
  followRootTitle(doc, 'Topics')
  assert.equal(doc.getMap('meta').get('topic'), 'Own')
})

test('the mirror reads what has changed, whatever else a room carries', () => {
  const { doc, root, add } = newMap()
  let calls = 0
  const mirror = new Mirror(doc, () => calls++)
  const a = add(root)
  doc.getMap('nodes').set('odd', 'no map')
  doc.getMap('edges').set('e', new Y.Map(Object.entries({ source: root, target: a })))
  doc.getMap('edges').set('gone', new Y.Map(Object.entries({ source: root, target: 'nobody' })))
  doc.getText('other').insert(0, 'x')
  const first = mirror.read()
  assert.deepEqual([...first.nodes.keys()].sort(), [root, a].sort())
  assert.deepEqual(first.edges.map(edge => edge.id), ['e'])
  editableText(doc, a, 'title')?.insert(0, 'new')
  const second = mirror.read()
  assert.equal(second.nodes.get(a)?.title, 'new')
  assert.equal(second.tree, first.tree, 'a title does not move anything')
  assert.equal(first.nodes.get(a)?.title, '', 'what was read stays as it was')
  assert.ok(calls >= 5)
})
