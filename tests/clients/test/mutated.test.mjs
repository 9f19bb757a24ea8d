/** Real updates with small damages: what server and Yjs both take, both take for the same. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { after, test } from 'node:test'
import * as decoding from 'lib0/decoding'
import * as Y from 'yjs'
import { roomId } from '../lib/client.mjs'
import { mutationOf } from '../lib/mutator.mjs'
import { Random, freshSeed } from '../lib/random.mjs'
import { RawClient, STEP2, SYNC, step1, update } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { shape } from '../lib/shape.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

const ROUNDS = Number(process.env.TEST_ROUNDS ?? 12)
const CASES_PER_ROUND = 8
/** Updates of one case. */
const UPDATES_MAX = 12
/** Larger updates take time and find nothing that smaller ones do not. */
const UPDATE_BYTES_MAX = 2000
/** Most damages are no update any more. */
const TRIES_MAX = 30

const data = new URL('../../../protocol/tests/', import.meta.url)

/** The histories of `y-crdt-histories-quarter.bin`; its README says how they are written. */
const publishedHistories = () => {
  const decoder = decoding.createDecoder(new Uint8Array(readFileSync(new URL('data/y-crdt-histories-quarter.bin', data))))
  return Array.from({ length: decoding.readVarUint(decoder) }, () => {
    const updates = Array.from({ length: decoding.readVarUint(decoder) }, () => decoding.readVarUint8Array(decoder).slice())
    decoding.readVarString(decoder)
    decoding.readAny(decoder)
    decoding.readAny(decoder)
    return updates
  })
}

const recordedHistories = ['lists', 'maps', 'texts', 'surrogates'].flatMap(kind => {
  const path = new URL(`../../../crdt/tests/data/yjs-histories-${kind}.json`, import.meta.url)
  return JSON.parse(readFileSync(path, 'utf8')).histories.map(({ updates }) => updates.map(base64 => new Uint8Array(Buffer.from(base64, 'base64'))))
})

/** Updates that have something in them which no history has. */
const corpus = readdirSync(new URL('corpus/update/', data)).sort()
  .map(name => new Uint8Array(readFileSync(new URL(`corpus/update/${name}`, data))))

const histories = [...publishedHistories(), ...recordedHistories]
const inputs = [...histories.flat(), ...corpus].filter(({ length }) => length <= UPDATE_BYTES_MAX)

/** What an update says, or nothing when it is none: `applyUpdate` reads less of it than there is. */
const decoded = update => {
  try {
    return Y.decodeUpdate(update)
  } catch {
    return undefined
  }
}

/** A document with all of these updates, or nothing when Yjs throws or waits for more. */
const applied = updates => {
  const doc = new Y.Doc()
  try {
    for (const one of updates) Y.applyUpdate(doc, one)
  } catch {
    return undefined
  }
  return doc.store.pendingStructs === null && doc.store.pendingDs === null ? doc : undefined
}

/**
 * Whether an update says of an edit that it was left of its left neighbour. Yjs splits the right neighbour off after it has
 * found the left one, and then takes what is left of that for it: where the edit lands depends on how the text around it
 * happens to be cut. No client writes it, and yrs takes the left neighbour's word.
 */
const isTwisted = ({ structs }) => structs.some(({ origin, rightOrigin }) =>
  origin != null && rightOrigin != null && origin.client === rightOrigin.client && rightOrigin.clock <= origin.clock)

/** Updates that Yjs takes one after the other, of which some are damaged. */
const sequence = random => {
  const updates = []
  for (const intact of random.pick(histories).slice(0, 1 + random.int(UPDATES_MAX))) {
    if (random.chance(0.4)) {
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const damaged = mutationOf(random, random.chance(0.7) ? intact : random.pick(inputs), inputs)
        const content = decoded(damaged)
        if (content !== undefined && !isTwisted(content) && applied([...updates, damaged]) !== undefined) {
          updates.push(damaged)
          break
        }
      }
    }
    if (applied([...updates, intact]) !== undefined) updates.push(intact)
  }
  return updates
}

/** Gives a fresh room these updates; what another client then reads there, or nothing when the room refused one. */
const served = async (t, updates) => {
  const id = roomId('mutated')
  const sender = await RawClient.open(t, server, id)
  let isClosed = false
  sender.socket.once('close', () => { isClosed = true })
  sender.send(...updates.map(update), step1())
  const hasAnswer = () => sender.messages.some(({ type, kind }) => type === SYNC && kind === STEP2)
  await until('the server answers or closes', () => isClosed || hasAnswer())
  const reader = isClosed ? undefined : await RawClient.open(t, server, id)
  const doc = await reader?.read()
  sender.socket.terminate()
  reader?.socket.terminate()
  return doc
}

const hex = bytes => Buffer.from(bytes).toString('hex')

test('updates with small damages', async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  const cases = ROUNDS * CASES_PER_ROUND
  let compared = 0
  for (let index = 0; index < cases; index++) {
    const updates = sequence(new Random(seed + index))
    const expected = applied(updates)
    const doc = await served(t, updates)
    if (doc === undefined) continue
    compared++
    assert.deepEqual(shape(doc), shape(expected), `TEST_SEED=${seed + index} TEST_ROUNDS=1: ${updates.map(hex).join(' / ')}`)
  }
  t.diagnostic(`${compared} of ${cases} cases were compared`)
  assert.ok(compared > cases / 3, `only ${compared} of ${cases} cases were compared`)
})
