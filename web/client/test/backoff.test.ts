import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Backoff, Intervals } from '../src/backoff.ts'

test('the pause is anything from nothing up to a limit that doubles, and what the server asked for comes on top', () => {
  const most = new Backoff(30_000, () => 0.999999)
  assert.deepEqual([1, 2, 3, 4].map(() => most.next()), [250, 500, 1000, 2000])
  for (let more = 0; more < 100; more++) assert.ok(most.next() <= 30_000)
  assert.equal(most.next(7000), 37_000)
  most.reset()
  assert.equal(most.next(), 250)
  for (let more = 0; more < 20; more++) most.next()
  most.ease()
  assert.equal(most.next(), 1000)
  most.reset()
  most.ease()
  assert.equal(most.next(), 250)
  const least = new Backoff(30_000, () => 0)
  assert.deepEqual([least.next(), least.next(), least.next(500)], [0, 0, 500])
})

test('intervals grow with each failure, around their middle', () => {
  const middle = new Intervals(15_000, 300_000, () => 0.5)
  const next = () => {
    const interval_ms = middle.next()
    assert.equal(middle.next(), interval_ms)
    middle.failed()
    return interval_ms
  }
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7].map(next), [15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000])
  assert.equal(new Intervals(15_000, 300_000, () => 0).next(), 11_250)
})
