/** Random operations through the server against what npm's `yjs` makes of the same edits without it. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { connect, converged, cut, join, roomId, synced } from '../lib/client.mjs'
import { randomEdit, replica } from '../lib/histories.mjs'
import { initMap, toJSON } from '../lib/map.mjs'
import { Random, freshSeed } from '../lib/random.mjs'
import { Server } from '../lib/server.mjs'

const server = await Server.start({ after })

const ROUNDS = Number(process.env.TEST_ROUNDS ?? 12)
const EDITS = 60

/**
 * A few clients edit concurrently, go offline and come back in any order, and lose their connections; another document
 * receives the same updates from hand to hand.
 */
const round = async (t, seed, options) => {
  const random = new Random(seed)
  const id = roomId('differential')
  const reference = new Y.Doc()
  const people = Array.from({ length: 2 + random.int(4) }, (_, index) => {
    const one = replica(1 + random.int(0xFFFF) * 16 + index)
    const client = connect(t, server, id, { doc: one.doc, connect: random.chance(0.7) })
    one.doc.on('update', (update, origin) => { if (origin !== client.provider) Y.applyUpdate(reference, update) })
    return { ...one, client }
  })
  initMap(people[0].doc, `Seed ${seed}`)

  for (let edit = 0; edit < EDITS; edit++) {
    const { doc, fresh } = random.pick(people)
    randomEdit(random, doc, { ...options, fresh })
    const { provider } = random.pick(people).client
    const fate = random.next()
    if (fate < 0.08) provider.disconnect()
    else if (fate < 0.2) provider.connect()
    else if (fate < 0.23 && provider.wsconnected) cut({ provider })
    else if (fate < 0.6) await new Promise(setImmediate)
  }
  for (const { client } of random.shuffle(people)) client.provider.connect()

  const clients = people.map(({ client }) => client)
  await synced(...clients)
  const json = await converged(clients)
  assert.deepEqual(json, toJSON(reference), `seed ${seed}: the same as without a server`)

  const reader = await join(t, server, id)
  assert.deepEqual(toJSON(reader.doc), json, `seed ${seed}: a fresh client`)
  const state = Y.encodeStateAsUpdate(reader.doc)
  const copy = new Y.Doc()
  Y.applyUpdate(copy, state)
  assert.deepEqual(toJSON(copy), json, `seed ${seed}: the fresh client's state, applied to an empty document`)
  Y.applyUpdate(reference, state)
  assert.deepEqual(toJSON(reference), json, `seed ${seed}: the server's state changes nothing at one that has everything`)
  assert.equal(reader.doc.store.pendingStructs, null)
  for (const { provider } of [...clients, reader]) provider.destroy()
}

test('random edits on all roots', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  for (let index = 0; index < ROUNDS; index++) await round(t, seed + index, {})
})

test('random edits of one text, with characters outside of the basic plane', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  for (let index = 0; index < ROUNDS; index++) await round(t, seed + index, { focus: 'text' })
})

test('random edits between the halves of surrogate pairs', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  for (let index = 0; index < ROUNDS; index++) await round(t, seed + index, { focus: 'text', split: true })
})

/** Each with what Yjs shows everywhere: a half that is left alone becomes U+FFFD. */
const SPLITS = [
  ['an insert between the halves', ['😀'], text => text.insert(1, 'X'), '\uFFFDX\uFFFD'],
  ['the first half deleted', ['😀'], text => text.delete(0, 1), '\uFFFD'],
  ['the second half deleted', ['a😀b'], text => text.delete(2, 1), 'a\uFFFDb'],
  ['a range that ends between the halves', ['a😀b'], text => text.delete(0, 2), '\uFFFDb'],
  ['one half formatted', ['a😀b'], text => text.format(2, 2, { bold: true }), 'a\uFFFD\uFFFDb'],
  ['a diff that keeps the first half of 😀 for 😁', ['hi 😀!'], text => { text.delete(4, 1); text.insert(4, '\uFFFD') }, 'hi \uFFFD\uFFFD!'],
  ['two pairs at once', ['😀😁'], text => text.delete(1, 2), '\uFFFD\uFFFD']
]

for (const [name, written, split, expected] of SPLITS) {
  test(`${name}: later edits of everybody arrive`, async t => {
    const id = roomId('split')
    const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
    for (const string of written) ada.doc.getText('text').insert(ada.doc.getText('text').length, string)
    await converged([ada, bob])
    split(bob.doc.getText('text'))
    assert.equal((await converged([ada, bob])).text, expected)
    for (const letter of 'abc') ada.doc.getText('text').insert(ada.doc.getText('text').length, letter)
    bob.doc.getText('text').insert(0, '>')
    assert.equal((await converged([ada, bob])).text, `>${expected}abc`)
    const reader = await join(t, server, id)
    assert.equal(reader.doc.getText('text').toString(), `>${expected}abc`)
    assert.deepEqual(Y.decodeStateVector(Y.encodeStateVector(reader.doc)), Y.decodeStateVector(Y.encodeStateVector(ada.doc)))
  })
}
