import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MapModel } from '../client/src/schema/mirror.ts'
import { derive } from '../client/src/schema/tree.ts'
import { Folds } from '../src/view/folds.ts'
import { nodeData } from './node.ts'

const modelOf = (collapsed: boolean): MapModel => {
  const node = (id: string, parent: string | null, isCollapsed: boolean) => nodeData(id, parent, { collapsed: isCollapsed })
  const list = [node('r', null, false), node('a', 'r', collapsed), node('b', 'a', false)]
  return { topic: '', language: null, nodes: new Map(list.map(one => [one.id, one])), edges: [], tree: derive(list, 'r') }
}

test('what one opens and closes for oneself lies over what the map says, and nothing else is touched', () => {
  const folds = new Folds()
  const model = modelOf(true)
  assert.equal(folds.over(model), model)
  folds.set('a', false)
  folds.set('gone', true)
  const seen = folds.over(model)
  assert.equal(seen.nodes.get('a')?.collapsed, false)
  assert.equal(model.nodes.get('a')?.collapsed, true)
  assert.equal(seen.nodes.get('b'), model.nodes.get('b'))
  assert.deepEqual([...seen.nodes.keys()], ['r', 'a', 'b'])
  // Somebody else opens and closes it: here it stays what it was made.
  assert.equal(folds.over(modelOf(false)).nodes.get('a')?.collapsed, false)
  folds.set('a', true)
  assert.equal(folds.over(modelOf(false)).nodes.get('a')?.collapsed, true)
  folds.clear()
  assert.equal(folds.over(model), model)
})
