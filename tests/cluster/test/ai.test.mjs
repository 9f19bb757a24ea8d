/**
 * The AI's jobs on several nodes with one PostgreSQL, with a Redis and without: seen, stopped and judged on any node, and
 * finished whatever becomes of the node that does them.
 */
import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'
import { join } from '../../clients/lib/client.mjs'
import { within } from '../../clients/lib/wait.mjs'
import {
  TAKEN_OVER_WITHIN_MS, byId, clusterWithModel, eventually, exactly, expand, follow, jobOf, mapOn, newMap, nothingHalf, over, sameOnAll, stillThere, whole
} from '../lib/jobs.mjs'
import { words } from '../lib/model.mjs'
import { lasting } from '../lib/pause.mjs'

/** From the wish on one node to the end of the request that another node has open. */
const STOPPED_WITHIN_MS = 1_500

/** What a person on another node sees of some 300 letters that come one by one: live, or by looks at the store about once a second. */
const STATES_SEEN_LIVE_MIN = 40
const STATES_SEEN_MIN = 3

/** From SIGTERM to the request of the node that goes on. */
const HANDED_OVER_WITHIN_MS = 4_000

/** PostgreSQL is away for less than a lease, and for more. */
const AWAY_MS = 5_000
const AWAY_LONG_MS = 13_000

/** Of the network to PostgreSQL, one way. */
const SLOW_COMMIT_MS = 100

/** What a node that has lost its job still has to write or to take back, it does within this time. */
const AFTERMATH_MS = 4_000

/** Its first half ends where the title begins. */
const BEFORE_GAMMA = '},{"title":"Gamma rays'

const RUNS_PER_NODE = 8

/** From the wish on a node without room to another node's request. */
const BEGUN_WITHIN_MS = 1_500

const env = { SYNAPTI_AI_RUNS_PER_NODE: `${RUNS_PER_NODE}`, SYNAPTI_AI_RUNS_PER_GRAPH: '1', SYNAPTI_AI_RETRIES: '0', SYNAPTI_AI_IDLE_TIMEOUT: '60', SYNAPTI_AI_FALLBACK: 'none' }
const clusters = await Promise.all([['with a Redis', true], ['without a Redis', false]].map(async ([name, redis]) =>
  ({ name, hasRedis: redis, ...await clusterWithModel({ after }, { redis, storeLinks: true, env }) })))

/** The run stands still in the middle of a word, and a person on this node sees that much of it. */
const halfSeen = async (node, map, lesson, half) => {
  await eventually('the model stands still', () => lesson.asked.some(({ isStanding }) => isStanding))
  let seen
  await eventually(`node ${node.name} shows half a word`, async () => {
    seen = byId(await mapOn(node, map))
    return Object.values(seen).some(({ title, summary }) => title === half || summary === half) && seen
  }, { detail: () => seen })
  return seen
}

/** A map, what the model will say of it, and a run of node `by` in it. */
const begin = async ({ model }, by, name, lesson, body, make = expand) => {
  const map = await newMap(by, name)
  const learnt = model.learn(map.topic, lesson)
  return { map, lesson: learnt, job: await make(by, map, { max_children: learnt.titles.length, ...body }) }
}

const takenOver = async (run, from) => {
  const next = await eventually('another node asks the model', () => run.lesson.asked.find(({ by, at }) => at > from.at && by !== from.name), {
    deadline_ms: TAKEN_OVER_WITHIN_MS
  })
  return Math.round(next.at - from.at)
}

const stories = context => {
  const { cluster, hasRedis } = context
  const [A, B, C] = cluster.nodes

  // Whatever the test before has done to them.
  beforeEach(() => eventually('all nodes are ready', async () => (await cluster.ask('GET', '/ready')).every(({ status }) => status === 200)))

  /** Runs of A in six maps: two nodes of each are whole, and the next word of the model makes another one. */
  const sixBeforeGamma = async name => {
    const runs = await Promise.all(Array.from({ length: 6 }, (_, at) => begin(context, A, `${name}${at}`, { letters: 3, stopIn: BEFORE_GAMMA })))
    for (const { lesson } of runs) await eventually('the model stands still', () => lesson.asked[0]?.isStanding)
    const seen = await eventually('two nodes of each map are whole', async () => {
      const maps = await Promise.all(runs.map(async ({ map }) => whole(byId(await mapOn(B, map)))))
      return maps.every(nodes => Object.keys(nodes).length === 2) && maps
    })
    return { runs, seen }
  }

  /** All nodes of the cluster show what the model said, once and whole, and what was whole before is what it was. */
  const allWell = async (runs, seen) => {
    for (const [at, { map, lesson }] of runs.entries()) {
      const nodes = await sameOnAll(cluster, map)
      exactly(nodes, map.root, lesson.titles)
      nothingHalf(nodes)
      stillThere(nodes, seen[at])
    }
  }

  test('a job of one node is followed and stopped on another', async t => {
    const map = await newMap(A, 'stop')
    const viewer = await join(t, B, map.id)
    const texts = new Set()
    const all = () => Object.values(viewer.doc.getMap('nodes').toJSON()).map(({ title, summary }) => `${title}: ${summary}`).sort().join('\n')
    viewer.doc.getMap('nodes').observeDeep(() => texts.add(all()))
    const lesson = context.model.learn(map.topic, { letters: 1, every_ms: 8, stopIn: 'Gamma rays' })
    const job = await expand(A, map, { max_children: 5 })
    const heard = await follow(t, B, job)
    await halfSeen(B, map, lesson, 'Gamma')
    assert.equal(lesson.asked[0].by, 'A')
    await eventually('a person on B sees half a word', () => all().includes('Gamma: '))
    t.diagnostic(`a person on B saw it in ${texts.size} states`)
    assert.ok(texts.size >= (hasRedis ? STATES_SEEN_LIVE_MIN : STATES_SEEN_MIN), `${texts.size} states`)
    await eventually('the stream on B tells that it runs', () => heard.jobs.some(({ status }) => status === 'running'))
    if (hasRedis) {
      const runs = () => [...viewer.awareness.getStates().values()].flatMap(({ ai }) => ai?.runs ?? [])
      await eventually('people on B see the AI', () => runs().some(({ job_id: id }) => id === job))
    }
    const { headers } = await C.request('GET', `/v1/jobs/${job}`)
    const polled = C.request('GET', `/v1/jobs/${job}?wait=15`, undefined, { 'if-none-match': headers.get('etag') })
    const from = performance.now()
    const { status, json } = await B.request('DELETE', `/v1/jobs/${job}`)
    const answered = Math.round(performance.now() - from)
    await eventually('the model is left alone', () => !lesson.asked[0].isOpen)
    const stopped = Math.round(lesson.asked[0].goneAt - from)
    t.diagnostic(`stopped after ${stopped} ms, answered after ${answered} ms`)
    assert.equal(status, 200)
    assert.ok(json.status === 'cancelled' || json.stop_asked, JSON.stringify(json))
    assert.ok(stopped < STOPPED_WITHIN_MS, `${stopped} ms`)
    assert.equal((await over(B, job)).status, 'cancelled')
    assert.equal((await polled).status, 200)
    await eventually('the stream ends with the job', () => heard.isOver && heard.jobs.at(-1).status === 'cancelled')
    const nodes = await sameOnAll(cluster, map)
    exactly(nodes, map.root, words(2))
    nothingHalf(nodes)
    if (hasRedis) await eventually('the AI has left', () => ![...viewer.awareness.getStates().values()].some(({ ai }) => ai))
    assert.equal((await C.request('DELETE', `/v1/jobs/${job}`)).status, 409)
  })

  test('a node is killed in the middle of a word: another one finishes it', async t => {
    const runs = await Promise.all([
      begin(context, A, 'title', { letters: 3, stopIn: 'Gamma rays' }),
      begin(context, A, 'quick', { letters: 3, every_ms: 0, stopIn: 'Gamma rays' }),
      begin(context, A, 'summary', { letters: 3, stopIn: 'About Beta testing' }),
      begin(context, A, 'deep', { titles: words(2), letters: 20, stopIn: 'Beta testing of Alpha particles', stops: 3 }, { expansion_depth: 2 })
    ])
    const halves = ['Gamma', 'Gamma', 'About Bet', 'Beta testing of']
    const unwanted = await begin(context, A, 'unwanted', { letters: 3, stopIn: 'Gamma rays' })
    const taken = await begin(context, A, 'taken', { letters: 3, stopIn: 'Gamma rays' })
    await halfSeen(B, unwanted.map, unwanted.lesson, 'Gamma')
    const half = await halfSeen(B, taken.map, taken.lesson, 'Gamma')
    const mine = Object.keys(half).find(id => half[id].title === 'Gamma')
    assert.equal((await C.request('PATCH', `/v1/graphs/${taken.map.id}/nodes/${mine}`, { title: 'Gamma, says a person' })).status, 200)
    const seen = await Promise.all(runs.map(async ({ map, lesson }, at) => whole(await halfSeen(B, map, lesson, halves[at]))))
    const viewer = await join(t, B, runs[0].map.id)
    const from = { name: 'A', at: performance.now() }
    t.after(() => A.running || A.start())
    await A.kill9()
    assert.equal((await B.request('DELETE', `/v1/jobs/${unwanted.job}`)).status, 200)
    t.diagnostic(`taken over after ${await Promise.all(runs.map(run => takenOver(run, from)))} ms`)
    assert.equal((await over(C, unwanted.job)).status, 'cancelled')
    const left = await sameOnAll(cluster, unwanted.map)
    exactly(left, unwanted.map.root, words(2))
    nothingHalf(left)
    assert.equal(unwanted.lesson.asked.length, 1, 'nobody asks for what nobody wants')
    assert.equal((await over(C, taken.job)).status, 'succeeded')
    const kept = await sameOnAll(cluster, taken.map)
    exactly(kept, taken.map.root, ['Gamma, says a person', ...words(4).filter(title => title !== 'Gamma rays'), 'Gamma rays'])
    assert.equal(kept[mine].title, 'Gamma, says a person')
    for (const { job } of runs) {
      const { status, attempts } = await over(C, job)
      assert.deepEqual({ status, attempts }, { status: 'succeeded', attempts: 2 })
    }
    await allWell(runs, seen)
    const deep = await mapOn(B, runs[3].map)
    assert.equal(deep.nodes.length, 1 + 2 + 4, JSON.stringify(byId(deep)))
    const shown = Object.values(viewer.doc.getMap('nodes').toJSON()).map(({ title }) => title).sort()
    assert.deepEqual(shown, [runs[0].map.topic, ...words(5)].sort(), 'who looked on has the same')
    await A.start()
    for (const { map } of runs) await sameOnAll(cluster, map)
  })

  test('a node stands still for longer than its lease: what it had begun to write does no harm', async t => {
    const { runs, seen } = await sixBeforeGamma('frozen')
    t.after(() => {
      A.resume()
      A.storeLink.pass()
      cluster.nodes = [A, B, C]
    })
    // Its commits take a while now: each map gets a node, and most of these wait in the journal for the commit that is under way.
    A.storeLink.delay(SLOW_COMMIT_MS)
    for (const { lesson } of runs) lesson.goOn()
    await lasting(SLOW_COMMIT_MS)
    A.pause()
    const from = { name: 'A', at: performance.now() }
    cluster.nodes = [B, C]
    t.diagnostic(`taken over after ${await Promise.all(runs.map(run => takenOver(run, from)))} ms`)
    for (const { job } of runs) assert.equal((await over(B, job)).status, 'succeeded')
    const before = await Promise.all(runs.map(({ map }) => sameOnAll(cluster, map)))
    const jobs = await Promise.all(runs.map(({ job }) => jobOf(C, job)))
    A.storeLink.pass()
    A.resume()
    cluster.nodes = [A, B, C]
    const end = performance.now() + AFTERMATH_MS
    while (performance.now() < end) {
      for (const [at, { map }] of runs.entries()) for (const node of [B, C]) stillThere(byId(await mapOn(node, map)), before[at])
    }
    await allWell(runs, seen)
    for (const [at, { map, lesson, job }] of runs.entries()) {
      assert.deepEqual(byId(await mapOn(A, map)), before[at], 'the map is what it was')
      assert.deepEqual(await jobOf(A, job), jobs[at])
      assert.equal(lesson.open, 0)
    }
  })

  test('a node is stopped: its job goes on elsewhere at once', async t => {
    const run = await begin(context, A, 'term', { letters: 3, stopIn: 'Gamma rays' })
    const seen = whole(await halfSeen(B, run.map, run.lesson, 'Gamma'))
    const from = { name: 'A', at: performance.now() }
    t.after(() => A.running || A.start())
    const [exit, handed] = await Promise.all([A.stop(), takenOver(run, from)])
    assert.deepEqual(exit, { code: 0, signal: null })
    t.diagnostic(`handed over after ${handed} ms`)
    assert.ok(handed < HANDED_OVER_WITHIN_MS, `${handed} ms`)
    assert.equal((await over(B, run.job)).status, 'succeeded')
    await A.start()
    await allWell([run], [seen])
  })

  test('one run at a time in a map, whoever asks', async t => {
    const map = await newMap(A, 'limit')
    const lesson = context.model.learn(map.topic, { titles: words(2), letters: 8, every_ms: 20 })
    const parents = []
    for (const title of words(5)) {
      const { status, json, text } = await A.request('POST', `/v1/graphs/${map.id}/nodes`, { title, parent_id: map.root })
      assert.equal(status, 201, text)
      parents.push(json.id)
    }
    const begun = performance.now()
    const jobs = await Promise.all(parents.map((of, at) => expand(cluster.nodes[at % 3], map, { max_children: 2 }, { of })))
    for (const job of jobs) assert.equal((await over(C, job, 30_000)).status, 'succeeded')
    const answers = lesson.asked.reduce((sum, { at, goneAt }) => sum + goneAt - at, 0)
    t.diagnostic(`five runs after ${Math.round(performance.now() - begun)} ms, of which the model took ${Math.round(answers)} ms; by ${lesson.asked.map(({ by }) => by)}`)
    assert.equal(lesson.openMax, 1)
    assert.equal(lesson.asked.length, 5)
    const nodes = await sameOnAll(cluster, map)
    for (const [at, parent] of parents.entries()) exactly(nodes, parent, words(2).map(title => `${title} of ${words(5)[at]}`))
  })

  test('what one node has no room for is done by others at once', async t => {
    const runs = []
    for (let at = 0; at < 2 * RUNS_PER_NODE; at++) runs.push(await begin(context, A, `many${at}`, { letters: 3, stopIn: 'Gamma rays' }))
    const from = performance.now()
    await eventually('all have begun', () => runs.every(({ lesson }) => lesson.asked.length === 1))
    const last = Math.max(...runs.map(({ lesson }) => lesson.asked[0].at)) - from
    const by = Object.fromEntries(cluster.nodes.map(({ name }) => [name, runs.filter(({ lesson }) => lesson.asked[0].by === name).length]))
    t.diagnostic(`the last began ${Math.round(last)} ms after it was asked for; ${JSON.stringify(by)}`)
    assert.ok(last < BEGUN_WITHIN_MS, `${last} ms`)
    assert.equal(by.A, RUNS_PER_NODE)
    for (const { lesson } of runs) lesson.goOn()
    for (const { job } of runs) assert.equal((await over(C, job)).status, 'succeeded')
  })

  test('a map is deleted on another node in the middle of a run', async t => {
    const run = await begin(context, A, 'deleted', { letters: 3, stopIn: 'Gamma rays' })
    await halfSeen(B, run.map, run.lesson, 'Gamma')
    assert.equal((await B.request('DELETE', `/v1/graphs/${run.map.id}`)).status, 204)
    run.lesson.goOn()
    const { status, error } = await over(C, run.job)
    assert.deepEqual({ status, code: error?.code }, { status: 'failed', code: 'graph_deleted' })
    for (const node of cluster.nodes) assert.equal((await node.request('GET', `/v1/graphs/${run.map.id}`)).status, 410, node.name)
    assert.equal(run.lesson.open, 0)
  })

  test('what a run has made is judged on other nodes, and after a restart', async () => {
    const { map, job } = await begin(context, A, 'judge', { letters: 50 })
    assert.equal((await over(A, job)).status, 'succeeded')
    const made = byId(await mapOn(B, map))
    const [alpha, beta, gamma, delta, epsilon] = words(5).map(title => Object.keys(made).find(id => made[id].title === title))
    const judge = async (node, what, body) => {
      const { status, json, text } = await node.request('POST', `/v1/jobs/${job}/${what}`, body)
      assert.equal(status, 200, text)
      return json
    }
    assert.deepEqual(await judge(B, 'accept', { node_ids: [alpha] }), { job_id: job, accepted: [alpha], kept: [] })
    assert.deepEqual(await judge(C, 'reject', { node_ids: [beta] }), { job_id: job, removed: [beta], kept: [] })
    assert.equal((await B.request('PATCH', `/v1/graphs/${map.id}/nodes/${gamma}`, { title: 'Gamma rays, my way' })).status, 200)
    const before = await sameOnAll(cluster, map)
    assert.deepEqual([alpha, beta, gamma].map(id => before[id]?.title), ['Alpha particles', undefined, 'Gamma rays, my way'])
    assert.notEqual(before[alpha].state, 'proposed')
    assert.equal(before[delta].state, 'proposed')
    for (const exit of await Promise.all(cluster.nodes.map(node => node.stop()))) assert.deepEqual(exit, { code: 0, signal: null })
    await Promise.all(cluster.nodes.map(node => node.start()))
    const undone = await judge(C, 'undo', {})
    assert.deepEqual({ removed: undone.removed.sort(), kept: undone.kept }, { removed: [alpha, delta, epsilon].sort(), kept: [gamma] })
    const nodes = await sameOnAll(cluster, map)
    assert.deepEqual(Object.keys(nodes).sort(), [map.root, gamma].sort())
    const { accepted, rejected, undone: taken, kept } = (await jobOf(A, job)).nodes
    assert.deepEqual({ accepted, rejected, taken, kept }, { accepted: 1, rejected: 1, taken: 3, kept: 1 })
  })

  test('the same request on several nodes at once is one job', async () => {
    for (let round = 0; round < 5; round++) {
      const map = await newMap(A, 'twice')
      const lesson = context.model.learn(map.topic, { titles: words(2), letters: 50 })
      const headers = { 'idempotency-key': `twice-${map.id}` }
      const jobs = await Promise.all(cluster.nodes.map(node => expand(node, map, { max_children: 2 }, { headers })))
      assert.equal(new Set(jobs).size, 1, `${jobs}`)
      assert.equal((await over(B, jobs[0])).status, 'succeeded')
      const { json } = await C.request('GET', `/v1/graphs/${map.id}/jobs`)
      assert.deepEqual(json.jobs.map(({ job_id: id }) => id), [jobs[0]])
      assert.equal(lesson.asked.length, 1)
      exactly(await sameOnAll(cluster, map), map.root, words(2))
      const grown = `grown-${map.id}`
      context.model.learn(grown, { titles: words(2), letters: 50 })
      const answers = await Promise.all(cluster.nodes.map(node =>
        node.request('POST', '/v1/graphs/generate', { topic: grown, max_nodes: 3 }, { 'idempotency-key': grown })))
      assert.deepEqual(answers.map(({ status, text }) => status === 202 ? 202 : text), [202, 202, 202])
      assert.equal(new Set(answers.map(({ text }) => text)).size, 1, answers.map(({ text }) => text).join('\n'))
      const { job_id: job, graph_id: graph } = answers[0].json
      assert.equal((await over(C, job)).status, 'succeeded')
      const nodes = await sameOnAll(cluster, { id: graph })
      assert.deepEqual(Object.values(nodes).map(({ title }) => title).sort(), [...words(2), grown].sort())
      assert.equal((await B.request('POST', '/v1/graphs/generate', { topic: 'something else' }, { 'idempotency-key': grown })).status, 409)
    }
  })

  test('PostgreSQL is away in the middle of a run', async t => {
    const run = await begin(context, A, 'away', { letters: 2, every_ms: 18 })
    let seen
    await eventually('something is whole', async () => Object.keys(seen = whole(byId(await mapOn(B, run.map)))).length > 0)
    await Promise.all(cluster.nodes.map(({ storeLink }) => storeLink.refuse()))
    await lasting(AWAY_MS)
    await Promise.all(cluster.nodes.map(({ storeLink }) => storeLink.accept()))
    await eventually('all nodes are ready', async () => (await cluster.ask('GET', '/ready')).every(({ status }) => status === 200))
    const { status, attempts } = await over(B, run.job, 30_000)
    // Nodes hear of each other's jobs again.
    const next = await begin(context, A, 'after', { letters: 3, stopIn: 'Gamma rays' })
    await halfSeen(B, next.map, next.lesson, 'Gamma')
    const from = performance.now()
    assert.equal((await C.request('DELETE', `/v1/jobs/${next.job}`)).status, 200)
    await eventually('the model is left alone', () => !next.lesson.asked[0].isOpen)
    const stopped = Math.round(next.lesson.asked[0].goneAt - from)
    t.diagnostic(`stopped after ${stopped} ms`)
    assert.ok(stopped < STOPPED_WITHIN_MS, `${stopped} ms`)
    t.diagnostic(`attempts: ${attempts}, answers: ${run.lesson.asked.map(({ by }) => by)}`)
    assert.equal(status, 'succeeded')
    await allWell([run], [seen])
  })

  test('a node loses PostgreSQL for longer than its lease: what it could not save does no harm', async t => {
    // The first edit that it cannot save makes a node.
    const { runs, seen } = await sixBeforeGamma('cut-off')
    await A.storeLink.refuse()
    t.after(() => A.storeLink.accept())
    const from = { name: 'A', at: performance.now() }
    for (const { lesson } of runs) lesson.goOn()
    t.diagnostic(`taken over after ${await Promise.all(runs.map(run => takenOver(run, from)))} ms`)
    for (const { job } of runs) assert.equal((await over(B, job)).status, 'succeeded')
    await lasting(Math.max(0, from.at + AWAY_LONG_MS - performance.now()))
    await A.storeLink.accept()
    await eventually('it is ready', async () => (await A.request('GET', '/ready')).status === 200)
    await lasting(AFTERMATH_MS)
    await allWell(runs, seen)
  })

  if (hasRedis) {
    test('Redis is killed in the middle of a run: nothing happens to it', async t => {
      const run = await begin(context, A, 'redis', { letters: 3, stopIn: 'Gamma rays' })
      const viewer = await join(t, B, run.map.id)
      const seen = whole(await halfSeen(B, run.map, run.lesson, 'Gamma'))
      await cluster.redis.kill()
      t.after(() => cluster.redis.running || cluster.redis.start())
      run.lesson.goOn()
      const { status, attempts } = await over(C, run.job)
      assert.deepEqual({ status, attempts, asked: run.lesson.asked.length }, { status: 'succeeded', attempts: 1, asked: 1 })
      const titles = () => Object.values(viewer.doc.getMap('nodes').toJSON()).map(({ title }) => title)
      await within('a person on B sees all', eventually('all titles are there', () => run.lesson.titles.every(title => titles().includes(title))))
      await allWell([run], [seen])
    })
  }
}

// Most of the time is waiting for leases to end, so both go on at the same time.
describe('jobs of the AI', { concurrency: 2 }, () => {
  for (const context of clusters) describe(context.name, { concurrency: 1 }, () => stories(context))
})
