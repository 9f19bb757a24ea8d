import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterLoss } from '../src/live/link.ts'
import { Notices } from '../src/live/notices.ts'
import { Pauses } from '../src/live/pause.ts'

const pausesFor = (random: number, code: number, times: number): Array<number | null> => {
  const pauses = new Pauses(() => random)
  return Array.from({ length: times }, () => pauses.after(code, 0))
}

test('pauses double up to a bound, and everybody draws lots', () => {
  assert.deepEqual(pausesFor(1, 1008, 5), [8000, 16_000, 32_000, 60_000, 60_000])
  assert.deepEqual(pausesFor(0, 1008, 5), [4000, 8000, 16_000, 30_000, 30_000])
  assert.deepEqual(pausesFor(1, 1013, 6), [200, 400, 800, 1600, 2500, 2500])
  assert.deepEqual(pausesFor(0.5, 1006, 2), [null, null], 'the provider has its own')
})

test('a connection that was good for a minute ends a row of bad ones', () => {
  const pauses = new Pauses(() => 1)
  for (const expected of [8000, 16_000]) assert.equal(pauses.after(1008, 59_999), expected)
  assert.equal(pauses.after(1008, 60_000), 8000)
})

test('a busy server is never asked before it wants to be, nor for ever left alone', () => {
  for (const random of [0, 0.5, 0.999]) {
    const wait_ms = new Pauses(() => random).whenBusy(8000)
    assert.ok(wait_ms >= 8000 && wait_ms <= 10_000, `${wait_ms}`)
  }
  assert.equal(new Pauses(() => 0).whenBusy(null), 15_000)
  assert.equal(new Pauses(() => 0).whenBusy(1e12), 300_000)
})

test('what follows from a loss', () => {
  const notices = new Notices()
  const loss = (code: number, reason = '') => afterLoss({ code, reason, lived_ms: 0, now_ms: 1000 }, notices, new Pauses(() => 0))
  assert.deepEqual(loss(1006), { link: { kind: 'lost', why: 'the server cannot be reached; trying again' }, wait_ms: null })
  assert.deepEqual(loss(1008, 'too many connections from this address'), {
    link: { kind: 'lost', why: 'the server says: too many connections from this address; trying again more slowly', at: new Date(5000) }, wait_ms: 4000
  })
  assert.deepEqual(loss(1013, 'full').link, { kind: 'lost', why: 'the server says: full; trying again' })
  assert.deepEqual(loss(4503), { link: { kind: 'busy', at: new Date(16_000) }, wait_ms: 15_000 })
  notices.hear('{"kind":"fallback","transport":"poll","retry_after_ms":4000}')
  assert.deepEqual(loss(1006), { link: { kind: 'busy', at: new Date(5000) }, wait_ms: 4000 }, 'its last frame may be lost')
  notices.hear('{"kind":"draining","reconnect_after_ms":300}')
  assert.deepEqual(loss(1012), { link: { kind: 'moving' }, wait_ms: 300 })
  notices.forget()
  assert.equal(loss(1006).link.kind, 'lost')
})
