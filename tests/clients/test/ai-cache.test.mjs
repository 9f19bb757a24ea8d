/**
 * Answers that are kept, and a provider that is left alone.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { expand, generate, idOf, job, jobOf, nodesOf, openMap, over, resetBreaker, stored, succeeded, titlesOf, withProvider } from '../lib/ai.mjs'
import { VERDICT, branches, gate } from '../lib/provider.mjs'
import { until } from '../lib/wait.mjs'
import { join, roomId } from '../lib/client.mjs'

const WAIT = { prefer: 'wait=20' }

const jobsOf = async (server, id) => (await server.request('GET', `/v1/graphs/${id}/jobs`)).json.jobs

describe('answers that are kept', () => {
  const hooks = []
  let server, provider
  before(async () => { ({ server, provider } = await withProvider({ after: hook => hooks.push(hook) }, { env: { SYNAPTI_AI_RETRIES: '0' } })) })
  after(async () => { for (const hook of hooks.reverse()) await hook() })

  /** How often the provider was asked for the first nodes of a map of this topic. */
  const outlines = topic => provider.requests.filter(({ kind, material }) => kind === 'generate' && material.includes(topic)).length

  test('the same map twice: the provider is asked once, and the second grows live all the same', async t => {
    const topic = `Kept ${Math.random()}`
    const titles = Array.from({ length: 6 }, (_, at) => `Branch number ${at}`)
    provider.next(say => say.whole(branches(titles)))
    const first = await generate(server, { topic }, WAIT)
    assert.equal(first.status, 200, first.text)
    assert.equal((await jobsOf(server, first.json.id))[0].is_cached, false)
    const id = roomId('again')
    const viewer = await join(t, server, id)
    const sizes = new Set()
    viewer.doc.on('update', () => sizes.add(viewer.doc.getMap('nodes').size))
    const second = await generate(server, { topic, graph_id: id }, WAIT)
    assert.equal(second.status, 200, second.text)
    const [report] = await jobsOf(server, id)
    assert.deepEqual([report.is_cached, report.source, report.usage.cost_usd, report.usage.input_tokens], [true, 'ai', 0, 0], JSON.stringify(report))
    assert.equal(outlines(topic), 1)
    await until('the viewer has all', () => viewer.doc.getMap('nodes').size === 7)
    t.diagnostic(`nodes after each edit: ${[...sizes]}`)
    assert.ok(sizes.size > 2, 'one after the other')
    assert.deepEqual(titlesOf(viewer.doc).filter(title => title !== topic), titles)
  })

  test('blanks and letter case make no other question', async () => {
    const topic = `Written ${Math.random()}`
    assert.equal((await generate(server, { topic }, WAIT)).status, 200)
    const loud = await generate(server, { topic: `${topic.toUpperCase()}  ` }, WAIT)
    assert.equal(loud.status, 200, loud.text)
    assert.equal(outlines(topic) + outlines(topic.toUpperCase()), 1)
  })

  test('another question is another answer', async () => {
    const topic = `Asked ${Math.random()}`
    for (const body of [{ topic }, { topic, language: 'de' }, { topic, style_preference: 'funny' }]) assert.equal((await generate(server, body, WAIT)).status, 200)
    assert.equal(outlines(topic), 3)
  })

  test('two who ask the same at the same time: the provider is asked once', async () => {
    const topic = `Together ${Math.random()}`
    const door = gate()
    provider.next(async say => {
      say.text('{"nodes":[')
      await door.passed
      say.whole(branches(['Leaves', 'Stems']).slice('{"nodes":['.length))
    })
    const both = await Promise.all([1, 2].map(() => generate(server, { topic })))
    await until('it was asked', () => outlines(topic) === 1)
    await until('both run', async () => (await Promise.all(both.map(({ json }) => job(server, json.job_id)))).every(({ status }) => status === 'running'))
    door.open()
    for (const { json } of both) await succeeded(server, json.job_id)
    assert.equal(outlines(topic), 1)
    for (const { json } of both) assert.deepEqual(await stored(server, json.graph_id), ['Leaves', 'Stems'])
  })

  test('an answer that failed is not kept, and who waited for it asks anew', async () => {
    await resetBreaker(server)
    const topic = `Failed ${Math.random()}`
    provider.next(say => say.whole('no JSON'))
    assert.equal((await generate(server, { topic }, WAIT)).status, 502)
    provider.next(say => { say.text('{"nodes":[{"title":"Lea'); say.cut() })
    assert.equal((await generate(server, { topic }, WAIT)).status, 502)
    const third = await generate(server, { topic }, WAIT)
    assert.equal(third.status, 200, third.text)
    assert.equal((await jobsOf(server, third.json.id))[0].is_cached, false)
    assert.equal(outlines(topic), 3)
  })

  test('the cache is cleared, and its use is counted', async () => {
    const topic = `Cleared ${Math.random()}`
    for (let times = 0; times < 2; times++) assert.equal((await generate(server, { topic }, WAIT)).status, 200)
    assert.equal(outlines(topic), 1)
    const { status, json, text } = await server.request('POST', '/v1/admin/cache/clear')
    assert.equal(status, 200, text)
    assert.ok(json.cleared.memory > 0, text)
    assert.equal((await generate(server, { topic }, WAIT)).status, 200)
    assert.equal(outlines(topic), 2)
    const metrics = (await server.request('GET', '/metrics')).text
    const rate = Number(metrics.match(/^cache_hit_rate (\S+)$/m)?.[1])
    assert.ok(rate > 0 && rate < 1, `cache_hit_rate ${rate}`)
  })
})

describe('a kept answer after a restart', () => {
  test('comes from the disk', async t => {
    const { server, provider } = await withProvider(t, { restartable: true })
    const topic = `Restarted ${Math.random()}`
    assert.equal((await generate(server, { topic }, WAIT)).status, 200)
    const asked = provider.asked()
    await server.stop()
    await server.start()
    const again = await generate(server, { topic }, WAIT)
    assert.equal(again.status, 200, again.text)
    assert.equal((await jobsOf(server, again.json.id))[0].is_cached, true)
    assert.equal(provider.asked(), asked)
  })
})

for (const fallback of ['template', 'none']) {
  describe(`a provider that is down, with ${fallback} in its place`, () => {
    test('is left alone after three failures, until somebody says that it is well again', async t => {
      const { server, provider } = await withProvider(t, { env: { SYNAPTI_AI_RETRIES: '0', SYNAPTI_AI_FALLBACK: fallback } })
      const { id, doc, title } = await openMap(t, server)
      const breaker = async () => (await server.request('GET', '/v1/admin/circuit-breakers')).json.breakers.find(({ name }) => /openai/.test(name))
      assert.deepEqual([(await breaker()).state, (await breaker()).failures_max], ['closed', 3])
      for (let failures = 1; failures <= 3; failures++) {
        provider.next(say => say.status(500, { message: 'out of order' }))
        const failed = await expand(server, id, { headers: WAIT })
        assert.equal(failed.status, 502, failed.text)
        assert.equal((await breaker()).failures, failures)
      }
      const open = await breaker()
      assert.deepEqual([open.state, open.opened], ['open', 1])
      assert.ok(open.retry_after_seconds > 0 && open.retry_after_seconds <= 30)
      assert.match(open.last_error, /out of order|500/)
      const health = (await server.request('GET', '/health')).json
      assert.equal(health.components.ai.breakers.find(({ name }) => name === open.name).state, 'open')
      assert.notEqual(health.components.ai.status, 'ok')
      assert.deepEqual(await stored(server, id), [])

      const begun = performance.now()
      const answer = await expand(server, id, { headers: WAIT })
      if (fallback === 'template') {
        assert.equal(answer.status, 200, answer.text)
        assert.ok(answer.json.nodes.length > 0 && answer.json.nodes.every(({ source, state }) => source === 'template' && state === 'proposed'))
        const report = await job(server, answer.json.job_id)
        assert.deepEqual([report.status, report.source, report.provider, report.is_fallback], ['succeeded', 'template', 'template', true])
        assert.ok(report.warnings.length > 0)
        await until('the viewer has them', () => nodesOf(doc).length === answer.json.nodes.length)
      } else {
        const took = performance.now() - begun
        t.diagnostic(`an error after ${took.toFixed()} ms`)
        assert.deepEqual([answer.status, answer.json.error.code], [503, 'ai_unavailable'], answer.text)
        assert.ok(Number(answer.headers.get('retry-after')) > 0)
        const [report] = await jobsOf(server, id)
        assert.deepEqual([report.status, report.error.code], ['failed', 'provider_open'])
        assert.deepEqual(await stored(server, id), [])
      }
      assert.equal(provider.asked(title), 3, 'it was left alone')

      const nobody = await server.request('POST', '/v1/admin/circuit-breakers/nobody/reset')
      assert.equal(nobody.status, 404)
      const reset = await server.request('POST', `/v1/admin/circuit-breakers/${encodeURIComponent(open.name)}/reset`)
      assert.deepEqual([reset.status, reset.json.state, reset.json.failures], [200, 'closed', 0], reset.text)
      const well = await server.request('POST', `/v1/graphs/${id}/coherence`, {}, WAIT)
      assert.deepEqual(well.json, VERDICT)
      assert.equal((await server.request('GET', '/health')).json.components.ai.status, 'ok')
    })
  })
}

describe('an answer in the cache while the provider is down', () => {
  test('goes before the template', async t => {
    const { server, provider } = await withProvider(t, { env: { SYNAPTI_AI_RETRIES: '0' } })
    const topic = `Before ${Math.random()}`
    assert.equal((await generate(server, { topic }, WAIT)).status, 200)
    const { id } = await openMap(t, server)
    for (let failures = 0; failures < 3; failures++) {
      provider.next(say => say.status(503))
      const failed = await over(server, jobOf(await expand(server, id)))
      assert.equal(failed.status, 'failed')
    }
    const asked = provider.asked()
    const again = await generate(server, { topic, graph_id: roomId('before') }, WAIT)
    assert.equal(again.status, 200, again.text)
    const [report] = await jobsOf(server, again.json.id)
    assert.deepEqual([report.source, report.is_cached, report.is_fallback], ['ai', true, false], JSON.stringify(report))
    assert.equal(provider.asked(), asked)
    assert.equal(idOf(await join(t, server, again.json.id).then(({ doc }) => doc), 'Leaves') !== undefined, true)
  })
})
