import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeData } from '../client/src/schema/schema.ts'
import { derive } from '../client/src/schema/tree.ts'
import { dropAt } from '../src/view/drop.ts'
import { type Box, layOut, type Layout } from '../src/view/layout.ts'
import { shift, walk } from '../src/view/walk.ts'
import { nodeData } from './node.ts'
import { Random } from '../client/test/support/random.ts'

const nodeOf = (id: string, parent: string | null, order: string, collapsed = false): NodeData =>
  nodeData(id, parent, { order, collapsed })

const make = (list: NodeData[], size = (_id: string) => ({ w: 100, h: 40 })) => {
  const nodes = new Map(list.map(node => [node.id, node]))
  const tree = derive(list, 'r')
  return { tree, nodes, layout: layOut(tree, nodes, size) }
}

/** r with a (right), b (left), c (right), d (left); a1 and a2 under a. */
const small = (closed = false) => make([
  nodeOf('r', null, 'a0'), nodeOf('a', 'r', 'a0', closed), nodeOf('b', 'r', 'a1'), nodeOf('c', 'r', 'a2'), nodeOf('d', 'r', 'a3'),
  nodeOf('a1', 'a', 'a0'), nodeOf('a2', 'a', 'a1')
])

const overlap = (a: Box, b: Box): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h

const assertApart = ({ boxes }: Layout): void => {
  const sorted = [...boxes.values()].sort((a, b) => a.y - b.y)
  for (const [at, a] of sorted.entries()) {
    for (let next = at + 1; next < sorted.length && (sorted[next] as Box).y < a.y + a.h; next++) {
      assert.ok(!overlap(a, sorted[next] as Box), `${a.id} and ${(sorted[next] as Box).id} overlap`)
    }
  }
}

test('the root is in the middle and its branches are on both sides', () => {
  const { boxes } = small().layout
  assert.deepEqual([boxes.get('r')?.x, boxes.get('r')?.y], [-50, -20])
  for (const id of ['a', 'c', 'a1']) assert.ok((boxes.get(id)?.x ?? 0) > 50, id)
  for (const id of ['b', 'd']) assert.ok((boxes.get(id)?.x ?? 0) < -150, id)
  assert.ok((boxes.get('a')?.y ?? 0) < (boxes.get('c')?.y ?? 0))
})

test('cards of any size never overlap', () => {
  const random = new Random(1)
  for (let round = 0; round < 60; round++) {
    const list = [nodeOf('r', null, 'a0')]
    const sizes = new Map<string, { w: number, h: number }>()
    for (let at = 0; at < 150; at++) {
      const parent = random.below(12) === 0 ? null : (list[random.below(list.length)] as NodeData).id
      list.push(nodeOf(`n${at}`, parent, `a${random.below(10)}`, random.below(10) === 0))
    }
    for (const { id } of list) sizes.set(id, { w: 30 + random.below(230), h: 20 + random.below(140) })
    assertApart(make(list, id => sizes.get(id) ?? { w: 0, h: 0 }).layout)
  }
})

test('ten thousand nodes, and a chain of ten thousand, are laid out', () => {
  const wide = Array.from({ length: 10_000 }, (_, at) => nodeOf(`n${at}`, at < 10 ? 'r' : `n${Math.floor(at / 4)}`, `a${at % 10}`))
  const deep = Array.from({ length: 10_000 }, (_, at) => nodeOf(`n${at}`, at === 0 ? 'r' : `n${at - 1}`, 'a0'))
  for (const list of [wide, deep]) assert.equal(make([nodeOf('r', null, 'a0'), ...list]).layout.boxes.size, 10_001)
})

test('a closed branch hides what is below it and counts it', () => {
  const { boxes } = small(true).layout
  assert.ok(!boxes.has('a1'))
  assert.equal(boxes.get('a')?.hidden, 2)
})

test('a new last child moves no other branch to the other side', () => {
  const before = small().layout.boxes
  const list = ['a0', 'a1', 'a2', 'a3', 'a4'].map((order, at) => nodeOf('abcde'.charAt(at), 'r', order))
  const after = make([nodeOf('r', null, 'a0'), ...list]).layout.boxes
  for (const id of ['a', 'b', 'c', 'd']) assert.equal(after.get(id)?.side, before.get(id)?.side)
})

test('the arrows lead where one sees something', () => {
  const { tree, layout } = small()
  const from = (id: string | null, ...path: Array<'up' | 'down' | 'left' | 'right'>) =>
    path.reduce<string | null>((at, direction) => walk(tree, layout, at, direction) ?? at, id)
  assert.equal(from(null, 'up'), 'r')
  assert.equal(from('a', 'down'), 'c')
  assert.equal(from('c', 'up'), 'a')
  assert.equal(from('a', 'left'), 'r')
  assert.equal(from('b', 'right'), 'r')
  assert.ok(['b', 'd'].includes(from('r', 'left') ?? ''))
  assert.equal(from('a', 'right', 'down', 'left'), 'a')
  assert.equal(from('d', 'down'), 'd')
})

test('Alt and an arrow move among what one sees, in, out and across', () => {
  const { tree, layout } = small()
  assert.deepEqual(shift(tree, layout, 'c', 'up'), { parent: 'r', at: 0, side: 'right' })
  assert.deepEqual(shift(tree, layout, 'a', 'down'), { parent: 'r', at: 2, side: 'right' })
  assert.equal(shift(tree, layout, 'a', 'up'), null)
  assert.deepEqual(shift(tree, layout, 'c', 'right'), { parent: 'a', at: 2 })
  assert.deepEqual(shift(tree, layout, 'a1', 'left'), { parent: 'r', at: 1, side: 'right' })
  assert.deepEqual(shift(tree, layout, 'a', 'left'), { parent: 'r', at: 3, side: 'left' })
  assert.equal(shift(tree, layout, 'r', 'left'), null)
})

test('a drop lands inside, above or below the card under it, never in the dragged branch', () => {
  const { tree, layout } = small()
  const at = (id: string, share: number) => {
    const box = layout.boxes.get(id) as Box
    return { x: box.x + 50, y: box.y + box.h * share }
  }
  assert.deepEqual(dropAt(tree, layout, 'b', at('c', 0.5))?.spot, { parent: 'c', at: 0 })
  assert.deepEqual(dropAt(tree, layout, 'b', at('c', 0.1))?.spot, { parent: 'r', at: 1, side: 'right' })
  assert.deepEqual(dropAt(tree, layout, 'b', at('a2', 0.9))?.spot, { parent: 'a', at: 2 })
  assert.deepEqual(dropAt(tree, layout, 'c', { x: -10, y: 0 })?.spot, { parent: 'r', at: 3, side: 'left' })
  assert.equal(dropAt(tree, layout, 'a', at('a1', 0.5))?.target === 'a1', false)
  assert.equal(dropAt(tree, layout, 'a', { x: 0, y: 5000 }), null)
})
