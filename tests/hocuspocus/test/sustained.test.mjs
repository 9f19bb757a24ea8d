/** Who sends too much to a document without a break is read more slowly at first, and loses the socket after a minute. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { Server } from '../../clients/lib/server.mjs'
import { join, mapName, saved, write } from '../lib/people.mjs'
import { Raw, auth, step1, step2, update } from '../lib/raw.mjs'

/** A minute, as a server counts it that looks at a client when it reads it. */
const PATIENCE_MS = { min: 55_000, max: 110_000 }

/** Bytes that wait here, so that there is always something for the server to read. */
const WAITING_BYTES = 256 << 10

/** Far above what an edit takes, far below what somebody would put up with. */
const EDIT_WITHIN_MS = 5_000

/** Are you there? */
const PING = 9

const LARGE_BYTES = 10 << 20
const RATE_LIMITED = 1008

const server = await Server.start({ after })

const edit = words => {
  const doc = new Y.Doc()
  doc.getText('large').insert(0, words)
  return Y.encodeStateAsUpdate(doc)
}

/** Sends the frame whenever less than `waiting` bytes are on their way, beside somebody who works in the same document. */
const sendWithoutBreak = async (t, frameTo, waiting) => {
  const name = mapName('sustained')
  const person = await join(t, server, name)
  const raw = await Raw.connect(t, server)
  raw.send(auth(name), step1(name))
  await raw.authenticated(name)
  const frame = frameTo(name)
  const begun = performance.now()
  let [slowest, written] = [0, 0]
  const working = (async () => {
    while (raw.socket.readyState === 1) {
      const since = performance.now()
      write(person, 'x')
      await saved(person)
      slowest = Math.max(slowest, performance.now() - since)
      written += 1
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  })()
  while (raw.socket.readyState === 1 && performance.now() - begun < PATIENCE_MS.max) {
    for (let count = 0; count < 100 && raw.socket.bufferedAmount < waiting; count++) raw.send(frame)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  const took = performance.now() - begun
  const { code, reason } = await raw.close()
  await working
  t.diagnostic(`after ${Math.round(took)} ms: ${code} ${reason}; slowest of ${written} edits beside it ${Math.round(slowest)} ms`)
  assert.equal(code, RATE_LIMITED, reason)
  assert.match(reason, /slow down/)
  assert.ok(took >= PATIENCE_MS.min, 'that is not the first thing that happens to it')
  assert.ok(slowest < EDIT_WITHIN_MS && written > 50, 'who works beside it can go on')
  assert.deepEqual(person.heard.closed, [])
}

test('without a break', { concurrency: true }, async t => {
  await Promise.all([
    t.test('small messages', t => sendWithoutBreak(t, name => update(name, edit('x')), WAITING_BYTES)),
    t.test('messages that are for no document', t => sendWithoutBreak(t, () => new Uint8Array([PING]), WAITING_BYTES)),
    t.test('answers of 10 MiB', t => sendWithoutBreak(t, name => step2(name, edit('x'.repeat(LARGE_BYTES))), LARGE_BYTES))
  ])
})
