/**
 * What models and their providers get wrong, and what becomes of it: nothing half-written, nothing twice, and an error that says
 * what happened.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { after, before, beforeEach, describe, test } from 'node:test'
import { coherence, expand, generate, idOf, job, jobOf, nodesOf, openMap, over, resetBreaker, sees, shown, stored, succeeded, titlesOf, withProvider } from '../lib/ai.mjs'
import { KEY, VERDICT, branches, concepts, gate, summaryOf } from '../lib/provider.mjs'
import { until } from '../lib/wait.mjs'

const WAIT = { prefer: 'wait=20' }

/** A server for all tests of a suite, and its provider. */
const shared = env => {
  const hooks = []
  const both = {}
  before(async () => Object.assign(both, await withProvider({ after: hook => hooks.push(hook) }, { env })))
  after(async () => { for (const hook of hooks.reverse()) await hook() })
  beforeEach(() => resetBreaker(both.server))
  return both
}

/** Expands the root of a map of its own with these answers, waiting for the end. */
const run = async (t, { server, provider }, scripts, { body = {}, first = 0 } = {}) => {
  const map = await openMap(t, server)
  const asked = provider.asked()
  provider.next(...scripts)
  const answer = await expand(server, map.id, { body, headers: WAIT })
  const { json } = await server.request('GET', `/v1/graphs/${map.id}/jobs`)
  const report = await job(server, json.jobs[0].job_id)
  assert.deepEqual(provider.unexpected, [])
  return { ...map, answer, report, asked: provider.asked() - asked - first }
}

/** The run failed with this code, and it is as if it had never been. */
const nothingLeft = async ({ server }, { id, doc, viewer, report }, code) => {
  assert.deepEqual([report.status, report.error?.code], ['failed', code], JSON.stringify(report))
  assert.ok(report.error.message.length > 10)
  assert.equal(report.nodes.written, 0)
  assert.deepEqual(await stored(server, id), [])
  await until('the viewer sees nothing of it', () => nodesOf(doc).length === 0 && shown(viewer).length === 0)
}

describe('a provider that fails', () => {
  const both = shared({ SYNAPTI_AI_RETRIES: '2' })

  test('429 with Retry-After, then an answer', async t => {
    const times = []
    const result = await run(t, both, [
      say => { times.push(performance.now()); say.status(429, { headers: { 'retry-after': '1' } }) },
      say => { times.push(performance.now()); say.whole(concepts(['Light'])) }
    ])
    assert.equal(result.report.status, 'succeeded', JSON.stringify(result.report))
    assert.ok(times[1] - times[0] >= 990, `asked again after ${times[1] - times[0]} ms`)
    await sees(result.doc, ['Light'])
  })

  test('429 that asks for more time than anybody waits is an error at once', async t => {
    const result = await run(t, both, [say => say.status(429, { headers: { 'retry-after': '600' } })])
    assert.equal(result.answer.status, 429, result.answer.text)
    assert.ok(Number(result.answer.headers.get('retry-after')) > 0)
    assert.equal(result.asked, 1)
    await nothingLeft(both, result, 'provider_rate_limited')
  })

  test('500 three times', async t => {
    const result = await run(t, both, Array(3).fill(say => say.status(500, { message: 'out of order' })))
    assert.equal(result.asked, 3)
    assert.equal(result.answer.status, 502)
    assert.equal(result.answer.json.error.code, 'ai_failed')
    await nothingLeft(both, result, 'provider_failed')
  })

  test('500, then an answer', async t => {
    const result = await run(t, both, [say => say.status(500), say => say.whole(concepts(['Light']))])
    assert.equal(result.report.status, 'succeeded')
    assert.deepEqual(await stored(both.server, result.id), ['Light'])
  })

  test('400 is not tried again', async t => {
    const result = await run(t, both, [say => say.status(400, { message: 'the prompt is too long' })])
    assert.equal(result.asked, 1)
    await nothingLeft(both, result, 'provider_refused')
  })

  test('a connection cut in the middle of a word: the second answer completes the first, nothing twice', async t => {
    const cutAt = '{"sub_concepts":[{"title":"Light","summary":"Shines.","expandable":true,"relationship":"part of","strength":0.5},{"title":"Wat'
    const result = await run(t, both, [
      say => { say.text(cutAt); say.cut() },
      say => say.whole(concepts(['Light', 'Water', 'Air']))
    ], { body: { max_children: 3 } })
    assert.equal(result.report.status, 'succeeded', JSON.stringify(result.report))
    assert.deepEqual(await stored(both.server, result.id), ['Air', 'Light', 'Water'])
    await sees(result.doc, ['Air', 'Light', 'Water'])
    assert.equal(nodesOf(result.doc).find(({ title }) => title === 'Light').summary, 'Shines.', 'what was whole stays as it was')
  })

  test('a connection cut for good', async t => {
    const result = await run(t, both, Array(3).fill(say => { say.text('{"sub_concepts":[{"title":"Hal'); say.cut() }))
    assert.equal(result.answer.status, 502, result.answer.text)
    await nothingLeft(both, result, 'answer_broke_off')
  })

  test('nobody listens', async t => {
    const nobody = await withProvider(t, { env: { SYNAPTI_AI_RETRIES: '0' } })
    nobody.provider.close()
    const map = await openMap(t, nobody.server)
    const answer = await expand(nobody.server, map.id, { headers: WAIT })
    assert.deepEqual([answer.status, answer.json.error.code], [503, 'ai_unavailable'], answer.text)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
  })

  test('a redirect is not followed: the key goes nowhere else', async t => {
    const heard = []
    const elsewhere = createServer((request, response) => { heard.push(request.headers); response.end('{}') })
    elsewhere.listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    t.after(() => elsewhere.close())
    const location = `http://127.0.0.1:${elsewhere.address().port}/v1/chat/completions`
    const result = await run(t, both, Array(3).fill(say => say.status(307, { headers: { location } })))
    assert.equal(result.report.status, 'failed')
    assert.deepEqual(heard, [])
    assert.equal(result.answer.text.includes(KEY), false)
    assert.deepEqual(await stored(both.server, result.id), [])
  })
})

describe('an answer that is not what was asked for', () => {
  const both = shared({ SYNAPTI_AI_RETRIES: '0' })

  /** The run succeeds with these titles. */
  const grows = async (t, text, titles, options) => {
    const result = await run(t, both, [say => say.whole(text)], options)
    assert.equal(result.report.status, 'succeeded', JSON.stringify(result.report))
    assert.deepEqual(await stored(both.server, result.id), [...titles].sort())
    await sees(result.doc, titles)
    return result
  }

  test('a refusal', async t => {
    const result = await run(t, both, [say => say.refuse('I cannot help with that.')])
    assert.deepEqual([result.answer.status, result.answer.json.error.code], [422, 'model_declined'], result.answer.text)
    assert.match(result.answer.json.error.message, /I cannot help with that/)
    await nothingLeft(both, result, 'model_declined')
  })

  test('no JSON at all', async t => {
    const result = await run(t, both, [say => say.whole('I would rather talk about the weather.')])
    assert.equal(result.answer.status, 502)
    await nothingLeft(both, result, 'answer_malformed')
  })

  test('an empty list', async t => {
    const result = await run(t, both, [say => say.whole('{"sub_concepts":[]}')])
    await nothingLeft(both, result, 'answer_empty')
  })

  test('an empty answer', async t => {
    const result = await run(t, both, [say => { say.text(); say.end() }])
    assert.equal(result.report.status, 'failed', JSON.stringify(result.report))
    assert.deepEqual(await stored(both.server, result.id), [])
  })

  test('JSON in a code fence, with words around it', t =>
    grows(t, 'Sure, here it is:\n```json\n' + concepts(['Light', 'Water']) + '\n```\nAnything else?', ['Light', 'Water']))

  test('trailing commas', t =>
    grows(t, '{"sub_concepts":[{"title":"Light","summary":"S",},{"title":"Water","summary":"S"},],}', ['Light', 'Water']))

  test('a bare list, and fields in another order', t =>
    grows(t, '[{"strength":0.5,"summary":"First the summary.","title":"Light"}]', ['Light']).then(({ doc }) =>
      assert.equal(nodesOf(doc)[0].summary, 'First the summary.')))

  test('fields that nobody knows, and values of the wrong kind', async t => {
    const { doc } = await grows(t, JSON.stringify({
      thoughts: 'x',
      sub_concepts: [
        { id: 'root', title: 'Light', summary: 'S', parent: 'elsewhere', strength: 'much', expandable: 'yes', relationship: 7, nested: { title: 'No' }, source: 'human' },
        { title: { text: 'No' }, summary: ['x'] },
        { summary: 'No title.' },
        { title: '   ', summary: 'Blank.' },
        null,
        { title: 'Water', summary: null, strength: 99 }
      ]
    }), ['Light', 'Water'])
    const light = nodesOf(doc).find(({ title }) => title === 'Light')
    assert.deepEqual([light.parent, light.source], ['root', 'ai'])
    assert.ok(light.relationship === undefined && light.strength === undefined, JSON.stringify(light))
    const water = nodesOf(doc).find(({ title }) => title === 'Water')
    assert.ok(water.strength === undefined || (water.strength >= 0 && water.strength <= 1), JSON.stringify(water))
  })

  test('titles and ids that come twice', async t => {
    const { doc } = await grows(t, JSON.stringify({
      sub_concepts: ['Light', 'light ', 'LIGHT', 'Water', 'Light'].map(title => ({ id: 'same', title, summary: 'S' }))
    }), ['Light', 'Water'])
    assert.equal(new Set(nodesOf(doc).map(({ id }) => id)).size, 2)
  })

  test('more nodes than were asked for', t =>
    grows(t, concepts(['A', 'B', 'C', 'D', 'E', 'F']), ['A', 'B'], { body: { max_children: 2 } }))

  test('control characters, line breaks, bidi overrides, and titles without end', async t => {
    const { doc } = await grows(t, JSON.stringify({
      sub_concepts: [
        { title: 'Li\u0000g\u0007ht\n\n  of \u202edawn', summary: 'a\u0000b\u0008c' },
        { title: 'x'.repeat(5000), summary: 'y'.repeat(50_000) }
      ]
    }), ['Light of dawn', 'x'.repeat(200)])
    const summaries = Object.fromEntries(nodesOf(doc).map(({ title, summary }) => [title[0], summary]))
    assert.equal(summaries.L, 'abc')
    assert.equal(summaries.x, 'y'.repeat(2000))
  })

  test('a surrogate pair, and an escape, that are cut by the stream', async t => {
    const { doc } = await grows(t, '{"sub_concepts":[{"title":"\\ud83d\\ude00 Joy","summary":"caf\\u00e9 \\ud800 lone"}]}', ['😀 Joy'], {})
    assert.ok(nodesOf(doc)[0].summary.startsWith('café '), nodesOf(doc)[0].summary)
    assert.ok(nodesOf(doc)[0].summary.isWellFormed())
  })

  test('an answer without end', async t => {
    const result = await run(t, both, [async (say, { closed }) => {
      say.text('{"sub_concepts":[{"title":"Endless","summary":"')
      let isClosed = false
      closed.then(() => { isClosed = true })
      for (let pieces = 0; pieces < 4000 && !isClosed; pieces++) {
        say.text('z'.repeat(1024))
        if (pieces % 50 === 0) await new Promise(resolve => setImmediate(resolve))
      }
    }])
    await nothingLeft(both, result, 'answer_too_large')
  })

  test('an answer that was cut at its longest keeps what was whole, and says so', async t => {
    const result = await run(t, both, [say => {
      say.text(concepts(['Light']).slice(0, -2) + ',{"title":"Hal')
      say.end({ length: true })
    }])
    assert.equal(result.report.status, 'succeeded', JSON.stringify(result.report))
    assert.deepEqual(await stored(both.server, result.id), ['Light'])
    assert.equal(result.report.warnings.length, 1)
  })

  test('a map that fails leaves its root, and the topic can be tried again', async t => {
    both.provider.next(say => say.status(400))
    const topic = `Trees ${Math.random()}`
    const failed = await generate(both.server, { topic }, WAIT)
    assert.equal(failed.status, 502)
    const again = await generate(both.server, { topic }, WAIT)
    assert.equal(again.status, 200, again.text)
    assert.equal(again.json.nodes.length, 4)
  })

  test('a verdict in a fence is read, one that is no verdict is an error', async t => {
    const { id } = await openMap(t, both.server)
    both.provider.next(say => say.whole('```json\n' + JSON.stringify({ ...VERDICT, coherence_score: 7 }) + '\n```'))
    const judged = await coherence(both.server, id, WAIT)
    assert.equal(judged.status, 200, judged.text)
    assert.ok(judged.json.coherence_score >= 0 && judged.json.coherence_score <= 1, judged.text)
    assert.deepEqual(judged.json.strengths, VERDICT.strengths)
    const other = await openMap(t, both.server)
    both.provider.next(say => say.whole('[1, 2]'))
    const failed = await coherence(both.server, other.id, WAIT)
    assert.deepEqual([failed.status, failed.json.error.code], [502, 'ai_failed'], failed.text)
  })

  test('the branches of a map that come in the shape of another answer', async t => {
    both.provider.next(say => say.whole(branches(['One', 'Two']).replace('"nodes"', '"ideas"')))
    const grown = await generate(both.server, { topic: `Shapes ${Math.random()}` }, WAIT)
    assert.equal(grown.status, 200, grown.text)
    assert.deepEqual(grown.json.nodes.map(({ title }) => title).filter(title => !title.startsWith('Shapes')), ['One', 'Two'])
    assert.equal(grown.json.nodes.find(({ title }) => title === 'One').summary, summaryOf('One'))
  })
})

describe('a provider that stands still', () => {
  const both = shared({ SYNAPTI_AI_RETRIES: '0', SYNAPTI_AI_FIRST_BYTE_TIMEOUT: '1', SYNAPTI_AI_IDLE_TIMEOUT: '1', SYNAPTI_AI_TOTAL_TIMEOUT: '3' })

  test('before the first byte', async t => {
    let request
    const result = await run(t, both, [(_say, asked) => { request = asked }])
    assert.deepEqual([result.answer.status, result.answer.json.error.code], [504, 'ai_too_slow'], result.answer.text)
    assert.equal(await request.closed, true, 'the connection is closed')
    await nothingLeft(both, result, 'provider_too_slow')
  })

  test('in the middle of a word', async t => {
    const map = await openMap(t, both.server)
    both.provider.next(say => say.text('{"sub_concepts":[{"title":"Hal'))
    const id = jobOf(await expand(both.server, map.id))
    await until('half a word is seen', () => idOf(map.doc, 'Hal'))
    await nothingLeft(both, { ...map, report: await over(both.server, id) }, 'provider_too_slow')
  })

  test('never for long, but it does not end either', async t => {
    const door = gate()
    const result = await run(t, both, [async (say, { closed }) => {
      say.text('{"sub_concepts":[{"title":"Slow","summary":"')
      const timer = setInterval(() => say.text('.'), 100)
      await Promise.race([closed, door.passed])
      clearInterval(timer)
    }])
    door.open()
    await nothingLeft(both, result, 'provider_too_slow')
  })

  test('and once it goes on, people go on as well', async t => {
    const { id, doc } = await openMap(t, both.server)
    const report = await succeeded(both.server, jobOf(await expand(both.server, id)))
    assert.equal(report.nodes.written, 3)
    await until('they are seen', () => titlesOf(doc).length === 3)
  })
})
