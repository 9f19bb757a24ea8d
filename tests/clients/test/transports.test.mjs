/** One map over WebSocket, event streams and polls at the same time, and over bad networks. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { connect, join, leave, roomId, sameState, synced } from '../lib/client.mjs'
import { Poller, post, step1, step2, update } from '../lib/poll.mjs'
import { proxy } from '../lib/proxy.mjs'
import { Random, freshSeed } from '../lib/random.mjs'
import { Server } from '../lib/server.mjs'
import { shape } from '../lib/shape.mjs'
import { Stream } from '../lib/sse.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

/** Types or removes some letters; every insertion is unique, so that one that is there twice would show. */
const edit = (doc, random, name, n) => {
  const text = doc.getText('text')
  if (text.length > 20 && random.chance(0.3)) text.delete(random.int(text.length - 4), 3)
  else text.insert(random.int(text.length + 1), `<${name}${n}>`)
}

/** Polls until told to stop. */
const keepPolling = (t, poller) => {
  let stopped = false
  const ended = (async () => {
    while (!stopped) await poller.poll({ wait: poller.unsent.length > 0 ? undefined : 1 }).catch(() => {})
  })()
  t.after(() => { stopped = true })
  return async () => { stopped = true; await ended }
}

const agree = (docs, deadline_ms) => until('all agree', () => {
  if (!docs.every(doc => sameState(docs[0], doc))) return false
  const first = JSON.stringify(shape(docs[0]))
  return docs.every(doc => JSON.stringify(shape(doc)) === first)
}, { deadline_ms, detail: () => docs.map(doc => doc.getText('text').toString().slice(0, 200)) })

test('people on all transports edit one map and agree', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const id = roomId('all')
  const sockets = [await join(t, server, id), await join(t, server, id)]
  const pollers = Array.from({ length: 3 }, () => new Poller(server.http, id))
  pollers.forEach(poller => t.after(() => poller.destroy()))
  // A stream reads, and its edits go by requests.
  const writer = new Poller(server.http, id)
  t.after(() => writer.destroy())
  const stream = await Stream.open(t, server.http, id, { doc: writer.doc })
  const stops = pollers.map(poller => keepPolling(t, poller))
  const docs = [...sockets.map(({ doc }) => doc), ...pollers.map(({ doc }) => doc)]
  for (let n = 0; n < 150; n++) {
    const at = random.int(docs.length + 1)
    if (at < docs.length) edit(docs[at], random, 'abcdefg'[at], n)
    else {
      const before = Y.encodeStateVector(writer.doc)
      edit(writer.doc, random, 's', n)
      writer.unsent.length = 0
      const change = Y.encodeStateAsUpdate(writer.doc, before)
      assert.equal((await post(server.http, id, { body: [update(change)] })).durable, 1)
    }
    if (n % 5 === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await agree([...docs, stream.doc], 30_000)
  for (const stop of stops) await stop()
  const text = docs[0].getText('text').toString()
  const tags = text.match(/<[a-gs]\d+>/g) ?? []
  assert.equal(new Set(tags).size, tags.length, 'nothing is there twice')
})

test('a client that changes its transport while it edits loses and repeats nothing', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  const id = roomId('switch')
  const witness = await join(t, server, id)
  const doc = new Y.Doc()
  const pending = []
  const heard = Symbol('heard')
  doc.on('update', (bytes, origin) => { if (origin !== heard && !origin?.ws) pending.push(bytes) })
  let n = 0
  let cursor
  for (let round = 0; round < 12; round++) {
    const way = random.pick(['socket', 'stream', 'poll'])
    if (way === 'socket') {
      const client = connect(t, server, id, { doc })
      if (random.chance(0.7)) await synced(client)
      for (let edits = random.int(4); edits >= 0; edits--) edit(doc, random, 'w', n++)
      client.provider.destroy()
    } else if (way === 'stream') {
      const stream = await Stream.open(t, server.http, id, { doc, cursor, sv: Stream.vector(doc) })
      for (let edits = random.int(4); edits >= 0; edits--) edit(doc, random, 's', n++)
      // One that goes on from a cursor may have nothing to say.
      if (cursor === undefined) await until('it has a cursor', () => stream.lastEventId !== undefined)
      cursor = stream.lastEventId ?? cursor
      stream.close()
    } else {
      for (let edits = random.int(4); edits >= 0; edits--) edit(doc, random, 'p', n++)
    }
    edit(witness.doc, random, 'o', round)
    // What may not have arrived is sent again, whatever way it went before.
    const sent = pending.length
    const answer = await post(server.http, id, { body: [step1(doc), ...pending.map(update)], cursor })
    assert.equal(answer.durable ?? 0, sent)
    pending.splice(0, sent)
    cursor = answer.cursor
    for (const message of answer.messages) {
      const bytes = message.step2 ?? message.update
      if (bytes) Y.applyUpdate(doc, bytes, heard)
      if (message.step1) await post(server.http, id, { body: [step2(doc, message.step1)] })
    }
  }
  const last = await post(server.http, id, { body: [step1(doc)], cursor: 'none' })
  Y.applyUpdate(doc, last.messages[0].step2, heard)
  await agree([doc, witness.doc], 20_000)
  const tags = doc.getText('text').toString().match(/<[wspo]\d+>/g) ?? []
  assert.equal(new Set(tags).size, tags.length)
})

test('a network that cuts after a while costs nothing but time', async t => {
  const id = roomId('cut')
  const cutting = await proxy(t, server.port, { cutAfterMs: 300 })
  const ada = await join(t, server, id)
  const bob = new Poller(cutting.http, id)
  t.after(() => bob.destroy())
  const stop = keepPolling(t, bob)
  for (let n = 0; n < 60; n++) {
    ada.doc.getText('text').insert(0, `<a${n}>`)
    if (n % 3 === 0) bob.doc.getText('text').insert(0, `<b${n}>`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  await agree([ada.doc, bob.doc], 30_000)
  await stop()
  assert.ok(cutting.counts.cut > 2)
  const tags = bob.doc.getText('text').toString().match(/<[ab]\d+>/g)
  assert.deepEqual([tags.length, new Set(tags).size], [80, 80])
})

test('a stream behind a network that cuts goes on from its cursor', async t => {
  const id = roomId('cut-stream')
  const cutting = await proxy(t, server.port, { cutAfterMs: 250 })
  const ada = await join(t, server, id)
  const doc = new Y.Doc()
  let stopped = false
  let last
  let streams = 0
  const watching = (async () => {
    while (!stopped) {
      const stream = await Stream.open(t, cutting.http, id, { doc, lastEventId: last, sv: Stream.vector(doc) }).catch(() => undefined)
      if (stream === undefined) continue
      streams++
      await stream.reading
      last = stream.lastEventId ?? last
    }
  })()
  t.after(() => { stopped = true })
  for (let n = 0; n < 60; n++) {
    const text = ada.doc.getText('text')
    if (n % 4 === 3) text.delete(0, 2)
    else text.insert(0, `<a${n}>`)
    await new Promise(resolve => setTimeout(resolve, 25))
  }
  await agree([ada.doc, doc], 30_000)
  stopped = true
  await watching
  assert.ok(streams > 2)
})

test('polls get through where upgrades do not, and where answers are held back', async t => {
  const id = roomId('blocked')
  const blocking = await proxy(t, server.port, { blocksUpgrades: true, buffersMs: 50 })
  const stuck = connect(t, { ws: `ws://127.0.0.1:${blocking.port}/v1/ws` }, id)
  const ada = await join(t, server, id)
  const bob = new Poller(blocking.http, id)
  t.after(() => bob.destroy())
  bob.doc.getText('text').insert(0, 'from behind the proxy')
  assert.equal((await bob.poll()).durable, 1)
  await agree([ada.doc, bob.doc])
  const waits = bob.poll({ wait: 50 })
  ada.doc.getText('text').insert(0, 'and back: ')
  await waits
  await bob.poll()
  assert.equal(bob.doc.getText('text').toString(), 'and back: from behind the proxy')
  assert.equal(stuck.provider.synced, false)
  leave(stuck)
})
