/** Who reads a kilobyte a second gets everything, in the end, and keeps the connection. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId, sameState } from '../../clients/lib/client.mjs'
import { Extended } from '../../clients/lib/extended.mjs'
import { RawClient, step1 } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { Stream } from '../../clients/lib/sse.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Narrow } from '../lib/narrow.mjs'

const BYTES_PER_SECOND = 1000

/** A map of 30 KB, and edits that come while it is on its way. */
const KEYS = 30
const VALUE_BYTES = 1000
const EDITS = 20
const EDIT_EVERY_MS = 1000

/** What it takes at that speed, at least, and what a machine may need that has more to do. */
const SLOW_MS = 0.8 * KEYS * VALUE_BYTES / BYTES_PER_SECOND * 1000
const READ_WITHIN_MS = 150_000

const server = await Server.start({ after })

/** Has somebody read a map over a slow way while it is edited; `open` answers the document and whether it is still read. */
const readsOn = async (t, open) => {
  const id = roomId('crawling')
  const author = await Extended.join(t, server, id)
  for (let key = 0; key < KEYS; key++) author.set(`key-${key}`, String(key).padEnd(VALUE_BYTES, '.'))
  await author.saved()
  const begun = performance.now()
  const { doc, isOpen } = await open(await Narrow.open(t, server, BYTES_PER_SECOND), id)
  for (let edit = 0; edit < EDITS; edit++) {
    author.set(`edit-${edit}`, edit)
    if (edit % 4 === 0) author.map.delete(`key-${edit}`)
    await new Promise(resolve => setTimeout(resolve, EDIT_EVERY_MS))
  }
  await author.saved()
  assert.ok(!sameState(author.doc, doc), 'it is behind')
  await until('it has read what there is', () => sameState(author.doc, doc), {
    deadline_ms: READ_WITHIN_MS, detail: () => ({ isOpen: isOpen(), keys: doc.getMap('set').size })
  })
  const took = performance.now() - begun
  t.diagnostic(`${Math.round(took)} ms`)
  assert.ok(took > SLOW_MS, 'the network was slow')
  // Deletions do not show in the clocks, and come right behind.
  await until('it reads the same', () => {
    assert.deepEqual(doc.getMap('set').toJSON(), author.map.toJSON())
    return true
  }, { deadline_ms: READ_WITHIN_MS })
  assert.ok(isOpen(), 'over the connection with which it began')
}

test('a kilobyte a second', { concurrency: true }, async t => {
  await Promise.all([
    t.test('over a WebSocket', t => readsOn(t, async (way, id) => {
      const reader = await RawClient.open(t, way, id)
      reader.send(step1())
      return { doc: reader.doc, isOpen: () => reader.socket.readyState === reader.socket.OPEN }
    })),
    t.test('over a stream of events', t => readsOn(t, async (way, id) => {
      const stream = await Stream.open(t, way.http, id)
      assert.equal(stream.response.status, 200)
      let isOver = false
      stream.reading.then(() => { isOver = true })
      return { doc: stream.doc, isOpen: () => !isOver && stream.closed === undefined }
    }))
  ])
})
