import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Presence } from '../src/live/presence.ts'

globalThis.requestAnimationFrame = run => {
  run(0)
  return 0
}
globalThis.cancelAnimationFrame = () => {}

const setUp = (t: TestContext) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const awareness = new Awareness(new Y.Doc())
  const presence = new Presence(awareness)
  t.after(() => {
    presence.destroy()
    awareness.destroy()
  })
  return { awareness, presence, cursor: (): unknown => awareness.getLocalState()?.['cursor'] }
}

const at = (x: number) => ({ x, y: 0, node: null, dx: 0, dy: 0 })

test('a pointer is told at most twenty times a second, and the last place is', t => {
  const { awareness, presence, cursor } = setUp(t)
  let told = 0
  awareness.on('update', () => told++)
  for (let x = 0; x < 100; x++) {
    presence.point(at(x))
    t.mock.timers.tick(10)
  }
  t.mock.timers.tick(100)
  assert.ok(told >= 10 && told <= 21, `${told} in a second`)
  assert.deepEqual(cursor(), at(99))
})

test('a pointer that rests goes, and comes back when it moves', t => {
  const { presence, cursor } = setUp(t)
  presence.point(at(1))
  t.mock.timers.tick(9_000)
  assert.deepEqual(cursor(), at(1))
  t.mock.timers.tick(1_200)
  t.mock.timers.tick(100)
  assert.equal(cursor(), null)
  presence.point(at(2))
  t.mock.timers.tick(100)
  assert.deepEqual(cursor(), at(2))
})

test('what others say is believed as far as it makes sense', t => {
  const { awareness, presence } = setUp(t)
  const say = (id: number, state: Record<string, unknown>) => {
    awareness.states.set(id, state)
    awareness.emit('change', [{ added: [], updated: [id], removed: [] }, 'test'])
  }
  say(awareness.clientID + 1, { user: { name: '  ', color: '#112233' }, selected: 7, cursor: { x: 1e99, y: 0 }, editing: 'no', drag: {} })
  assert.deepEqual(presence.others.value, [
    { id: awareness.clientID + 1, name: 'Somebody', color: '#112233', selected: null, editing: null, cursor: null, drag: null }
  ])
  for (const user of [undefined, null, 'x', { name: 1, color: '#112233' }, { name: 'a', color: 'red' }, { name: 'a', color: '#11223' }]) {
    say(awareness.clientID + 1, { user })
    assert.deepEqual(presence.others.value, [], JSON.stringify(user))
  }
})

test('the AI is no person: it is not among them, and its runs are read as far as they make sense', t => {
  const { awareness, presence } = setUp(t)
  const say = (runs: unknown) => {
    awareness.states.set(awareness.clientID + 1, { user: { name: 'AI: expanding “Orbit”', color: '#8B5CF6' }, ai: { runs }, selected: 'n' })
    awareness.emit('change', [{ added: [], updated: [awareness.clientID + 1], removed: [] }, 'test'])
  }
  const run = { job_id: 'j', kind: 'expand', node_id: 'n', step: 'children', progress: 7 }
  say([run, { job_id: 'k', kind: 'generate' }, null, 'x', { kind: 'expand' }, { ...run, progress: 0.5 }])
  assert.deepEqual(presence.others.value, [])
  const before = presence.runs.value
  assert.deepEqual(before, [
    { id: 'j', kind: 'expand', node: 'n', step: 'children', progress: 0.5 }, { id: 'k', kind: 'generate', node: null, step: '', progress: 0 }
  ])
  presence.point(at(1))
  say([{ ...run, progress: 0.5 }, { job_id: 'k', kind: 'generate' }])
  assert.equal(presence.runs.value, before, 'what is the same stays the same')
  for (const nothing of [[], undefined, {}, 'x']) {
    say(nothing)
    assert.deepEqual(presence.runs.value, [])
  }
})
