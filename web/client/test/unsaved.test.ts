import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sent, Unsaved } from '../src/unsaved.ts'

const setUp = (hasContent = false) => {
  const told: boolean[] = []
  const unsaved = new Unsaved(hasContent, hasUnsaved => told.push(hasUnsaved))
  return { unsaved, told, link: () => new Sent(unsaved) }
}

test('a change is unsaved until the edit that brought it is acknowledged', () => {
  const { unsaved, told, link } = setUp()
  const sent = link()
  sent.gave()
  assert.equal(unsaved.hasUnsaved, false)
  unsaved.changed()
  sent.gave()
  unsaved.changed()
  sent.gave()
  sent.acknowledged(2)
  assert.equal(unsaved.hasUnsaved, true)
  sent.acknowledged(3)
  assert.equal(unsaved.hasUnsaved, false)
  assert.deepEqual(told, [true, false])
})

test('what was not acknowledged on one link is so on the next, once that has brought all', () => {
  const { unsaved, link } = setUp()
  const first = link()
  unsaved.changed()
  first.gave()
  const second = link()
  unsaved.changed()
  second.gave()
  assert.equal(unsaved.hasUnsaved, true)
  second.acknowledged(1)
  assert.equal(unsaved.hasUnsaved, false)
  first.acknowledged(1)
  assert.equal(unsaved.hasUnsaved, false)
})

test('acknowledgements of more than was sent, or of less than before, mean nothing', () => {
  const { unsaved, link } = setUp(true)
  assert.equal(unsaved.hasUnsaved, true)
  const sent = link()
  sent.acknowledged(5)
  assert.equal(unsaved.hasUnsaved, true)
  sent.gave()
  sent.acknowledged(0)
  sent.acknowledged(1)
  unsaved.changed()
  sent.acknowledged(1)
  assert.equal(unsaved.hasUnsaved, true)
})
