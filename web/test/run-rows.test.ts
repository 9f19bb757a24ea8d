import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NodeData } from '../client/src/schema/schema.ts'
import type { Job } from '../src/live/jobs.ts'
import type { LiveRun } from '../src/live/runs.ts'
import { type OwnRun, rowsOf, runningText, type Situation } from '../src/view/run-rows.ts'
import { nodeData } from './node.ts'

const job = (more: Partial<Job> = {}): Job => ({ job_id: 'j', kind: 'expand', status: 'running', progress: 0.2, source: 'template', model: 'template', nodes: { written: 2 }, ...more })

const own = (more: Partial<OwnRun> = {}): OwnRun => ({
  key: 'k', id: 'j', job: job(), failure: null, isStopping: false,
  wish: { kind: 'expand', node: 'orbit', max_children: 5, focus_areas: [], expansion_depth: 1 }, ...more
})

const live = (more: Partial<LiveRun> = {}): LiveRun => ({ id: 'j', kind: 'expand', node: 'orbit', step: 'children', progress: 0.5, ...more })

const idea = (id: string, more: Partial<NodeData> = {}): NodeData => nodeData(id, 'orbit', { run: 'j', proposed: true, source: 'template', ...more })

const situation = ({ ideas = [], ...more }: Partial<Situation> & { ideas?: NodeData[] }): Situation => ({
  own: [], live: [], selected: null, known: new Map(), dismissed: new Set(),
  nodes: new Map([nodeData('orbit', 'r', { title: 'Orbit' }), ...ideas].map(node => [node.id, node])), ...more
})

const said = (what: Partial<Situation> & { ideas?: NodeData[] }): string[] => rowsOf(situation(what)).map(row => row.text)

test('a run is one row, from the request to the room’s news of it', () => {
  assert.deepEqual(said({ own: [own({ id: null, job: null })] }), ['Expanding “Orbit”…'])
  assert.deepEqual(said({ own: [own({ id: null, job: null })], live: [live()] }), ['Expanding “Orbit”…'], 'the room was faster than the answer')
  const [row, ...more] = rowsOf(situation({ own: [own()], live: [live()] }))
  assert.deepEqual(more, [])
  assert.equal(row?.progress, 0.5, 'the newer of the two')
  assert.deepEqual(said({ live: [live({ node: null, kind: 'generate', step: 'outline' })] }), ['Finding the main ideas…'])
  assert.deepEqual(said({ live: [live({ node: 'gone' })] }), ['Expanding a node…'])
})

test('the source is said as it is', () => {
  const over = (more: Partial<Job>, ideas: NodeData[]) => said({ own: [own({ job: job({ status: 'succeeded', ...more }) })], ideas })
  assert.deepEqual(over({}, [idea('a'), idea('b')]), ['2 ideas by template'])
  assert.deepEqual(over({ is_fallback: true }, [idea('a')]), ['1 idea by template, because the AI did not answer'])
  assert.deepEqual(over({ source: 'ai', model: 'some-model' }, [idea('a', { source: 'ai' })]), ['1 idea by some-model'])
  assert.deepEqual(over({}, [idea('a', { proposed: false }), idea('b', { proposed: false })]), ['2 ideas by template, accepted'])
  assert.deepEqual(over({ status: 'cancelled' }, [idea('a')]), ['Stopped. 1 idea by template so far'])
  assert.deepEqual(over({ nodes: { written: 0 } }, []), ['No new ideas came'])
  assert.deepEqual(over({}, []), [], 'nothing is said of what was rejected or undone')
  assert.deepEqual(over({ status: 'cancelled' }, []), [])
})

test('a failure says why, and can be tried again', () => {
  const [row] = rowsOf(situation({ own: [own({ job: job({ status: 'failed', error: { code: 'ai_failed', message: 'it was no JSON' } }) })], ideas: [idea('a')] }))
  assert.deepEqual([row?.phase, row?.text, row?.canRetry, row?.proposed], ['failed', 'It was no JSON.', true, 1])
  assert.deepEqual(rowsOf(situation({ own: [own({ id: null, job: null, failure: 'The server cannot be reached.' })] })).map(one => [one.text, one.canRetry, one.canUndo]), [['The server cannot be reached.', true, false]])
})

test('a run of others shows while it goes on, and when one of its ideas is selected', () => {
  const ideas = [idea('a'), idea('b'), idea('c', { proposed: false })]
  assert.deepEqual(said({ ideas }), [])
  assert.deepEqual(said({ ideas, selected: 'a' }), ['2 ideas by template'])
  assert.deepEqual(said({ ideas, selected: 'c' }), [])
  assert.deepEqual(said({ ideas, selected: 'a', live: [live()] }), ['Expanding “Orbit”…'])
  const known = new Map([['j', job({ status: 'succeeded', source: 'ai', model: 'some-model' })]])
  assert.deepEqual(said({ ideas: [idea('a', { source: 'ai' })], selected: 'a' }), ['1 idea by AI'])
  assert.deepEqual(said({ ideas: [idea('a', { source: 'ai' })], selected: 'a', known }), ['1 idea by some-model'])
})

test('what was dismissed stays away, and a check is not among the rows', () => {
  const ideas = [idea('a')]
  assert.deepEqual(said({ own: [own()], dismissed: new Set(['k']), ideas }), [])
  assert.deepEqual(said({ live: [live()], dismissed: new Set(['j']) }), [])
  assert.deepEqual(said({ ideas, selected: 'a', dismissed: new Set(['j']) }), [])
  assert.deepEqual(said({ own: [own({ wish: { kind: 'coherence', language: 'en' } })], live: [live({ kind: 'coherence', node: null })] }), [])
  assert.deepEqual(said({ live: [live({ kind: 'coherence', node: null })] }), ['Checking the map’s coherence…'])
})

test('every step has words', () => {
  for (const step of ['queued', 'outline', 'children', 'coherence', 'layout', 'done', '', 'constructor']) assert.match(runningText('generate', null, step), /^[A-Z][a-z ]+…$/, step)
})
