/**
 * People decide what becomes of a run; and a run survives what happens to its server.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as Y from 'yjs'
import { expand, idOf, job, jobOf, nodesOf, openMap, over, sees, shown, stored, succeeded, titlesOf, withProvider } from '../lib/ai.mjs'
import { synced } from '../lib/client.mjs'
import { addNode, nodeOf } from '../lib/map.mjs'
import { concepts, gate, summaryOf } from '../lib/provider.mjs'
import { until } from '../lib/wait.mjs'

const settle = async (server, jobId, verb, body = {}) => {
  const { status, json, text } = await server.request('POST', `/v1/jobs/${jobId}/${verb}`, body)
  assert.equal(status, 200, text)
  return json
}

const stateOf = (doc, id) => doc.getMap('nodes').toJSON()[id]?.state

describe('what people decide', () => {
  const hooks = []
  let server, provider
  before(async () => { ({ server, provider } = await withProvider({ after: hook => hooks.push(hook) })) })
  after(async () => { for (const hook of hooks.reverse()) await hook() })

  /** A run that proposes three nodes. */
  const proposed = async t => {
    const map = await openMap(t, server)
    const { job_id } = await succeeded(server, jobOf(await expand(server, map.id)))
    await sees(map.doc, ['Air', 'Light', 'Water'])
    return { ...map, jobId: job_id, air: idOf(map.doc, 'Air'), light: idOf(map.doc, 'Light'), water: idOf(map.doc, 'Water') }
  }

  test('one is accepted, then all', async t => {
    const { doc, jobId, air, light, water } = await proposed(t)
    const one = await settle(server, jobId, 'accept', { node_ids: [light] })
    assert.deepEqual([one.accepted, one.kept], [[light], []])
    await until('it is no proposal any more', () => stateOf(doc, light) === undefined)
    assert.equal(stateOf(doc, air), 'proposed')
    const all = await settle(server, jobId, 'accept')
    assert.deepEqual(all.accepted.sort(), [air, water].sort())
    await until('none is', () => nodesOf(doc).every(({ state }) => state === undefined))
    const report = await job(server, jobId)
    assert.equal(report.nodes.accepted, 3)
    assert.deepEqual((await settle(server, jobId, 'accept')).accepted, [], 'again: nothing is left to do')
    assert.deepEqual(titlesOf(doc), ['Air', 'Light', 'Water'])
  })

  test('one is rejected, then all that are still proposals', async t => {
    const { id, doc, jobId, air, light, water } = await proposed(t)
    await settle(server, jobId, 'accept', { node_ids: [air] })
    assert.deepEqual((await settle(server, jobId, 'reject', { node_ids: [light] })).removed, [light])
    await sees(doc, ['Air', 'Water'])
    assert.deepEqual((await settle(server, jobId, 'reject')).removed, [water])
    await sees(doc, ['Air'])
    assert.deepEqual(await stored(server, id), ['Air'])
    assert.equal((await job(server, jobId)).nodes.rejected, 2)
  })

  test('nodes of others cannot be accepted or rejected through a job', async t => {
    const { doc, jobId } = await proposed(t)
    addNode(doc, { id: 'mine', title: 'Mine', parent: 'root' })
    nodeOf(doc, 'mine').set('state', 'proposed')
    await until('it is stored', async () => (await settle(server, jobId, 'reject', { node_ids: ['mine', 'root', 'nobody'] })).removed.length === 0)
    assert.ok(titlesOf(doc).includes('Mine'))
    assert.deepEqual((await settle(server, jobId, 'reject', { node_ids: ['mine'] })).removed, [])
    const bad = await server.request('POST', `/v1/jobs/${jobId}/accept`, { nodes: ['x'] })
    assert.deepEqual([bad.status, bad.json.error.code], [422, 'validation_failed'])
  })

  /** Somebody works with what a run has made: edits one, moves one, gives children to one. */
  const worked = async (t, { undo }) => {
    const { id, doc, job: jobId } = await openMap(t, server).then(async map => {
      provider.next(say => say.whole(concepts(['Edited', 'Moved', 'Parent', 'Coloured', 'Untouched'])))
      const { job_id } = await succeeded(server, jobOf(await expand(server, map.id)))
      await sees(map.doc, ['Coloured', 'Edited', 'Moved', 'Parent', 'Untouched'])
      return { ...map, job: job_id }
    })
    nodeOf(doc, idOf(doc, 'Edited')).get('summary').insert(0, 'My words. ')
    nodeOf(doc, idOf(doc, 'Moved')).set('pos', [4, 5, 6])
    nodeOf(doc, idOf(doc, 'Coloured')).set('color', '#123456')
    addNode(doc, { id: 'child', title: 'Child', parent: idOf(doc, 'Parent') })
    await until('it is stored', async () => (await stored(server, id)).includes('Child'))
    const untouched = idOf(doc, 'Untouched')
    const answer = await undo(jobId)
    assert.deepEqual(answer.removed, [untouched])
    assert.equal(answer.kept.length, 4)
    await sees(doc, ['Child', 'Coloured', 'Edited', 'Moved', 'Parent'])
    assert.equal((await job(server, jobId)).nodes.undone, 1)
  }

  test('undo takes back what nobody has touched, and keeps what people have edited, moved, coloured or given children', t =>
    worked(t, { undo: jobId => settle(server, jobId, 'undo') }))

  test('undo takes back accepted nodes as well', async t => {
    const { doc, jobId } = await proposed(t)
    await settle(server, jobId, 'accept')
    assert.equal((await settle(server, jobId, 'undo')).removed.length, 3)
    await sees(doc, [])
    assert.deepEqual((await settle(server, jobId, 'undo')).removed, [], 'again: nothing is left')
  })

  test('a node is accepted while the run goes on; all, or undo, only afterwards', async t => {
    const { doc, id } = await openMap(t, server)
    const door = gate()
    provider.next(async say => {
      const text = concepts(['Light', 'Water'])
      const at = text.indexOf('Wat') + 3
      say.text(text.slice(0, at))
      await door.passed
      say.whole(text.slice(at))
    })
    const jobId = jobOf(await expand(server, id))
    await until('the second has begun', () => idOf(doc, 'Wat'))
    const light = idOf(doc, 'Light')
    assert.deepEqual((await settle(server, jobId, 'accept', { node_ids: [light] })).accepted, [light])
    for (const verb of ['accept', 'reject', 'undo']) {
      const { status, json } = await server.request('POST', `/v1/jobs/${jobId}/${verb}`, {})
      assert.deepEqual([status, json.error.code], [409, 'job_running'], verb)
    }
    door.open()
    await succeeded(server, jobId)
    await sees(doc, ['Light', 'Water'])
    assert.deepEqual([stateOf(doc, light), stateOf(doc, idOf(doc, 'Water'))], [undefined, 'proposed'])
  })

  test('an undo leaves what another run has made', async t => {
    const { doc, id, jobId } = await proposed(t)
    provider.next(say => say.whole(concepts(['Soil'])))
    const second = (await succeeded(server, jobOf(await expand(server, id)))).job_id
    await sees(doc, ['Air', 'Light', 'Soil', 'Water'])
    assert.equal((await settle(server, jobId, 'undo')).removed.length, 3)
    await sees(doc, ['Soil'])
    assert.equal(nodesOf(doc)[0].run, second)
  })
})

for (const [how, stop] of [['SIGTERM', server => server.stop()], ['kill -9', server => server.kill9()]]) {
  describe(`a server that ends by ${how}`, () => {
    test('an undo afterwards', async t => {
      const { server } = await withProvider(t, { restartable: true })
      const { id, doc, viewer } = await openMap(t, server)
      const jobId = jobOf(await expand(server, id))
      await succeeded(server, jobId)
      await sees(doc, ['Air', 'Light', 'Water'])
      nodeOf(doc, idOf(doc, 'Air')).set('title', new Y.Text('Wind'))
      await until('it is stored', async () => (await stored(server, id)).includes('Wind'))
      await stop(server)
      await server.start()
      const { removed, kept } = await settle(server, jobId, 'undo')
      assert.deepEqual([removed.length, kept.length], [2, 1])
      await synced(viewer)
      await sees(doc, ['Wind'])
      assert.deepEqual(await stored(server, id), ['Wind'])
    })

    test('in the middle of a word: the run goes on, and nothing is half-written or there twice', async t => {
      const { server, provider } = await withProvider(t, { restartable: true })
      const { id, doc, viewer } = await openMap(t, server)
      const never = gate()
      provider.next(async (say, { closed }) => {
        const text = concepts(['Light', 'Water', 'Air'])
        const at = text.indexOf('Wat') + 3
        say.text(text.slice(0, at))
        await Promise.race([closed, never.passed])
      }, say => say.whole(concepts(['Light', 'Water', 'Soil'])))
      const jobId = jobOf(await expand(server, id, { body: { max_children: 3 } }))
      await until('half a word is seen', () => idOf(doc, 'Wat'))
      const light = nodesOf(doc).find(({ title }) => title === 'Light')
      await until('it is written down that the first is whole', async () => (await job(server, jobId)).nodes.written === 1, { deadline_ms: 5000 })
      await stop(server)
      assert.equal(provider.asked(), 1)
      await server.start()
      const report = await over(server, jobId)
      assert.equal(report.status, 'succeeded', JSON.stringify(report))
      await synced(viewer)
      await sees(doc, ['Light', 'Soil', 'Water'])
      assert.deepEqual(await stored(server, id), ['Light', 'Soil', 'Water'])
      const same = nodesOf(doc).find(({ title }) => title === 'Light')
      assert.deepEqual([same.id, same.summary], [light.id, summaryOf('Light')])
      assert.ok(nodesOf(doc).every(({ run, state }) => run === jobId && state === 'proposed'))
      assert.equal(provider.asked(), 2)
      assert.match(JSON.stringify(provider.requests[1].body), /existing_children/)
      await until('the AI is gone', () => shown(viewer).length === 0)
      const { removed, kept } = await settle(server, jobId, 'undo')
      assert.deepEqual([removed.length, kept], [3, []], 'both attempts are one run')
      await sees(doc, [])
    })
  })
}
