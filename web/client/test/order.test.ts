import assert from 'node:assert/strict'
import { test } from 'node:test'
import { between, isKey, tryBetween, tryManyBetween } from '../src/schema/order.ts'
import { placeAmong, sideOf } from '../src/schema/place.ts'
import { compareBytes } from '../src/schema/tree.ts'
import { Random } from './support/random.ts'

/** The same cases as in the server's `crdt/src/map/order/tests.rs`. */
const CASES: Array<[string | null, string | null, string]> = [
  [null, null, 'a0'], [null, 'a0', 'Zz'], [null, 'Zz', 'Zy'], ['a0', null, 'a1'], ['a1', null, 'a2'], ['a0', 'a1', 'a0V'],
  ['a1', 'a2', 'a1V'], ['a0V', 'a1', 'a0l'], ['Zz', 'a0', 'ZzV'], ['Zz', 'a1', 'a0'], [null, 'Y00', 'Xzzz'], ['bzz', null, 'c000'],
  ['a0', 'a0V', 'a0G'], ['a0', 'a0G', 'a08'], ['b125', 'b129', 'b127'], ['a0', 'a1V', 'a1'], ['Zz', 'a01', 'a0'], [null, 'a0V', 'a0'],
  [null, 'b999', 'b99'], [null, 'A000000000000000000000000001', 'A000000000000000000000000000V'],
  ['zzzzzzzzzzzzzzzzzzzzzzzzzzy', null, 'zzzzzzzzzzzzzzzzzzzzzzzzzzz'],
  ['zzzzzzzzzzzzzzzzzzzzzzzzzzz', null, 'zzzzzzzzzzzzzzzzzzzzzzzzzzzV'],
  ['a0V', 'a0W', 'a0VV'], ['a0z', 'a1', 'a0zV'], ['a0', 'a01', 'a00V'], ['a0', 'a001', 'a000V'], ['Zzz', 'a0', 'ZzzV']
]

test('keys are those that the server makes', () => {
  for (const [lower, upper, expected] of CASES) assert.equal(between(lower, upper), expected, `${lower} ${upper}`)
})

test('bounds that leave no room give a key above the lower', () => {
  for (const [lower, upper] of [['a1', 'a1'], ['a2', 'a1'], ['x', 'x0'], ['x', 'x\0'], ['q~', 'q~']] as const) {
    assert.equal(tryBetween(lower, upper), null, `${lower} ${upper}`)
    assert.ok(compareBytes(between(lower, upper), lower) > 0)
  }
  assert.equal(tryBetween(null, ''), null)
})

test('any strings are honoured as bounds', () => {
  const random = new Random(7)
  const pieces = ['0', '1', 'a', 'z', 'Z', 'é', '😀', '~', ' ', 'a0', 'Zz', '\u{FFFD}']
  const string = () => Array.from({ length: random.below(4) }, () => random.pick(pieces)).join('')
  for (let round = 0; round < 20_000; round++) {
    const [lower, upper] = [string(), string()]
    const key = tryBetween(lower, upper)
    if (key !== null) assert.ok(compareBytes(lower, key) < 0 && compareBytes(key, upper) < 0, JSON.stringify([lower, key, upper]))
    assert.ok(compareBytes(between(lower, null), lower) > 0, lower)
  }
})

test('keys stay strictly ordered wherever they are inserted', () => {
  const random = new Random(11)
  for (let round = 0; round < 30; round++) {
    const keys: string[] = []
    for (let step = 0; step < 150; step++) {
      const at = random.below(keys.length + 1)
      const { key, rekeyed } = placeAmong(keys, at, random.pick(['left', 'right', undefined]))
      assert.deepEqual(rekeyed, [])
      keys.splice(at, 0, key)
      assert.ok(isKey(key), key)
    }
    assert.deepEqual(keys, [...keys].sort(compareBytes))
    assert.equal(new Set(keys).size, keys.length)
  }
})

test('siblings that share a key make room, and as few as possible get new ones', () => {
  const orders = ['a0', 'a1', 'a1', 'a2']
  const { key, rekeyed } = placeAmong(orders, 2)
  const after = [...orders]
  for (const [at, fresh] of rekeyed) after[at] = fresh
  after.splice(2, 0, key)
  assert.deepEqual(after, [...after].sort(compareBytes))
  assert.equal(new Set(after).size, 5)
  assert.deepEqual(rekeyed.map(([at]) => at), [2])
})

test('a key for a side of the root is found between any neighbours', () => {
  for (const side of ['left', 'right'] as const) {
    for (const [orders, at] of [[[], 0], [['a0'], 1], [['a0', 'a1'], 1], [['a0', 'a0V', 'a1'], 2], [['a0'], 0]] as const) {
      assert.equal(sideOf(placeAmong(orders, at, side).key), side, `${orders.join()} ${at}`)
    }
  }
})

test('appended branches alternate between the sides', () => {
  const keys = tryManyBetween(null, null, 6) ?? []
  assert.deepEqual(keys.map(sideOf), ['right', 'left', 'right', 'left', 'right', 'left'])
})
