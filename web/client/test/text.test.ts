import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Y from 'yjs'
import { diff, Shadow, type Splice } from '../src/schema/text.ts'
import { Random } from './support/random.ts'

const apply = (text: string, { at, remove, insert }: Splice): string => text.slice(0, at) + insert + text.slice(at + remove)

test('the smallest splice, where the caret says it was', () => {
  assert.equal(diff('abc', 'abc'), null)
  assert.deepEqual(diff('abc', 'abXc', 3), { at: 2, remove: 0, insert: 'X' })
  assert.deepEqual(diff('aaa', 'aaaa', 1), { at: 0, remove: 0, insert: 'a' })
  assert.deepEqual(diff('aaa', 'aaaa', 3), { at: 2, remove: 0, insert: 'a' })
  assert.deepEqual(diff('aaa', 'aa', 0), { at: 0, remove: 1, insert: '' })
  assert.deepEqual(diff('abc', 'abXc', 4), { at: 2, remove: 0, insert: 'X' })
  assert.deepEqual(diff('hello', 'help', 4), { at: 3, remove: 2, insert: 'p' })
})

test('a surrogate pair is never cut', () => {
  assert.deepEqual(diff('😀', '😁'), { at: 0, remove: 2, insert: '😁' })
  assert.deepEqual(diff('a😀b', 'a😁b'), { at: 1, remove: 2, insert: '😁' })
  // The same low half behind another high half.
  assert.deepEqual(diff('\u{1F600}', '\u{1FA00}'), { at: 0, remove: 2, insert: '\u{1FA00}' })
  const random = new Random(3)
  const letters = ['a', 'b', '😀', '😁', '\u{1FA00}', 'é']
  const word = () => Array.from({ length: random.below(6) }, () => random.pick(letters)).join('')
  for (let round = 0; round < 20_000; round++) {
    const [before, after] = [word(), word()]
    const splice = diff(before, after, random.below(after.length + 1))
    if (splice === null) continue
    assert.equal(apply(before, splice), after)
    for (const part of [before.slice(0, splice.at), before.slice(splice.at, splice.at + splice.remove), splice.insert]) {
      assert.ok(!/\p{Surrogate}/u.test(part), JSON.stringify([before, after, splice]))
    }
  }
})

test('what a field says during a composition and what others write meanwhile both stay', () => {
  const shadow = new Shadow('map')
  let text = 'map'
  const local = (value: string, caret: number) => { for (const splice of shadow.local(value, caret)) text = apply(text, splice) }
  const remote = (delta: Array<{ retain?: number, delete?: number, insert?: string }>, after: string) => {
    shadow.remote(delta)
    text = after
  }
  local('mapあ', 4)
  remote([{ insert: 'The ' }], 'The mapあ')
  local('mapあい', 5)
  assert.equal(text, 'The mapあい')
  remote([{ retain: 4 }, { delete: 3 }], 'The あい')
  local('map愛', 4)
  assert.equal(text, 'The 愛')
  assert.equal(shadow.place(4), 5)
})

test('letters of others within a selection that is replaced stay', () => {
  const shadow = new Shadow('abcd')
  shadow.remote([{ retain: 2 }, { insert: 'XY' }])
  let text = 'abXYcd'
  for (const splice of shadow.local('aZd', 2)) text = apply(text, splice)
  assert.equal(text.replace('Z', ''), 'aXYd')
  assert.ok(text.includes('Z'))
})

test('a field that falls behind and a shared text end with the letters of everybody', () => {
  const random = new Random(5)
  for (let round = 0; round < 400; round++) {
    const [mine, theirs] = [new Y.Doc(), new Y.Doc()]
    const [text, other] = [mine.getText('t'), theirs.getText('t')]
    text.insert(0, 'abc')
    Y.applyUpdate(theirs, Y.encodeStateAsUpdate(mine))
    const shadow = new Shadow('abc')
    text.observe((event, transaction) => { if (transaction.origin !== 'mine') shadow.remote(event.delta) })
    const written: string[] = []
    for (let step = 0; step < 12; step++) {
      const letter = String.fromCodePoint(0x3040 + written.length)
      if (random.below(2) === 0) {
        const at = random.below(shadow.value.length + 1)
        const value = shadow.value.slice(0, at) + letter + shadow.value.slice(at)
        for (const splice of shadow.local(value, at + 1)) mine.transact(() => text.insert(splice.at, splice.insert), 'mine')
        written.push(letter)
      } else if (random.below(3) > 0) {
        other.insert(random.below(other.length + 1), letter)
        written.push(letter)
      }
      if (random.below(2) === 0) {
        Y.applyUpdate(mine, Y.encodeStateAsUpdate(theirs), 'theirs')
        Y.applyUpdate(theirs, Y.encodeStateAsUpdate(mine))
      }
    }
    Y.applyUpdate(mine, Y.encodeStateAsUpdate(theirs), 'theirs')
    for (const letter of written) assert.ok(text.toString().includes(letter), `round ${round}`)
    assert.equal(text.length, 3 + written.length)
    // What the field shows is in the text in the same sequence.
    let from = 0
    for (const letter of shadow.value) {
      from = text.toString().indexOf(letter, from) + 1
      assert.ok(from > 0, `round ${round}`)
    }
  }
})
