/**
 * The map grows while people look on and go on working: word by word, and never over what somebody has done.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import * as Y from 'yjs'
import { expand, generate, idOf, jobOf, nodesOf, openMap, over, sees, shown, stored, succeeded, titlesOf, withProvider } from '../lib/ai.mjs'
import { converged, join, roomId } from '../lib/client.mjs'
import { addNode, nodeOf } from '../lib/map.mjs'
import { concepts, gate, summaryOf } from '../lib/provider.mjs'
import { until } from '../lib/wait.mjs'

describe('a map that grows', () => {
  const hooks = []
  const suite = { after: hook => hooks.push(hook) }
  let server, provider
  before(async () => { ({ server, provider } = await withProvider(suite)) })
  after(async () => { for (const hook of hooks.reverse()) await hook() })

  /** The model has written up to the middle of the title `Photosynthesis`, and goes on when the gate opens. */
  const halfWritten = async (t, { rest = 'synthesis', then = ['Roots'] } = {}) => {
    const map = await openMap(t, server)
    const door = gate()
    provider.next(async say => {
      say.text('{"sub_concepts":[{"title":"Photo')
      await door.passed
      const end = concepts(then).slice('{"sub_concepts":['.length)
      say.whole(`${rest}","summary":"${summaryOf('it')}","expandable":true,"relationship":"part of","strength":0.7},${end}`)
    })
    const id = jobOf(await expand(server, map.id))
    const node = await until('the first letters are seen', () => idOf(map.doc, 'Photo'))
    return { ...map, job: id, node, door }
  }

  test('two people see each title grow letter by letter, before the model has said the rest', async t => {
    const { id, doc, title } = await openMap(t, server)
    const other = await join(t, server, id)
    const seen = [doc, other.doc].map(doc => {
      const states = []
      doc.on('update', () => {
        const [first] = nodesOf(doc)
        if (first !== undefined && states.at(-1) !== first.title) states.push(first.title)
      })
      return states
    })
    const doors = Array.from('Sunlight', gate)
    provider.next(async say => {
      say.text('{"sub_concepts": [{"title": "')
      for (const [at, letter] of Array.from('Sunlight').entries()) {
        say.text(letter)
        await doors[at].passed
      }
      say.text('", "summary": "War')
      say.text('m \\u00e9nergie.", "expandable": false, "relationship": "feeds", "strength": 0.9}]}')
      say.end()
    })
    const job = jobOf(await expand(server, id))
    for (let letters = 1; letters <= 8; letters++) {
      const part = 'Sunlight'.slice(0, letters)
      await until(`both see ${part}`, () => [doc, other.doc].every(doc => titlesOf(doc)[0] === part))
      const [[, state]] = await until('the AI is shown at the node', () => {
        const presence = shown(other)
        return presence.length === 1 && presence[0][1].ai.runs[0].node_id === 'root' && presence
      })
      assert.ok(state.user.name.startsWith('AI: expanding “Plants'), state.user.name)
      assert.deepEqual([state.ai.runs.length, state.ai.runs[0].job_id, state.ai.runs[0].kind], [1, job, 'expand'])
      doors[letters - 1].open()
    }
    const report = await succeeded(server, job)
    assert.deepEqual(seen[0], Array.from('Sunlight', (_, at) => 'Sunlight'.slice(0, at + 1)))
    assert.deepEqual(seen[1], seen[0])
    await until('the AI is gone', () => shown(other).length === 0)
    await converged([{ doc }, other])
    const [node] = nodesOf(doc)
    const { parent, source, run, state, summary, expandable, relationship, strength } = node
    assert.deepEqual({ parent, source, run, state, summary, expandable, relationship, strength },
      { parent: 'root', source: 'ai', run: job, state: 'proposed', summary: 'Warm énergie.', expandable: false, relationship: 'feeds', strength: 0.9 })
    const { json } = await server.request('GET', `/v1/graphs/${id}`)
    const read = json.nodes.find(node => node.id !== 'root')
    assert.deepEqual([read.id, read.title, read.summary, read.parent_id, read.run, read.state, read.source],
      [node.id, 'Sunlight', 'Warm énergie.', 'root', job, 'proposed', 'ai'])
    assert.equal(json.topic, title)
    assert.deepEqual([report.kind, report.node_id, report.nodes.written, report.progress], ['expand', 'root', 1, 1])
  })

  test('who is at which node is shown while the model still thinks', async t => {
    const { id, viewer } = await openMap(t, server)
    const door = gate()
    provider.next(async say => {
      await door.passed
      say.whole(concepts(['Light']))
    })
    const job = jobOf(await expand(server, id))
    const [[, { ai }]] = await until('the AI is there', () => shown(viewer).length === 1 && shown(viewer))
    assert.deepEqual([ai.runs.length, ai.runs[0].job_id, ai.runs[0].kind, ai.runs[0].node_id], [1, job, 'expand', 'root'])
    door.open()
    await succeeded(server, job)
    await until('the AI is gone', () => shown(viewer).length === 0)
  })

  test('people who wait in an empty room see a map grow from its topic', async t => {
    const id = roomId('grown')
    const viewer = await join(t, server, id)
    const job = jobOf(await generate(server, { topic: `Trees ${id}`, graph_id: id, language: 'de' }))
    await succeeded(server, job)
    const { json } = await server.request('GET', `/v1/graphs/${id}`)
    await until('the viewer has all', () => viewer.doc.getMap('nodes').size === 4)
    assert.equal(viewer.doc.getMap('meta').get('topic'), `Trees ${id}`)
    assert.equal(viewer.doc.getMap('meta').get('language'), 'de')
    assert.equal(json.nodes.find(node => node.parent_id === null).title, `Trees ${id}`)
    assert.deepEqual(await stored(server, id), ['Leaves', 'Roots', 'Stems'])
  })

  test('a half-written title that somebody changes is theirs', async t => {
    const { doc, node, door, job, id } = await halfWritten(t)
    const title = nodeOf(doc, node).get('title')
    doc.transact(() => {
      title.delete(0, title.length)
      title.insert(0, 'Mine')
    })
    await until('the server has it', async () => (await stored(server, id)).includes('Mine'))
    door.open()
    await succeeded(server, job)
    await sees(doc, ['Mine', 'Roots'])
    assert.deepEqual(await stored(server, id), ['Mine', 'Roots'])
    assert.equal(nodesOf(doc).find(({ title }) => title === 'Mine').id, node)
  })

  test('a half-written title that somebody replaces with another text is theirs', async t => {
    const { doc, node, door, job, id } = await halfWritten(t)
    nodeOf(doc, node).set('title', new Y.Text('Replaced'))
    await until('the server has it', async () => (await stored(server, id)).includes('Replaced'))
    door.open()
    await succeeded(server, job)
    await sees(doc, ['Replaced', 'Roots'])
  })

  test('a half-written node that somebody moves goes on growing where it is now', async t => {
    const { doc, node, door, job } = await halfWritten(t)
    addNode(doc, { id: 'shelf', title: 'Shelf', parent: 'root' })
    nodeOf(doc, node).set('parent', 'shelf')
    nodeOf(doc, node).set('pos', [1, 2, 3])
    door.open()
    await succeeded(server, job)
    const nodes = await sees(doc, ['Photosynthesis', 'Roots', 'Shelf'])
    const moved = nodes.find(({ id }) => id === node)
    assert.deepEqual([moved.title, moved.parent, moved.pos], ['Photosynthesis', 'shelf', [1, 2, 3]])
  })

  test('a half-written node that somebody deletes stays deleted, and the rest comes', async t => {
    const { doc, node, door, job, id } = await halfWritten(t)
    doc.getMap('nodes').delete(node)
    await until('it is gone', async () => !(await stored(server, id)).includes('Photo'))
    door.open()
    await succeeded(server, job)
    await sees(doc, ['Roots'])
    assert.equal(doc.getMap('nodes').has(node), false)
    assert.deepEqual(await stored(server, id), ['Roots'])
  })

  test('siblings that people add meanwhile keep their titles, and none comes twice', async t => {
    const { doc, door, job, id } = await halfWritten(t, { then: ['Roots', 'Bark'] })
    addNode(doc, { id: 'own', title: '  roots ', parent: 'root' })
    await until('the server has it', async () => (await stored(server, id)).some(title => /roots/.test(title)))
    door.open()
    await succeeded(server, job)
    await until('the last one is seen', () => titlesOf(doc).includes('Bark'))
    const same = titlesOf(doc).filter(title => title.trim().toLowerCase() === 'roots')
    assert.deepEqual(same, ['  roots '], `siblings with one title: ${titlesOf(doc)}`)
  })

  test('somebody types into another node all the while, and loses nothing', async t => {
    const { id, doc } = await openMap(t, server)
    addNode(doc, { id: 'notes', title: '', parent: 'root' })
    const titles = Array.from({ length: 5 }, (_, at) => `Idea number ${at}`)
    const doors = titles.map(gate)
    provider.next(async say => {
      const text = concepts(titles)
      const size = Math.ceil(text.length / doors.length)
      for (const [at, door] of doors.entries()) {
        for (const letter of text.slice(at * size, (at + 1) * size)) say.text(letter)
        await door.passed
      }
      say.end()
    })
    const job = jobOf(await expand(server, id))
    const notes = nodeOf(doc, 'notes').get('title')
    for (const [at, door] of doors.entries()) {
      await until('the next idea comes', () => nodesOf(doc).filter(({ run }) => run === job).length >= at + 1 || at === doors.length - 1)
      for (const letter of `line ${at};`) notes.insert(notes.length, letter)
      door.open()
    }
    await succeeded(server, job)
    const expected = [...titles, 'line 0;line 1;line 2;line 3;line 4;'].sort()
    await sees(doc, expected)
    await until('all is stored', async () => JSON.stringify(await stored(server, id)) === JSON.stringify(expected))
  })

  test('the node that is expanded may be deleted meanwhile: the run ends, and nothing of it is left', async t => {
    const { id, doc } = await openMap(t, server)
    addNode(doc, { id: 'doomed', title: 'Doomed', parent: 'root' })
    await until('it is stored', async () => (await stored(server, id)).length === 1)
    const door = gate()
    provider.next(async say => {
      say.text('{"sub_concepts":[{"title":"Chi')
      await door.passed
      say.whole(concepts(['Child']).slice('{"sub_concepts":[{"title":"Chi'.length))
    })
    const job = jobOf(await expand(server, id, { node: 'doomed' }))
    await until('it has begun', () => idOf(doc, 'Chi'))
    doc.transact(() => {
      for (const { id, parent } of nodesOf(doc)) if (id === 'doomed' || parent === 'doomed') doc.getMap('nodes').delete(id)
    })
    await until('it is gone', async () => (await stored(server, id)).length === 0)
    door.open()
    const report = await over(server, job)
    assert.ok(['succeeded', 'failed'].includes(report.status), report.status)
    assert.deepEqual(await stored(server, id), [])
  })
})
