/**
 * Jobs over HTTP: taken in at once, waited for, followed, stopped, queued; and what is refused.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { coherence, eventsOf, expand, generate, idOf, job, jobOf, nodesOf, openMap, over, sees, shown, stored, succeeded, titlesOf, withProvider } from '../lib/ai.mjs'
import { addNode, nodeOf } from '../lib/map.mjs'
import { VERDICT, concepts, gate } from '../lib/provider.mjs'
import { Server } from '../lib/server.mjs'
import { guarded, token } from '../lib/token.mjs'
import { until, within } from '../lib/wait.mjs'

const WAIT = { prefer: 'wait=15' }
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** A server for all tests of a suite, and its provider. */
const shared = env => {
  const hooks = []
  const both = {}
  before(async () => Object.assign(both, await withProvider({ after: hook => hooks.push(hook) }, { env })))
  after(async () => { for (const hook of hooks.reverse()) await hook() })
  return both
}

/** The model says its first nodes, then waits for the gate. */
const held = (both, begin = concepts(['Light', 'Water']).slice(0, -2) + ',{"title":"Hal') => {
  const door = gate()
  both.provider.next(async (say, { closed }) => {
    say.text(begin)
    await Promise.race([door.passed, closed])
    say.whole('f","summary":"S","expandable":true,"relationship":"r","strength":0.5}]}')
  })
  return door
}

describe('jobs', () => {
  const both = shared({ SYNAPTI_AI_RETRIES: '0' })

  test('a job is taken in at once, wherever the model is', async t => {
    const { server } = both
    const { id, doc } = await openMap(t, server)
    const door = held(both)
    const begun = performance.now()
    const answer = await expand(server, id)
    t.diagnostic(`taken in after ${(performance.now() - begun).toFixed(1)} ms`)
    assert.equal(answer.status, 202)
    assert.match(answer.json.job_id, UUID)
    assert.deepEqual(answer.json, { job_id: answer.json.job_id, graph_id: id, status_url: `/v1/jobs/${answer.json.job_id}` })
    assert.equal(answer.headers.get('location'), answer.json.status_url)
    await until('it has begun', () => idOf(doc, 'Hal'))
    const report = await job(server, answer.json.job_id)
    assert.equal(report.status, 'running')
    assert.ok(report.progress >= 0 && report.progress < 1)
    assert.deepEqual([report.error, report.kind, report.node_id, report.attempts], [null, 'expand', 'root', 1])
    const listed = await server.request('GET', `/v1/graphs/${id}/jobs`)
    assert.deepEqual([listed.json.jobs.length, listed.json.jobs[0].job_id, listed.json.next], [1, report.job_id, null])
    door.open()
    const end = await succeeded(server, answer.json.job_id)
    assert.deepEqual([end.progress, end.step, end.nodes.written, end.result.nodes.length], [1, 'done', 3, 3])
    assert.deepEqual(end.result.nodes.sort(), nodesOf(doc).map(({ id }) => id).sort())
  })

  test('the pages of a list of jobs', async t => {
    const { server } = both
    const { id } = await openMap(t, server)
    const ids = []
    for (let at = 0; at < 3; at++) ids.unshift((await succeeded(server, jobOf(await coherence(server, id)))).job_id)
    const first = (await server.request('GET', `/v1/graphs/${id}/jobs?limit=2`)).json
    const second = (await server.request('GET', `/v1/graphs/${id}/jobs?limit=2&before=${first.next}`)).json
    assert.deepEqual([...first.jobs, ...second.jobs].map(({ job_id }) => job_id), ids)
    assert.equal(second.next, null)
  })

  test('who would rather wait gets the result, for each kind, and 202 when it takes longer', async t => {
    const { server } = both
    const grown = await generate(server, { topic: `Waiting ${Math.random()}` }, WAIT)
    assert.equal(grown.status, 200, grown.text)
    assert.equal(grown.headers.get('preference-applied'), 'wait')
    const read = await server.request('GET', `/v1/graphs/${grown.json.id}`)
    assert.deepEqual(grown.json, read.json)
    const { id, doc } = await openMap(t, server)
    const expanded = await expand(server, id, { headers: WAIT })
    assert.equal(expanded.status, 200)
    assert.deepEqual(expanded.json.nodes, (await server.request('GET', `/v1/graphs/${id}`)).json.nodes.filter(node => node.run === expanded.json.job_id))
    const judged = await coherence(server, id, WAIT)
    assert.deepEqual(judged.json, VERDICT)
    const door = held(both)
    const late = await expand(server, id, { node: idOf(doc, 'Light') ?? 'root', headers: { prefer: 'respond-async, wait=1' } })
    assert.equal(late.status, 202, late.text)
    assert.equal((await job(server, late.json.job_id)).status, 'running')
    door.open()
    await succeeded(server, late.json.job_id)
  })

  test('a long poll ends when the job changes', async t => {
    const { server } = both
    const { id, doc } = await openMap(t, server)
    const door = held(both)
    const jobId = jobOf(await expand(server, id))
    await until('it has begun', () => idOf(doc, 'Hal'))
    const seen = []
    let etag
    let opened = false
    for (;;) {
      const answer = await server.request('GET', `/v1/jobs/${jobId}?wait=10`, undefined, etag === undefined ? {} : { 'if-none-match': etag })
      assert.equal(answer.status, 200, answer.text)
      assert.notEqual(answer.headers.get('etag'), etag, 'it has changed')
      etag = answer.headers.get('etag')
      seen.push(answer.json)
      if (answer.json.status === 'succeeded') break
      if (!opened) {
        const same = await server.request('GET', `/v1/jobs/${jobId}`, undefined, { 'if-none-match': etag })
        opened = same.status === 304
        if (opened) setImmediate(door.open)
      }
    }
    assert.ok(opened && seen.length >= 2)
    assert.ok(seen.every(({ progress }, at) => at === 0 || progress >= seen[at - 1].progress), 'progress never falls')
    const last = await server.request('GET', `/v1/jobs/${jobId}`, undefined, { 'if-none-match': etag })
    assert.equal(last.status, 304)
  })

  test('the events of a job end with its last status', async t => {
    const { server } = both
    const { id, doc } = await openMap(t, server)
    const door = held(both)
    const jobId = jobOf(await expand(server, id))
    const following = eventsOf(server, jobId)
    const asked = eventsOf(server, jobId, `/v1/jobs/${jobId}`, { accept: 'text/event-stream' })
    await until('it has begun', () => idOf(doc, 'Hal'))
    door.open()
    for (const { response, events } of [await following, await asked]) {
      assert.match(response.headers.get('content-type'), /^text\/event-stream/)
      assert.ok(events.length >= 1 && events.every(({ event }) => event === 'job'))
      const revisions = events.map(({ id }) => Number(id))
      assert.deepEqual(revisions, [...new Set(revisions)].sort((a, b) => a - b))
      const reports = events.map(({ data }) => JSON.parse(data))
      assert.equal(reports.at(-1).status, 'succeeded')
      assert.ok(reports.slice(0, -1).every(({ status }) => status === 'queued' || status === 'running'))
      assert.deepEqual(reports.at(-1), await job(server, jobId))
    }
    assert.equal((await eventsOf(server, jobId)).events.length, 1, 'of a job that is over, its end')
  })

  test('a job that is stopped stops at once; what is whole stays, what is not goes', async t => {
    const { server, provider } = both
    const { id, doc, viewer } = await openMap(t, server)
    let request
    provider.next(async (say, asked) => {
      request = asked
      say.text(concepts(['Light', 'Water']).slice(0, -2) + ',{"title":"Half","summary":"')
      let isClosed = false
      asked.closed.then(() => { isClosed = true })
      while (!isClosed) {
        say.text('word ')
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    })
    const jobId = jobOf(await expand(server, id))
    await until('it is writing', () => nodesOf(doc).some(({ title, summary }) => title === 'Half' && summary.length > 20))
    let lastEdit = performance.now()
    doc.on('update', () => { lastEdit = performance.now() })
    const asked = performance.now()
    const stopped = await server.request('DELETE', `/v1/jobs/${jobId}`)
    const answered = performance.now()
    assert.equal(stopped.status, 200, stopped.text)
    assert.ok(stopped.json.status === 'cancelled' || stopped.json.stop_asked, stopped.text)
    await within('the provider is left alone', request.closed)
    assert.equal((await over(server, jobId)).status, 'cancelled')
    await sees(doc, ['Light', 'Water'])
    await until('the AI is gone', () => shown(viewer).length === 0)
    t.diagnostic(`answered after ${(answered - asked).toFixed(1)} ms, last edit ${(lastEdit - asked).toFixed(1)} ms after the request`)
    assert.ok(lastEdit - asked < 1000)
    assert.deepEqual(await stored(server, id), ['Light', 'Water'])
    assert.equal((await job(server, jobId)).nodes.written, 2)
    const again = await server.request('DELETE', `/v1/jobs/${jobId}`)
    assert.deepEqual([again.status, again.json.error.code], [409, 'job_over'])
    const undone = await server.request('POST', `/v1/jobs/${jobId}/undo`, {})
    assert.deepEqual([undone.json.removed.length, undone.json.kept], [2, []], undone.text)
    await sees(doc, [])
  })

  test('who waits for a job that somebody stops is told so', async t => {
    const { server } = both
    const { id, doc } = await openMap(t, server)
    held(both)
    const waiting = expand(server, id, { headers: WAIT })
    await until('it has begun', () => idOf(doc, 'Hal'))
    const { json } = await server.request('GET', `/v1/graphs/${id}/jobs`)
    await server.request('DELETE', `/v1/jobs/${json.jobs[0].job_id}`)
    const { status, json: { error } } = await waiting
    assert.deepEqual([status, error.code], [409, 'job_cancelled'])
  })

  test('one key is one job, however often and however fast it is sent', async t => {
    const { server, provider } = both
    const { id, title } = await openMap(t, server)
    const headers = { 'idempotency-key': `key ${title}` }
    const answers = await Promise.all(Array.from({ length: 5 }, () => expand(server, id, { headers })))
    const ids = answers.map(jobOf)
    assert.equal(new Set(ids).size, 1)
    await succeeded(server, ids[0])
    assert.equal(jobOf(await expand(server, id, { headers })), ids[0])
    assert.equal(provider.asked(title), 1)
    const other = await expand(server, id, { headers, body: { max_children: 2 } })
    assert.deepEqual([other.status, other.json.error.code], [409, 'idempotency_key_reused'])
    const grown = { topic: `Once ${title}` }
    const maps = await Promise.all([1, 2].map(() => generate(server, grown, { 'idempotency-key': `generate ${title}` })))
    assert.equal(maps[0].json.job_id, maps[1].json.job_id)
    assert.equal(maps[0].json.graph_id, maps[1].json.graph_id)
    const waited = await generate(server, grown, { 'idempotency-key': `generate ${title}`, ...WAIT })
    assert.equal(waited.json.id, maps[0].json.graph_id, waited.text)
    for (const key of ['', 'x'.repeat(201)]) {
      const { status } = await expand(server, id, { headers: { 'idempotency-key': key } })
      assert.equal(status, 422, `key of ${key.length} characters`)
    }
  })

  test('levels below levels', async t => {
    const { server, provider } = both
    const { id, doc } = await openMap(t, server)
    provider.next(say => say.whole(concepts(['A', 'B'])), say => say.whole(concepts(['C', 'D'])), say => say.whole(concepts(['E', 'F'])))
    const report = await succeeded(server, jobOf(await expand(server, id, { body: { max_children: 2, expansion_depth: 2 } })))
    assert.equal(report.nodes.written, 6)
    const nodes = await sees(doc, ['A', 'B', 'C', 'D', 'E', 'F'])
    const parents = nodes.filter(({ title }) => 'AB'.includes(title)).map(({ id }) => id)
    for (const node of nodes) assert.ok('AB'.includes(node.title) ? node.parent === 'root' : parents.includes(node.parent))
  })

  test('what cannot be done is refused in words, and nothing is asked', async t => {
    const { server, provider } = both
    const { id, doc } = await openMap(t, server)
    addNode(doc, { id: 'leaf', title: 'Leaf', parent: 'root' })
    nodeOf(doc, 'leaf').set('expandable', false)
    await until('it is stored', async () => (await stored(server, id)).length === 1)
    const asked = provider.asked()
    const refused = async (answer, status, code) => {
      const { status: was, json, text } = await answer
      assert.deepEqual([was, json?.error?.code], [status, code], text)
      assert.ok(json.error.message.length > 10 && json.error.request_id)
    }
    await refused(expand(server, id, { node: 'nobody' }), 404, 'node_not_found')
    await refused(expand(server, 'no-such-map'), 404, 'graph_not_found')
    await refused(coherence(server, 'no-such-map'), 404, 'graph_not_found')
    await refused(expand(server, id, { node: 'leaf' }), 409, 'not_expandable')
    for (const body of [{ topic: '' }, { topic: '  \n ' }, { topic: 'x'.repeat(501) }, { topic: 'T', max_nodes: 0 }, { topic: 'T', max_nodes: 51 },
      { topic: 'T', language: 'x' }, { topic: 'T', style_preference: '' }, { topic: 'T', style_preference: 'x'.repeat(65) }, { topic: 'T', colour: 'red' }, {}]) {
      await refused(generate(server, body), 422, 'validation_failed')
    }
    for (const body of [{ max_children: 0 }, { max_children: 21 }, { expansion_depth: 0 }, { expansion_depth: 4 }, { focus_areas: Array(11).fill('x') }, { focus_areas: [''] },
      { focus_areas: ['x'.repeat(201)] }, { language: 'not a language' }, { unknown: 1 }, { max_children: 'five' }]) {
      await refused(expand(server, id, { body }), 422, 'validation_failed')
    }
    await refused(generate(server, { topic: 'T', graph_id: id }), 409, 'graph_exists')
    const broken = await server.request('POST', '/v1/graphs/generate', '{"topic":')
    assert.equal(broken.status, 400, broken.text)
    const nowhere = '0198c0de-0000-7000-8000-000000000000'
    for (const [method, path] of [['GET', ''], ['DELETE', ''], ['POST', '/accept'], ['POST', '/reject'], ['POST', '/undo'], ['GET', '/events']]) {
      await refused(server.request(method, `/v1/jobs/${nowhere}${path}`, method === 'POST' ? {} : undefined), 404, 'job_not_found')
    }
    await refused(server.request('GET', '/v1/jobs/not-a-job'), 404, 'job_not_found')
    assert.equal((await generate(server, { topic: 'x'.repeat(500) })).status, 202, '500 characters are fine')
    await until('only that one was asked for', () => provider.asked() === asked + 1 || provider.asked() === asked + 2)
    assert.deepEqual(await stored(server, id), ['Leaf'])
  })
})

describe('a queue with little room', () => {
  const both = shared({ SYNAPTI_AI_RUNS_PER_GRAPH: '1', SYNAPTI_AI_QUEUE_MAX: '2' })

  test('runs of one map wait for each other; a full queue says so; a stopped one makes room', async t => {
    const { server, provider } = both
    const { id, doc } = await openMap(t, server)
    const door = held(both)
    const first = jobOf(await expand(server, id))
    await until('it has begun', () => idOf(doc, 'Hal'))
    const second = jobOf(await coherence(server, id))
    const third = jobOf(await coherence(server, id))
    assert.equal((await job(server, second)).status, 'queued')
    const full = await expand(server, id)
    assert.deepEqual([full.status, full.json.error.code], [503, 'queue_full'], full.text)
    assert.ok(Number(full.headers.get('retry-after')) > 0)
    const stopped = await server.request('DELETE', `/v1/jobs/${third}`)
    assert.equal(stopped.json.status, 'cancelled', stopped.text)
    const fourth = jobOf(await coherence(server, id))
    assert.equal(provider.requests.filter(({ kind }) => kind === 'coherence').length, 0, 'nobody overtakes')
    door.open()
    const ends = []
    for (const id of [first, second, fourth]) ends.push(await succeeded(server, id))
    const order = ends.map(({ updated_at }) => updated_at)
    assert.deepEqual(order, [...order].sort())
    assert.equal(titlesOf(doc).length, 3)
  })
})

describe('people with many wishes', () => {
  test('wait for their own, and nobody else waits for them', async t => {
    const { server, provider } = await withProvider(t, { env: { ...guarded, SYNAPTI_AI_RUNS_PER_USER: '1' } })
    const as = sub => ({ authorization: `Bearer ${token({ '*': 'owner' }, { sub })}` })
    const door = gate()
    const slow = async say => {
      await door.passed
      say.whole('{"nodes":[{"title":"Leaf","summary":"S","category":"concept","importance":0.5}]}')
    }
    provider.next(slow)
    const first = jobOf(await generate(server, { topic: 'First' }, as('ada')))
    await until('it is asked for', () => provider.asked('First') === 1)
    const second = jobOf(await generate(server, { topic: 'Second' }, as('ada')))
    const other = await generate(server, { topic: 'Third' }, { ...as('bob'), ...WAIT })
    assert.equal(other.status, 200, other.text)
    assert.deepEqual([provider.asked('Second'), (await job(server, second, as('ada'))).status], [0, 'queued'])
    door.open()
    assert.equal((await over(server, first, as('ada'))).status, 'succeeded')
    assert.equal((await over(server, second, as('ada'))).status, 'succeeded')
  })
})

describe('a budget', () => {
  const both = shared({ SYNAPTI_AI_TOKENS_PER_USER_DAY: '1' })

  test('that is spent refuses until midnight', async t => {
    const { server, provider } = both
    const { id, title } = await openMap(t, server)
    const headers = { ...WAIT, 'idempotency-key': 'the-first' }
    const first = await expand(server, id, { headers })
    assert.equal(first.status, 200, first.text)
    const asked = provider.asked(title)
    const again = await expand(server, id, { headers })
    assert.deepEqual([again.status, again.json.job_id], [200, first.json.job_id], 'what was paid for is answered again')
    const refused = await expand(server, id)
    assert.deepEqual([refused.status, refused.json.error.code], [429, 'budget_spent'], refused.text)
    const seconds = Number(refused.headers.get('retry-after'))
    assert.ok(seconds > 0 && seconds <= 86_400, `${seconds}`)
    assert.equal(provider.asked(title), asked)
  })
})

describe('rights', () => {
  const hooks = []
  let server
  before(async () => { server = await Server.start({ after: hook => hooks.push(hook) }, { env: { ...guarded, SYNAPTI_AI_PROVIDER: 'template' } }) })
  after(async () => { for (const hook of hooks.reverse()) await hook() })

  test('who may not edit may not ask, and jobs of other maps are not there', async t => {
    const as = (graphs, claims) => ({ authorization: `Bearer ${token(graphs, claims)}` })
    const owner = as({ '*': 'owner' })
    const viewer = as({ shared: 'viewer' }, { sub: 'vera' })
    const stranger = as({ other: 'owner' }, { sub: 'otto' })
    assert.equal((await server.request('POST', '/v1/graphs', { id: 'shared', topic: 'Shared' }, owner)).status, 201)
    const { json } = await server.request('GET', '/v1/graphs/shared', undefined, owner)
    const node = json.nodes[0].id
    const jobId = jobOf(await expand(server, 'shared', { node, headers: owner }))
    const status = async (method, path, headers, body) => (await server.request(method, path, body, headers)).status
    assert.equal(await status('POST', `/v1/graphs/shared/nodes/${node}/expand`, viewer, {}), 403)
    assert.equal(await status('POST', `/v1/graphs/shared/nodes/${node}/expand`, {}, {}), 401)
    assert.equal(await status('POST', '/v1/graphs/generate', {}, { topic: 'T' }), 401)
    assert.equal(await status('POST', '/v1/graphs/generate', viewer, { topic: 'T', graph_id: 'mine' }), 403)
    assert.equal(await status('GET', `/v1/jobs/${jobId}`, viewer), 200)
    assert.equal(await status('DELETE', `/v1/jobs/${jobId}`, viewer), 403)
    for (const verb of ['accept', 'reject', 'undo']) assert.equal(await status('POST', `/v1/jobs/${jobId}/${verb}`, viewer, {}), 403)
    assert.equal(await status('GET', `/v1/jobs/${jobId}`, {}), 401)
    assert.equal(await status('GET', `/v1/jobs/${jobId}`, stranger), 404)
    assert.equal(await status('DELETE', `/v1/jobs/${jobId}`, stranger), 404)
    assert.equal(await status('POST', `/v1/jobs/${jobId}/undo`, stranger, {}), 404)
    assert.equal(await status('GET', '/v1/graphs/shared/jobs', viewer), 200)
    assert.ok([403, 404].includes(await status('GET', '/v1/graphs/shared/jobs', stranger)))
    for (const [method, path] of [['POST', '/v1/admin/cache/clear'], ['GET', '/v1/admin/circuit-breakers'], ['POST', '/v1/admin/circuit-breakers/template/reset']]) {
      assert.equal(await status(method, path, owner), 403, path)
      assert.equal(await status(method, path, as({}, { role: 'admin' })), 200, path)
    }
    await until('it is over', async () => (await job(server, jobId, owner)).status === 'succeeded')
  })
})
