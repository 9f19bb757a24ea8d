/** Clients made by hand that send their history in any order, merged, or twice. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { freshJSON, roomId } from '../lib/client.mjs'
import { randomHistory } from '../lib/histories.mjs'
import { toJSON } from '../lib/map.mjs'
import { Random, freshSeed } from '../lib/random.mjs'
import { RawClient, STEP1, SYNC, step2, update } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

const bytes = base64 => new Uint8Array(Buffer.from(base64, 'base64'))

/** Undefined values and the like do not survive JSON; the recorded expectations went through it. */
const recorded = json => JSON.parse(JSON.stringify(json))

/** Sends the updates in this order and returns what the room holds then. */
const send = async (t, updates) => {
  const id = roomId('raw')
  const raw = await RawClient.open(t, server, id)
  raw.send(...updates.map(update))
  const doc = await raw.read()
  raw.socket.close()
  await raw.closeCode()
  return { id, doc }
}

for (const kind of ['maps', 'texts', 'lists', 'merged', 'surrogates']) {
  test(`recorded histories (${kind}) in order, shuffled, and with repetitions end where Yjs ends`, async t => {
    const seed = freshSeed()
    t.diagnostic(`TEST_SEED=${seed}`)
    const random = new Random(seed)
    const file = new URL(`../../../crdt/tests/data/yjs-histories-${kind}.json`, import.meta.url)
    for (const history of JSON.parse(readFileSync(file, 'utf8')).histories) {
      const updates = history.updates.map(bytes)
      const orders = {
        'in order': updates,
        shuffled: random.shuffle(updates),
        reversed: updates.slice().reverse(),
        'shuffled, a third of it twice': random.shuffle([...updates, ...random.shuffle(updates).slice(0, updates.length / 3)])
      }
      for (const [order, sent] of Object.entries(orders)) {
        const { doc } = await send(t, sent)
        assert.deepEqual(recorded(toJSON(doc)), history.expected, `history ${history.seed}, ${order}`)
        assert.deepEqual(
          Y.decodeStateVector(Y.encodeStateVector(doc)),
          Y.decodeStateVector(bytes(history.stateVector)),
          `history ${history.seed}, ${order}`
        )
        doc.destroy()
      }
    }
  })
}

test('new random histories, shuffled, end where Yjs ends', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  const random = new Random(seed)
  for (let round = 0; round < 15; round++) {
    const { updates, doc } = randomHistory(seed + round, { edits: 50 })
    const { id, doc: received } = await send(t, random.shuffle(updates))
    assert.deepEqual(toJSON(received), toJSON(doc), `history ${seed + round}`)
    assert.deepEqual(await freshJSON(t, server, id), toJSON(doc), `history ${seed + round}, read by a provider`)
  }
})

test('a history that two connections send in turns is complete', async t => {
  const { updates, doc } = randomHistory(77, { edits: 40 })
  const id = roomId('turns')
  const [one, other] = [await RawClient.open(t, server, id), await RawClient.open(t, server, id)]
  updates.forEach((bytes, index) => (index % 2 === 0 ? one : other).send(update(bytes)))
  await until('both read the whole history', async () => {
    const [left, right] = [await one.read(), await other.read()]
    return Y.encodeStateVector(left).length > 1 &&
      JSON.stringify(toJSON(left)) === JSON.stringify(toJSON(right)) &&
      left.getText('text').toString() === doc.getText('text').toString()
  })
  assert.deepEqual(toJSON(one.doc), toJSON(doc))
})

test('the whole history as one Step2 equals the history', async t => {
  const { updates, doc } = randomHistory(78, { edits: 60 })
  const id = roomId('step2')
  const raw = await RawClient.open(t, server, id)
  raw.send(step2(Y.mergeUpdates(updates)))
  assert.deepEqual(toJSON(await raw.read()), toJSON(doc))
})

test('the server asks for what is missing', async t => {
  const author = new Y.Doc()
  const updates = []
  author.on('update', bytes => updates.push(bytes))
  for (const letter of 'abcdef') author.getText('text').insert(author.getText('text').length, letter)
  const id = roomId('gap')
  const raw = await RawClient.open(t, server, id)
  await raw.message('the server greets with its own Step1', ({ type, kind }) => type === SYNC && kind === STEP1)
  const from = raw.messages.length
  raw.send(update(updates[0]), update(updates[3]), update(updates[5]))
  const question = await raw.message('the server asks', ({ type, kind }) => type === SYNC && kind === STEP1, from)
  assert.equal((await raw.read()).getText('text').toString(), 'a', 'nothing after the hole is shown')
  raw.send(step2(Y.encodeStateAsUpdate(author, question.body)))
  assert.equal((await raw.read()).getText('text').toString(), 'abcdef')
})

test('updates that other clients receive have no holes', async t => {
  const { updates } = randomHistory(79, { edits: 60 })
  const id = roomId('holes')
  const watcher = await RawClient.open(t, server, id)
  await watcher.read()
  const raw = await RawClient.open(t, server, id)
  raw.send(...new Random(79).shuffle(updates).map(update))
  const doc = await raw.read()
  await until('the watcher has everything', () => JSON.stringify(toJSON(watcher.doc)) === JSON.stringify(toJSON(doc)))
  assert.equal(watcher.doc.store.pendingStructs, null)
  assert.equal(watcher.doc.store.pendingDs, null)
})
