import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Saved, SLOW_AFTER_MS, type SavedState } from '../src/live/saved.ts'
import { editIn } from '../src/live/socket.ts'

/** A clock that is moved by hand. */
const setUp = () => {
  let now = 0
  let timers: Array<{ at: number, run: () => void }> = []
  const states: SavedState[] = []
  const saved = new Saved({
    onState: state => states.push(state),
    later: (run, delay_ms) => {
      const timer = { at: now + delay_ms, run }
      timers.push(timer)
      return timer
    },
    cancel: timer => { timers = timers.filter(other => other !== timer) }
  })
  const pass = (ms: number) => {
    now += ms
    const due = timers.filter(timer => timer.at <= now)
    timers = timers.filter(timer => timer.at > now)
    for (const timer of due) timer.run()
  }
  return { saved, states, pass, timers: () => timers.length }
}

/** Open, with the server's question answered and the answer on disk. */
const settled = () => {
  const world = setUp()
  world.saved.opened()
  world.saved.gave('all')
  world.saved.acknowledged(1)
  assert.equal(world.saved.state, 'saved')
  return world
}

test('an open connection alone is no proof, nor is an edit that was sent', () => {
  const { saved } = setUp()
  assert.equal(saved.state, 'unknown')
  saved.opened()
  assert.equal(saved.state, 'saving')
  saved.gave('all')
  assert.equal(saved.state, 'saving')
  saved.acknowledged(1)
  assert.equal(saved.state, 'saved')
})

test('before the server has asked for what it lacks, acknowledged edits prove nothing', () => {
  const { saved } = setUp()
  saved.opened()
  saved.gave('one')
  saved.acknowledged(1)
  assert.equal(saved.state, 'saving', 'what was changed before the connection was opened is not among them')
  saved.gave('all')
  saved.acknowledged(2)
  assert.equal(saved.state, 'saved')
})

test('every edit counts, and all of them must be acknowledged', () => {
  const { saved, states } = settled()
  for (let edit = 0; edit < 10; edit++) saved.gave('one')
  for (let edits = 1; edits <= 10; edits++) {
    saved.acknowledged(edits)
    assert.equal(saved.state, 'saving', `${edits} of 11`)
  }
  saved.acknowledged(11)
  assert.deepEqual(states, ['saving', 'saved', 'saving', 'saved'])
})

test('an acknowledgement that comes late, twice, or for more than was sent is no credit', () => {
  const { saved } = settled()
  saved.gave('one')
  saved.acknowledged(9)
  assert.equal(saved.state, 'saved')
  saved.gave('one')
  saved.acknowledged(2)
  assert.equal(saved.state, 'saving', 'the number before covers nothing that was sent after it')
  saved.acknowledged(3)
  assert.equal(saved.state, 'saved')
})

test('each connection counts anew, and what was not acknowledged is sent again', () => {
  const { saved } = settled()
  saved.gave('one')
  saved.closed()
  assert.equal(saved.state, 'unknown')
  saved.opened()
  saved.acknowledged(2)
  assert.equal(saved.state, 'saving', 'what the last connection was told counts no more')
  saved.gave('all')
  assert.equal(saved.state, 'saving')
  saved.acknowledged(1)
  assert.equal(saved.state, 'saved')
})

test('what is changed while there is no connection, or while it is closing, is not saved', () => {
  const { saved } = settled()
  saved.closed()
  assert.equal(saved.state, 'saved', 'nothing was changed since it was')
  saved.missed()
  assert.equal(saved.state, 'unknown')
  saved.opened()
  saved.gave('all')
  saved.acknowledged(1)
  assert.equal(saved.state, 'saved')
  saved.missed()
  assert.equal(saved.state, 'saving')
  saved.closed()
  assert.equal(saved.state, 'unknown')
})

test('what was refused is never called saved, and the next connection tries anew', () => {
  const { saved, timers } = settled()
  saved.gave('one')
  saved.refused()
  assert.equal(saved.state, 'refused')
  assert.equal(timers(), 0, 'nothing is waited for')
  saved.gave('one')
  saved.acknowledged(3)
  assert.equal(saved.state, 'refused')
  saved.closed()
  assert.equal(saved.state, 'refused')
  saved.opened()
  saved.acknowledged(1)
  assert.equal(saved.state, 'saving')
  saved.gave('all')
  saved.acknowledged(1)
  assert.equal(saved.state, 'saved', 'whoever got the right to edit')
})

test('it is said when a saving takes long, until it is done', () => {
  const { saved, states, pass, timers } = settled()
  saved.gave('one')
  pass(SLOW_AFTER_MS - 1)
  assert.equal(saved.state, 'saving')
  pass(1)
  assert.equal(saved.state, 'slow')
  saved.gave('one')
  saved.acknowledged(2)
  assert.equal(saved.state, 'slow')
  saved.acknowledged(3)
  assert.equal(saved.state, 'saved')
  saved.gave('one')
  assert.equal(saved.state, 'saving')
  saved.destroy()
  assert.equal(timers(), 0)
  assert.deepEqual(states.slice(2), ['saving', 'slow', 'saved', 'saving', 'unknown'])
})

test('what counts as an edit', () => {
  const kinds = [[0, 0, 1, 0], [0, 1, 2, 0, 0], [0, 2, 2, 0, 0], [0, 3], [1, 1], [3], [120, 1], [], [0]].map(bytes => editIn(Uint8Array.from(bytes)))
  assert.deepEqual(kinds, [null, 'all', 'one', null, null, null, null, null, null])
  assert.equal(editIn('0,1'), null)
})
