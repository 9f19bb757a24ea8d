import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ApiFailure } from '../src/live/api.ts'
import { begin, followJob, type Job, settleJob, stopJob, type Wish } from '../src/live/jobs.ts'

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: unknown
}

type Answering = (asked: Asked, at: number) => Response | Promise<Response>

/** A server that answers as the test says. Returns what it was asked. */
const play = (t: TestContext, answer: Answering): Asked[] => {
  const all: Asked[] = []
  t.mock.method(globalThis, 'fetch', async (path: string, { method, headers, body }: { method: string, headers: Record<string, string>, body: string | null }) => {
    const asked = { method, path, headers, body: body === null ? null : JSON.parse(body) as unknown }
    all.push(asked)
    return await answer(asked, all.length - 1)
  })
  return all
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json', ...headers } })

const EXPAND: Wish = { kind: 'expand', node: 'a b', max_children: 4, focus_areas: ['moons'], expansion_depth: 2 }

test('a wish goes where it belongs, and without what is in its path', async t => {
  const asked = play(t, () => json(202, { job_id: 'j', graph_id: 'm' }))
  assert.equal((await begin(EXPAND, 'm')).job_id, 'j')
  await begin({ kind: 'coherence', language: 'de' }, 'm')
  await begin({ kind: 'generate', topic: 'Sun', max_nodes: 8, style_preference: 'simple', language: 'en' })
  assert.deepEqual(asked.map(({ method, path, body }) => [method, path, body]), [
    ['POST', '/v1/graphs/m/nodes/a%20b/expand', { max_children: 4, focus_areas: ['moons'], expansion_depth: 2 }],
    ['POST', '/v1/graphs/m/coherence', { language: 'de' }],
    ['POST', '/v1/graphs/generate', { topic: 'Sun', max_nodes: 8, style_preference: 'simple', language: 'en' }]
  ])
})

test('a wish that nobody has answered has the same key when it is made again, and no other has', async t => {
  const asked = play(t, (_asked, at) => {
    if (at === 0) throw new TypeError('no network')
    return at === 2 ? json(503, { error: { message: 'the queue is full' } }) : json(202, { job_id: 'j', graph_id: 'm' })
  })
  await assert.rejects(begin(EXPAND, 'm'), /cannot be reached/)
  await begin(EXPAND, 'm')
  await assert.rejects(begin(EXPAND, 'm'), /The server says: the queue is full\./)
  await begin(EXPAND, 'm')
  const keys = asked.map(({ headers }) => headers['idempotency-key'] ?? '')
  assert.equal(keys[0], keys[1])
  assert.equal(new Set(keys).size, 3)
  for (const key of keys) assert.match(key, /^[!-~]{1,200}$/)
})

const follow = async (signal = new AbortController().signal): Promise<Job[]> => {
  const seen: Job[] = []
  await followJob('j', job => seen.push(job), signal)
  return seen
}

test('a job is followed by its changes until it is over', async t => {
  const asked = play(t, (_asked, at) => {
    if (at === 1) return new Response(null, { status: 304 })
    return json(200, { job_id: 'j', status: at === 2 ? 'succeeded' : 'running' }, { etag: `"${at}"` })
  })
  assert.deepEqual((await follow()).map(job => job.status), ['running', 'succeeded'])
  assert.deepEqual(asked.map(({ path, headers }) => [path, headers['if-none-match']]), [['/v1/jobs/j', undefined], ['/v1/jobs/j?wait=25', '"0"'], ['/v1/jobs/j?wait=25', '"0"']])
})

test('a server that is away for a moment is asked again; one that does not know the job is not', async t => {
  const asked = play(t, (_asked, at) => {
    if (at === 0) throw new TypeError('no network')
    return at === 1 ? json(503, {}) : json(404, { error: { message: 'there is no such job' } })
  })
  await assert.rejects(follow(), (error: ApiFailure) => error.status === 404)
  assert.equal(asked.length, 3)
})

test('who has left the map asks no more', async t => {
  const end = new AbortController()
  const asked = play(t, () => {
    end.abort()
    return json(200, { job_id: 'j', status: 'running' })
  })
  assert.deepEqual(await follow(end.signal), [])
  assert.equal(asked.length, 1)
})

test('stopping, and a yes or no to some or to all', async t => {
  const asked = play(t, () => json(200, { job_id: 'j', status: 'cancelled', removed: ['a'], kept: [] }))
  assert.equal((await stopJob('j')).status, 'cancelled')
  assert.deepEqual((await settleJob('j', 'reject', ['a'])).removed, ['a'])
  await settleJob('j', 'undo')
  assert.deepEqual(asked.map(({ method, path, body }) => [method, path, body]), [
    ['DELETE', '/v1/jobs/j', null], ['POST', '/v1/jobs/j/reject', { node_ids: ['a'] }], ['POST', '/v1/jobs/j/undo', {}]
  ])
})
