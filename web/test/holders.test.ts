import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Other } from '../src/live/presence.ts'
import { holdersOf } from '../src/view/holders.ts'

const other = (id: number, more: Partial<Other> = {}): Other =>
  ({ id, name: `P${id}`, color: '#112233', selected: null, editing: null, cursor: null, drag: null, ...more })

test('a pointer that moves changes nothing, and one who selects changes one node', () => {
  const first = holdersOf([other(1, { selected: 'a' }), other(2, { selected: 'b' }), other(3)], new Map())
  const cursor = { x: 1, y: 2, node: null, dx: 0, dy: 0 }
  assert.equal(holdersOf([other(1, { selected: 'a', cursor }), other(2, { selected: 'b' }), other(3, { cursor })], first), first)
  const next = holdersOf([other(1, { selected: 'a' }), other(2, { selected: 'a' })], first)
  assert.deepEqual([...next.keys()], ['a'])
  assert.deepEqual(next.get('a')?.map(holder => holder.name), ['P1', 'P2'])
  const moved = holdersOf([other(1, { selected: 'a' }), other(2, { selected: 'c' })], first)
  assert.equal(moved.get('a'), first.get('a'))
})

test('who types is where they type, whatever they have selected', () => {
  const holders = holdersOf([other(1, { selected: 'a', editing: { node: 'b', caret: { item: 1 } } })], new Map())
  assert.deepEqual([...holders], [['b', [{ id: 1, name: 'P1', color: '#112233', caret: { item: 1 } }]]])
})
