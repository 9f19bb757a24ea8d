import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASK_EVERY_MS, Saved, SLOW_AFTER_MS, type SavedState } from '../src/live/saved.ts'

/** A connection that counts questions, and a clock that is moved by hand. */
const setUp = () => {
  let now = 0
  let isOpen = false
  let timers: Array<{ at: number, run: () => void }> = []
  const states: SavedState[] = []
  const world = { questions: 0, states, saved: undefined as unknown as Saved, open: () => {}, close: () => {}, pass: (_ms: number) => {} }
  world.saved = new Saved({
    ask: () => {
      if (isOpen) world.questions++
      return isOpen
    },
    onState: state => states.push(state),
    later: (run, delay_ms) => {
      const timer = { at: now + delay_ms, run }
      timers.push(timer)
      return timer
    },
    cancel: timer => { timers = timers.filter(other => other !== timer) }
  })
  world.pass = ms => {
    const end = now + ms
    for (;;) {
      const [next] = timers.filter(timer => timer.at <= end).sort((a, b) => a.at - b.at)
      if (next === undefined) break
      timers = timers.filter(timer => timer !== next)
      now = next.at
      next.run()
    }
    now = end
  }
  world.open = () => {
    isOpen = true
    world.saved.opened()
  }
  world.close = () => {
    isOpen = false
    world.saved.closed()
  }
  return world
}

/** Open, with the provider's handshake done and the first question answered. */
const settled = () => {
  const world = setUp()
  world.open()
  world.saved.answered()
  world.saved.gave()
  world.pass(ASK_EVERY_MS)
  world.saved.answered()
  assert.equal(world.saved.state, 'saved')
  return world
}

test('an open connection alone is no proof, nor is the answer to the handshake', () => {
  const world = setUp()
  assert.equal(world.saved.state, 'unknown')
  world.open()
  assert.equal(world.saved.state, 'saving')
  world.saved.answered()
  assert.equal(world.saved.state, 'saving')
  world.pass(ASK_EVERY_MS)
  assert.equal(world.questions, 0, 'before the server has asked for what it lacks, a question proves nothing')
  world.saved.gave()
  world.pass(0)
  assert.equal(world.questions, 1)
  world.saved.answered()
  assert.equal(world.saved.state, 'saved')
})

test('when the server asks before it answers the handshake, the answers are told apart', () => {
  const world = setUp()
  world.open()
  world.saved.gave()
  world.pass(1000)
  assert.equal(world.questions, 0, 'one question at a time, and the handshake is one')
  world.saved.answered()
  assert.equal(world.saved.state, 'saving')
  world.pass(ASK_EVERY_MS)
  assert.equal(world.questions, 1)
  world.saved.answered()
  assert.equal(world.saved.state, 'saved')
})

test('a change is saved when a question that was sent after it is answered', () => {
  const world = settled()
  world.pass(1000)
  world.saved.changed()
  assert.equal(world.saved.state, 'saving')
  world.pass(0)
  world.saved.changed()
  world.saved.answered()
  assert.equal(world.saved.state, 'saving', 'the second change came after the question')
  world.pass(ASK_EVERY_MS)
  world.saved.answered()
  assert.equal(world.saved.state, 'saved')
})

test('while the server is silent nothing is saved, one question is enough, and it is said that it is slow', () => {
  const world = settled()
  world.pass(1000)
  const before = world.questions
  for (let letter = 0; letter < 50; letter++) {
    world.saved.changed()
    world.pass(100)
  }
  assert.equal(world.questions - before, 1)
  assert.equal(world.saved.state, 'slow')
  world.pass(SLOW_AFTER_MS)
  assert.ok(!world.states.slice(world.states.indexOf('slow')).includes('saved'))
})

test('typing asks at most once in the interval', () => {
  const world = settled()
  const before = world.questions
  for (let letter = 0; letter < 100; letter++) {
    world.saved.changed()
    world.pass(ASK_EVERY_MS / 10)
    if (world.questions > before) world.saved.answered()
  }
  assert.ok(world.questions - before <= 11, `${world.questions - before}`)
})

test('a lost connection takes unanswered questions with it', () => {
  const world = settled()
  world.pass(1000)
  world.saved.changed()
  world.pass(0)
  world.close()
  assert.equal(world.saved.state, 'unknown')
  world.saved.answered()
  assert.equal(world.saved.state, 'unknown', 'an answer on a closed connection is none')
  world.open()
  world.saved.answered()
  world.saved.gave()
  assert.equal(world.saved.state, 'saving')
  world.pass(ASK_EVERY_MS)
  world.saved.answered()
  assert.equal(world.saved.state, 'saved')
})

test('what is changed while there is no connection is not saved', () => {
  const world = settled()
  world.close()
  assert.equal(world.saved.state, 'saved')
  world.saved.changed()
  assert.equal(world.saved.state, 'unknown')
})

test('a server that asks again lacks something', () => {
  const world = settled()
  world.pass(1000)
  world.saved.gave()
  assert.equal(world.saved.state, 'saving')
  world.pass(0)
  world.saved.answered()
  assert.equal(world.saved.state, 'saved')
})
