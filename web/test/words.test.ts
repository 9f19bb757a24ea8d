import assert from 'node:assert/strict'
import { test } from 'node:test'
import { endingOf, lossOf } from '../src/live/close.ts'
import { colorsOf, isBright, lighter } from '../src/model/color.ts'
import { derive } from '../client/src/schema/tree.ts'
import { coherenceOf } from '../src/model/coherence.ts'
import { ago } from '../src/view/ago.ts'
import { nodeData } from './node.ts'

test('each code that ends for good says what to do, and unknown ones give the reason', () => {
  for (const code of [4400, 4401, 4403, 4404, 4410, 4413]) {
    const { title, advice } = endingOf(code, 'secret')
    assert.ok(title.length > 10 && advice.length > 20 && !advice.includes('secret'), `${code}`)
  }
  assert.equal(endingOf(4410, '').isEditable, false)
  assert.equal(endingOf(4410, '').canRetry, false)
  // What is too large can only be made smaller by editing.
  assert.ok(endingOf(4413, '').isEditable && endingOf(4413, '').canRetry)
  assert.equal(endingOf(4499, 'closed for lunch').advice, 'Closed for lunch.')
  assert.equal(endingOf(4499, 'closed', 'closed for lunch, back at 14:00').advice, 'Closed for lunch, back at 14:00.')
  assert.notEqual(endingOf(4499, '').advice, '')
  assert.equal(endingOf(4403, '', 'your token says nothing of this map').advice, 'Your token says nothing of this map. Ask whoever shared it with you for access.')
  assert.equal(endingOf(4404, '', 'no such graph').advice, endingOf(4404, '').advice)
})

test('a code that is tried again says that it is', () => {
  for (const code of [0, 1006, 1008, 1012, 1013, 4503]) {
    for (const words of [null, ' ', 'the store does not answer']) assert.match(lossOf(code, words), /again/, `${code}`)
  }
  assert.equal(lossOf(1008, null, ' too fast '), 'the server says: too fast; trying again more slowly')
  assert.equal(lossOf(1013, 'the store does not answer', 'the sto'), 'the server says: the store does not answer; trying again')
})

test('colours follow from the parents as the server says', () => {
  assert.equal(lighter('#8B5CF6'), '#A884F8')
  const node = (id: string, parent: string | null, color: string | null) => nodeData(id, parent, { color })
  const list = [node('r', null, null), node('a', 'r', '#3B82F6'), node('b', 'a', null), node('c', 'r', null), node('t', null, null)]
  const colors = colorsOf(derive(list, 'r'), new Map(list.map(one => [one.id, one])))
  assert.deepEqual(Object.fromEntries(colors), { r: '#8B5CF6', a: '#3B82F6', b: lighter('#3B82F6'), c: '#A884F8', t: '#6B7280' })
  assert.ok(isBright('#FFFF00') && isBright('#FFFFFF') && !isBright('#000000') && !isBright('#8B5CF6'))
})

test('times in words', () => {
  const now = new Date('2026-03-10T12:00:00Z')
  const words = (then: string) => ago(new Date(then), now)
  assert.equal(words('2026-03-10T11:59:50Z'), 'just now')
  assert.equal(words('2026-03-10T12:00:30Z'), 'just now')
  assert.equal(words('2026-03-10T11:58:00Z'), '2 minutes ago')
  assert.equal(words('2026-03-09T11:00:00Z'), 'yesterday')
  assert.equal(words('2024-01-01T00:00:00Z'), '2 years ago')
})

test('what a check found is read as far as it makes sense', () => {
  assert.deepEqual(coherenceOf({ coherence_score: 1.4, strengths: ['a', 1, ' ', 'a'], improvements: 'x', missing_concepts: ['b'] }), { score: 1, strengths: ['a'], improvements: [], missing: ['b'] })
  for (const nothing of [null, undefined, {}, { coherence_score: '1' }]) assert.equal(coherenceOf(nothing), null)
})
