/** Who waits for the AI has a place for that: counted, beside the connections to maps, and no longer than the token lasts. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { expand, jobOf, withProvider } from '../lib/ai.mjs'
import { join, roomId } from '../lib/client.mjs'
import { initMap } from '../lib/map.mjs'
import { guarded, token } from '../lib/token.mjs'
import { until, within } from '../lib/wait.mjs'

/** So many may wait for the AI on behalf of one user, whatever else they have open. */
const PER_CLIENT = 16

const hooks = []
after(async () => { for (const hook of hooks.reverse()) await hook() })
const { server, provider } = await withProvider({ after: hook => hooks.push(hook) }, {
  env: { ...guarded, SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_CLIENT: '1', SYNAPTI_AI_RETRIES: '0' }
})

/** The model says nothing, however often it is asked. */
const ASKED_MAX = 1000
provider.next(...Array.from({ length: ASKED_MAX }, () => async (_say, { closed }) => { await closed }))

const bearer = (id, options) => ({ authorization: `Bearer ${token({ [id]: 'editor' }, options)}` })

/** A map with a job that does not end, and somebody with a name of their own who may look at it. */
const waitingJob = async t => {
  const id = roomId('waits')
  const owner = { authorization: `Bearer ${token({ [id]: 'owner' }, { sub: roomId('owner') })}` }
  const { doc, provider: editor } = await join(t, server, id, { params: { token: owner.authorization.slice('Bearer '.length) } })
  initMap(doc, `Silence ${id}`)
  await until('the map is there', async () => (await server.request('GET', `/v1/graphs/${id}`, undefined, owner)).json?.nodes?.length === 1)
  editor.destroy()
  const jobId = jobOf(await expand(server, id, { headers: owner }))
  await until('the model is asked', () => provider.asked(id) === 1)
  const running = await until('the job runs', async () => {
    const { json, headers } = await server.request('GET', `/v1/jobs/${jobId}`, undefined, owner)
    return json.status === 'running' && headers
  })
  const sub = roomId('viewer')
  return { id, jobId, sub, headers: bearer(id, { sub }), etag: running.get('etag') }
}

const STREAM = ({ jobId }) => ({ path: `/v1/jobs/${jobId}/events` })

/** The ways to wait for a job, as requests. */
const WAYS = {
  'a stream of events': STREAM,
  'a stream of events, asked for by its type': ({ jobId }) => ({ path: `/v1/jobs/${jobId}`, more: { accept: 'text/event-stream' } }),
  'a wait for a change': ({ jobId, etag }) => ({ path: `/v1/jobs/${jobId}?wait=50`, more: { 'if-none-match': etag } }),
  'a wait for the result': ({ id }) => ({
    path: `/v1/graphs/${id}/nodes/root/expand`, method: 'POST', more: { prefer: 'wait=50', 'content-type': 'application/json' }, body: '{}'
  })
}

/** Sends a request that may wait. `settled` ends with its response, as soon as there is one. */
const ask = (t, waiting, way) => {
  const { path, method = 'GET', more = {}, body } = way(waiting)
  const abort = new AbortController()
  t.after(() => abort.abort())
  const headers = { ...waiting.headers, ...more }
  const settled = fetch(server.http + path, { method, headers, body, signal: abort.signal }).catch(() => undefined)
  return { settled, stop: () => abort.abort() }
}

/** Whether one more may wait: the status of a stream, which begins at once or is refused. */
const next = async (t, waiting) => {
  const { settled, stop } = ask(t, waiting, STREAM)
  const { status } = await within('streams are answered at once', settled)
  stop()
  return status
}

/** Waits like this until told to stop, coming back when there was no place or nothing new. */
const keepAsking = (t, waiting, way) => {
  let [isOver, asked] = [false, undefined]
  const stop = () => {
    isOver = true
    asked?.stop()
  }
  t.after(stop)
  const asking = async () => {
    while (!isOver) {
      asked = ask(t, waiting, way)
      const response = await asked.settled
      waiting.etag = response?.headers.get('etag') ?? waiting.etag
      // A stream has begun.
      if (response?.status === 200 && response.headers.get('content-type') === 'text/event-stream') return
      await new Promise(resolve => setTimeout(resolve, 300))
    }
  }
  asking().catch(() => {})
  return stop
}

for (const [what, way] of Object.entries(WAYS)) {
  test(`${what} counts`, async t => {
    const waiting = await waitingJob(t)
    const stops = Array.from({ length: PER_CLIENT }, () => keepAsking(t, waiting, way))
    // Who is asking now and then may come between: it is so when it is so several times.
    let refused = 0
    await until('there is no place for one more', async () => {
      refused = await next(t, waiting) === 429 ? refused + 1 : 0
      await new Promise(resolve => setTimeout(resolve, 100))
      return refused === 10
    })
    const plain = await server.request('GET', `/v1/jobs/${waiting.jobId}`, undefined, waiting.headers)
    assert.deepEqual([plain.status, plain.json.status], [200, 'running'], 'who does not wait is answered')
    stops[0]()
    await until('there is a place again', async () => await next(t, waiting) === 200)
  })

  test(`${what} is not granted to who waits for as much as one may`, async t => {
    const waiting = await waitingJob(t)
    const streams = Array.from({ length: PER_CLIENT }, () => ask(t, waiting, STREAM))
    for (const { settled } of streams) assert.equal((await within('the stream begins', settled)).status, 200)
    const response = await within('it is answered at once', ask(t, waiting, way).settled)
    if (way === WAYS['a wait for the result']) {
      // What was asked for is done all the same; only the wish to wait for it is not granted.
      assert.deepEqual([response.status, response.headers.get('preference-applied')], [202, null])
      const { json } = await server.request('GET', (await response.json()).status_url, undefined, waiting.headers)
      assert.ok(['queued', 'running'].includes(json.status), json.status)
    } else if (way === WAYS['a wait for a change']) {
      assert.ok([200, 304].includes(response.status), `there is an answer, though no news: ${response.status}`)
    } else {
      const answer = await response.json()
      assert.deepEqual([response.status, answer.error.code], [429, 'too_many_connections'])
      assert.ok(Number(response.headers.get('retry-after')) >= 1)
    }
    // It is no connection to a map, and nobody else is concerned.
    const { provider: editor } = await join(t, server, waiting.id, { params: { token: waiting.headers.authorization.slice('Bearer '.length) } })
    editor.destroy()
    assert.equal(await next(t, { ...waiting, headers: bearer(waiting.id, { sub: roomId('other') }) }), 200)
  })
}

/** What a stream says, as `{event, data}`. */
const eventsOf = async response => {
  const blocks = (await response.text()).split('\n\n').filter(block => block.includes('data:'))
  return blocks.map(block => Object.fromEntries(block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()])))
}

test('a stream of events ends with the token, which may stand in the address', async t => {
  const { id, jobId, sub } = await waitingJob(t)
  for (const inAddress of [false, true]) {
    const short = token({ [id]: 'viewer' }, { sub, seconds: 3 })
    const response = inAddress
      ? await fetch(`${server.http}/v1/jobs/${jobId}/events?token=${short}`)
      : await fetch(`${server.http}/v1/jobs/${jobId}/events`, { headers: { authorization: `Bearer ${short}` } })
    assert.equal(response.status, 200)
    const events = await within('the stream ends', eventsOf(response))
    assert.deepEqual(events.map(({ event }) => event), ['job', 'close'])
    const { code, reason } = JSON.parse(events[1].data)
    assert.deepEqual([code, reason], [4401, 'token expired'])
  }
})

test('a token in the address opens streams alone', async t => {
  const { id, jobId, sub } = await waitingJob(t)
  const good = token({ [id]: 'viewer' }, { sub })
  assert.equal((await fetch(`${server.http}/v1/jobs/${jobId}?token=${good}`)).status, 401)
  assert.equal((await fetch(`${server.http}/v1/jobs/${jobId}/events?token=a.b.c`)).status, 401)
  const foreign = token({ other: 'viewer' }, { sub })
  assert.equal((await fetch(`${server.http}/v1/jobs/${jobId}/events?token=${foreign}`)).status, 404, 'nobody else learns that there is such a job')
})
