import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { branch, compareBytes, derive, isInBranch, type ParentLink, type TreeInput } from '../src/schema/tree.ts'

interface Case {
  name: string
  meta_root: string | null
  nodes: Array<{ id: string, parent?: unknown, order?: unknown }>
  expect: { root: string | null, topics: string[], orphans: string[], children: Record<string, string[]>, preorder: string[] }
}

const cases = JSON.parse(readFileSync(new URL('../../../../crdt/tests/vectors/tree.json', import.meta.url), 'utf8')) as Case[]

const linkOf = (parent: unknown): ParentLink => parent === undefined || parent === null ? null : typeof parent === 'string' ? parent : false

const inputOf = ({ nodes }: Case): TreeInput[] =>
  nodes.map(node => ({ id: node.id, parent: linkOf(node.parent), order: typeof node.order === 'string' ? node.order : '' }))

const describe = (input: TreeInput[], root: string | null): Case['expect'] => {
  const tree = derive(input, root)
  const places = [...tree.places.values()]
  return {
    root: tree.root,
    topics: [...tree.topics],
    orphans: places.filter(place => place.isOrphan).map(place => place.id).sort(compareBytes),
    children: Object.fromEntries(places.filter(place => place.children.length > 0).map(place => [place.id, [...place.children]])),
    preorder: [...tree.preorder]
  }
}

test('the vectors that the server shares hold, in either order of the nodes', () => {
  assert.ok(cases.length >= 30)
  for (const one of cases) {
    const input = inputOf(one)
    assert.deepEqual(describe(input, one.meta_root), one.expect, one.name)
    assert.deepEqual(describe([...input].reverse(), one.meta_root), one.expect, `${one.name}, reversed`)
  }
})

test('strings compare as their UTF-8 bytes do', () => {
  const strings = ['', 'a', 'a0', 'b', 'é', '\u{D7FF}', '\u{E000}', '\u{FFFD}', '😀', '😁', '\u{10FFFF}', 'a😀', 'a\u{FFFD}']
  for (const a of strings) {
    for (const b of strings) {
      assert.equal(Math.sign(compareBytes(a, b)), Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))), `${a} ${b}`)
    }
  }
})

test('chains and cycles of a hundred thousand need no recursion', () => {
  const id = (at: number) => String(at).padStart(6, '0')
  for (const first of [null, id(99_999)]) {
    const input = Array.from({ length: 100_000 }, (_, at) => ({ id: id(at), parent: at === 0 ? first : id(at - 1), order: '' }))
    const tree = derive(input, null)
    assert.equal(tree.root, id(0))
    assert.equal(tree.places.get(id(99_999))?.depth, 99_999)
  }
})

test('branches', () => {
  const tree = derive([{ id: 'r', parent: null, order: '' }, { id: 'a', parent: 'r', order: '' }, { id: 'b', parent: 'a', order: '' }], 'r')
  assert.deepEqual(branch(tree, 'a'), ['a', 'b'])
  assert.ok(isInBranch(tree, 'a', 'b') && isInBranch(tree, 'a', 'a') && !isInBranch(tree, 'b', 'a'))
})
