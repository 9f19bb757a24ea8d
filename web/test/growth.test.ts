import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { computed, signal } from '@preact/signals'
import * as Y from 'yjs'
import { readMap } from '../client/src/schema/index.ts'
import { addNode, beginMap } from '../client/src/schema/edits.ts'
import { rootsOf } from '../client/src/schema/schema.ts'
import type { LiveRun } from '../src/live/runs.ts'
import type { Board } from '../src/view/board.ts'
import { begunHere, choice, Growth } from '../src/view/growth.ts'

Object.defineProperty(globalThis, 'navigator', { value: { language: 'de-CH' }, configurable: true })

interface Asked {
  readonly method: string
  readonly path: string
  readonly body: unknown
}

/** A map with a root and one node, and a server that says of its one job what the test says. */
const setUp = (t: TestContext, { isEmpty = false } = {}) => {
  const doc = new Y.Doc()
  const root = isEmpty ? '' : beginMap(doc, 'Planets', new Date(0))
  const orbit = isEmpty ? '' : addNode(doc, { parent: root }, { title: 'Orbit' }) ?? assert.fail()
  const board = {
    model: signal(readMap(doc)), past: signal(null), selected: signal(null), isEditable: signal(true), isReadOnly: signal(false), news: signal(''),
    catchUp: () => { board.model.value = readMap(doc) },
    deny: () => { board.denied++ },
    denied: 0,
    session: { graphId: 'm', doc, link: signal({ kind: 'live' }), whenSaved: async () => true, presence: { runs: signal<LiveRun[]>([]) } }
  }
  /** Gives what the AI would have written. */
  const write = (title: string) => {
    const id = addNode(doc, { parent: root }, { title }) ?? assert.fail()
    const node = rootsOf(doc).nodes.get(id) as Y.Map<unknown>
    for (const [key, value] of Object.entries({ run: 'j', state: 'proposed', source: 'template' })) node.set(key, value)
    board.catchUp()
    return id
  }
  const asked: Asked[] = []
  const server = { status: 'running', written: 0, begins: true, judges: true }
  t.mock.method(globalThis, 'fetch', async (path: string, { method, body, signal: end }: { method: string, body: string | null, signal: AbortSignal }) => {
    asked.push({ method, path, body: body === null ? null : JSON.parse(body) as unknown })
    const answer = (status: number, json: unknown) => new Response(JSON.stringify(json), { status, headers: { etag: `"${asked.length}"` } })
    if (end.aborted) throw new Error('gone')
    if (/(accept|reject|undo)$/.test(path)) return server.judges ? answer(200, { removed: ['a'], kept: ['b'] }) : answer(409, { error: { message: 'it still runs' } })
    if (method === 'POST') return server.begins ? answer(202, { job_id: 'j', graph_id: 'm' }) : answer(429, { error: { message: 'the budget of today is spent' } })
    if (method === 'DELETE') server.status = 'cancelled'
    return answer(200, { job_id: 'j', kind: 'expand', status: server.status, progress: 0.5, source: 'template', nodes: { written: server.written } })
  })
  const growth = new Growth(board as unknown as Board)
  t.after(() => growth.destroy())
  const texts = computed(() => growth.rows.value.map(row => row.text))
  const row = () => growth.rows.value[0] ?? assert.fail('no row')
  return { board, growth, asked, server, texts, row, write, root, orbit }
}

const until = async (condition: () => boolean): Promise<void> => { while (!condition()) await new Promise(resolve => setTimeout(resolve, 5)) }

test('a node is expanded as was chosen last, and the run is followed to its end', async t => {
  const { growth, asked, server, texts, row, write, orbit, board } = setUp(t)
  choice.value = { max_children: 3, expansion_depth: 2, focus: ' moons, ,rings ' }
  growth.expand(orbit)
  assert.deepEqual(texts.value, ['Expanding “Orbit”…'], 'at once')
  await until(() => row().progress === 0.5)
  assert.deepEqual(asked[0], { method: 'POST', path: `/v1/graphs/m/nodes/${orbit}/expand`, body: { max_children: 3, expansion_depth: 2, focus_areas: ['moons', 'rings'], language: 'de-CH' } })
  const id = write('Moons')
  assert.ok(growth.running.value.has('j'), 'not to be judged yet')
  Object.assign(server, { status: 'succeeded', written: 1 })
  await until(() => row().phase === 'over')
  assert.deepEqual([texts.value, board.news.value, growth.running.value.has('j')], [['1 idea by template'], '1 idea by template', false])
  growth.judge('accept', 'j', id)
  assert.deepEqual([...growth.judging.value], [id])
  await until(() => growth.judging.value.size === 0)
  assert.deepEqual([asked.at(-1)?.body, board.news.value], [{ node_ids: [id] }, 'Accepted “Moons”'])
  growth.undo('j')
  await until(() => board.news.value.startsWith('Removed'))
  assert.match(growth.failure.value ?? '', /^1 stayed, because somebody has changed it/)
  growth.dismiss(row())
  assert.deepEqual(texts.value, [])
})

test('who stops before the server has answered stops it all the same', async t => {
  const { growth, asked, row, orbit, texts } = setUp(t)
  growth.expand(orbit)
  growth.stop(row())
  assert.ok(row().isStopping)
  await until(() => texts.value.length === 0)
  assert.ok(asked.some(({ method, path }) => method === 'DELETE' && path === '/v1/jobs/j'))
})

test('what fails says why, and is tried again as it was', async t => {
  const { growth, server, asked, row, orbit, texts, board } = setUp(t)
  server.begins = false
  growth.expand(orbit)
  await until(() => row().phase === 'failed')
  assert.deepEqual([texts.value, board.news.value], [['The server says: the budget of today is spent.'], 'The server says: the budget of today is spent.'])
  server.begins = true
  growth.again(row())
  assert.deepEqual(texts.value, ['Expanding “Orbit”…'])
  await until(() => asked.filter(({ method }) => method === 'POST').length === 2)
  const [first, second] = asked.filter(({ method }) => method === 'POST')
  assert.deepEqual(first, second)
})

test('a yes or no that was not taken is said, and can be given again', async t => {
  const { growth, server, write } = setUp(t)
  server.judges = false
  const id = write('Moons')
  growth.judge('reject', 'j')
  assert.deepEqual([...growth.judging.value], [id])
  await until(() => growth.failure.value !== null)
  assert.equal(growth.failure.value, 'It was not rejected. The server says: it still runs.')
  await until(() => growth.judging.value.size === 0)
})

test('the AI is not asked where that makes no sense', t => {
  const { growth, asked, board, orbit } = setUp(t)
  board.session.link.value = { kind: 'lost' }
  assert.equal(growth.whyNotExpand(orbit), 'Not connected')
  growth.expand(orbit)
  assert.equal(growth.failure.value, 'Not connected.')
  growth.check()
  board.session.link.value = { kind: 'live' };
  (rootsOf(board.session.doc).nodes.get(orbit) as Y.Map<unknown>).set('expandable', false)
  growth.expand(orbit)
  assert.equal(growth.failure.value, 'This node is not meant to be expanded.')
  board.isEditable.value = false
  growth.check()
  assert.deepEqual([asked, growth.own.value], [[], []])
  growth.failure.value = null
  board.isReadOnly.value = true
  growth.expand(orbit)
  assert.deepEqual([growth.failure.value, board.denied], [null, 3], 'who may only read is told so as always')
})

test('a map that was begun on the list is followed; when that fails it goes on with what there is', async t => {
  begunHere.set('m', { id: 'j', wish: { kind: 'generate', topic: 'Planets', max_nodes: 8, style_preference: 'simple', language: 'en' } })
  const { growth, server, row, asked } = setUp(t, { isEmpty: true })
  assert.ok(growth.isFresh.value)
  assert.equal(begunHere.size, 0)
  server.status = 'failed'
  await until(() => row().phase === 'failed')
  growth.again(row())
  await until(() => asked.some(({ method }) => method === 'POST'))
  assert.deepEqual(asked.find(({ method }) => method === 'POST'), { method: 'POST', path: '/v1/graphs/generate', body: { topic: 'Planets', max_nodes: 8, style_preference: 'simple', language: 'en', graph_id: 'm' } })
})
