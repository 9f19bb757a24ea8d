/** Who can only send requests, behind a balancer that gives each of them to another node. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { join, roomId, sameState } from '../../clients/lib/client.mjs'
import { Poller, Y, post, step1, update } from '../../clients/lib/poll.mjs'
import { Stream } from '../../clients/lib/sse.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Cluster } from '../lib/cluster.mjs'

const cluster = await Cluster.start({ after }, { nodes: 2 })
const [a, b] = cluster.nodes

const alternating = () => {
  let turn = 0
  return () => cluster.nodes[turn++ % 2].http
}

const text = doc => doc.getText('text').toString()

test('two nodes answer alternate polls', async t => {
  const id = roomId('alternate')
  const [ada, bob] = [await join(t, a, id), await join(t, b, id)]
  const pollers = [new Poller(alternating(), id), new Poller(alternating(), id)]
  pollers.forEach(poller => t.after(() => poller.destroy()))
  for (let n = 0; n < 40; n++) {
    ada.doc.getText('text').insert(0, `<a${n}>`)
    bob.doc.getText('text').insert(0, `<b${n}>`)
    // Beside the others' words, so that all of these can be looked for.
    bob.doc.getText('other').insert(0, 'abc')
    if (n % 4 === 3) bob.doc.getText('other').delete(2, 3)
    for (const [at, poller] of pollers.entries()) {
      poller.doc.getText('text').insert(0, `<p${at}${n}>`)
      // Also what a node has not heard of yet, and asks for.
      const sent = poller.unsent.length
      assert.equal((await poller.poll()).durable, sent)
    }
  }
  const docs = [ada.doc, bob.doc, ...pollers.map(({ doc }) => doc)]
  await until('all agree', async () => {
    for (const poller of pollers) await poller.poll()
    return docs.every(doc => sameState(docs[0], doc) && text(doc) === text(docs[0]) && doc.getText('other').toString() === docs[0].getText('other').toString())
  })
  const tags = text(ada.doc).match(/<[abp]\d+>/g)
  assert.equal(new Set(tags).size, tags.length)
  for (let n = 0; n < 40; n++) for (const at of [0, 1]) assert.ok(tags.includes(`<p${at}${n}>`), `<p${at}${n}>`)
})

test('what one node has said is durable the other one knows at once', async t => {
  const id = roomId('own')
  for (let n = 0; n < 20; n++) {
    const doc = new Y.Doc()
    doc.getText('text').insert(0, `${n},`)
    const written = await post(a.http, id, { body: [step1(doc), update(Y.encodeStateAsUpdate(doc))] })
    assert.equal(written.durable, 1)
    const read = await post(b.http, id, { body: [step1(new Y.Doc())], cursor: written.cursor, wait: 30 })
    const there = new Y.Doc()
    Y.applyUpdate(there, read.messages[0].step2)
    assert.ok(text(there).includes(`${n},`), `${n}`)
  }
})

test('a poll on one node and a stream on the other hear what happens on either', async t => {
  const id = roomId('hear')
  const ada = await join(t, a, id)
  const poller = new Poller(b.http, id)
  t.after(() => poller.destroy())
  await poller.poll()
  const stream = await Stream.open(t, b.http, id)
  await until('the stream is there', () => stream.lastEventId !== undefined)
  const waits = poller.poll({ wait: 50 })
  ada.doc.getText('text').insert(0, 'across')
  await waits
  assert.equal(text(poller.doc), 'across')
  await until('the stream has it', () => text(stream.doc) === 'across')
})

test('who polls is seen on all nodes, wherever they say so', async t => {
  const id = roomId('seen')
  const [ada, bob] = [await join(t, a, id), await join(t, b, id)]
  const poller = new Poller(alternating(), id)
  t.after(() => poller.destroy())
  const seen = person => person.awareness.getStates().get(poller.doc.clientID)?.at
  for (let at = 1; at <= 6; at++) {
    await poller.show({ at })
    await until('everybody sees it', () => seen(ada) === at && seen(bob) === at)
  }
  await poller.show(null)
  await until('everybody sees them go', () => seen(ada) === undefined && seen(bob) === undefined)
})

test('a node that is killed under a waiting poll leaves the other one', async t => {
  const own = await Cluster.start(t, { nodes: 2 })
  const [first, second] = own.nodes
  const id = roomId('killed')
  let base = first.http
  const poller = new Poller(() => base, id)
  t.after(() => poller.destroy())
  poller.doc.getText('text').insert(0, 'kept')
  assert.equal((await poller.poll()).durable, 1)
  const waits = poller.poll({ wait: 50 }).catch(() => 'cut')
  await until('it waits', async () => /^synapti_polls_waiting 1/m.test((await first.request('GET', '/metrics')).text))
  poller.doc.getText('text').insert(0, 'not sent yet, ')
  await first.kill9()
  assert.equal(await waits, 'cut')
  base = second.http
  assert.equal((await poller.poll()).durable, 1)
  const read = new Poller(second.http, id)
  t.after(() => read.destroy())
  await read.poll()
  assert.equal(text(read.doc), 'not sent yet, kept')
})
