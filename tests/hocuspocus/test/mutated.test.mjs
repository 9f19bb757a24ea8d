/** Real messages of a provider with small damages, over many sockets, while others work in the same document. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as encoding from 'lib0/encoding'
import * as decoding from 'lib0/decoding'
import { WebSocket } from 'ws'
import { mutationOf } from '../../clients/lib/mutator.mjs'
import { Random, freshSeed } from '../../clients/lib/random.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { join, leave, mapName, saved, socket } from '../lib/people.mjs'
import { Raw, auth } from '../lib/raw.mjs'

const MESSAGES = 3000
const SOCKETS = 12
/** Larger ones take time and find nothing that smaller ones do not. */
const MESSAGE_BYTES_MAX = 2000

/** How the server may end a socket: docs/hocuspocus.md, and of WebSocket itself nothing, since its frames are in order. */
const CLOSE_CODES = new Set([1008, 4205, 4400])

const PING = new Uint8Array([9])
const PONG = 10

const server = await Server.start({ after })

/** What a provider says to `name` in a session in which everything happens once. */
const recorded = async t => {
  const [name, frames] = [mapName('recorded'), []]
  class Recorder extends WebSocket {
    send (data, ...rest) {
      frames.push(new Uint8Array(data))
      return super.send(data, ...rest)
    }
  }
  const websocket = socket(t, server, { WebSocketPolyfill: Recorder })
  const person = await join(t, server, name, { on: websocket })
  const other = await join(t, server, name)
  const { doc, provider } = person
  doc.getText('text').insert(0, 'some words, wörtlich 🌱')
  doc.getText('text').format(0, 4, { bold: true })
  doc.getText('text').delete(5, 3)
  doc.getMap('map').set('key', { nested: [1, 'two', null, 3.5] })
  doc.getArray('list').push([1, new Uint8Array([1, 2, 3]), 'x'])
  provider.setAwarenessField('user', { name: 'Ada', at: [1, 2] })
  provider.sendStateless('hello')
  await saved(person)
  other.doc.getText('text').insert(0, 'from the other ')
  await saved(other)
  provider.forceSync()
  await saved(person)
  leave(person)
  leave(other)
  const large = frames.filter(({ length }) => length > MESSAGE_BYTES_MAX)
  assert.ok(frames.length > 10 && large.length === 0, `${frames.length} frames`)
  return { name, frames }
}

/** The same frame to another document. */
const readdressed = (frame, name) => {
  const decoder = decoding.createDecoder(frame)
  decoding.readVarString(decoder)
  const encoder = encoding.createEncoder()
  encoding.writeVarString(encoder, name)
  encoding.writeUint8Array(encoder, decoding.readTailAsUint8Array(decoder))
  return encoding.toUint8Array(encoder)
}

/** Somebody who sends damaged messages to `name`, on a new socket whenever one is closed. Counts what becomes of them. */
const attack = async (t, name, random, frames, count, ends) => {
  let raw
  for (let sent = 0; sent < count; sent++) {
    raw ??= await Raw.connect({ after: () => {} }, server)
    const from = raw.messages.length
    // Who was sent out of the document before is in it again.
    raw.send(auth(name), mutationOf(random, random.pick(frames), frames), PING)
    const closed = raw.closed
    let close
    closed.then(end => { close = end })
    await until('the server answers or closes', () => close ?? raw.messages.slice(from).some(({ bare }) => bare === PONG))
    if (close === undefined) continue
    ends.set(close.code, (ends.get(close.code) ?? 0) + 1)
    assert.ok(CLOSE_CODES.has(close.code), `closed with ${close.code} ${close.reason}`)
    assert.ok(close.reason.length > 0, `${close.code} says why`)
    raw = undefined
  }
  raw?.socket.terminate()
}

/** Two people who go on working, each on what the other reads. */
const neighbours = async (t, name) => {
  const pair = [await join(t, server, name), await join(t, server, name)]
  const map = ({ doc }) => doc.getMap('neighbours')
  let [isOver, edits] = [false, 0]
  const working = (async () => {
    for (; !isOver; edits++) {
      const [author, reader] = edits % 2 === 0 ? pair : pair.toReversed()
      map(author).set(`key-${edits}`, edits)
      await until(`edit ${edits} is with the other`, () => map(reader).get(`key-${edits}`) === edits)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  })()
  working.catch(() => {})
  return async () => {
    isOver = true
    await working
    await saved(...pair)
    for (const { heard } of pair) assert.deepEqual([heard.closed, heard.denied], [[], []], 'they have noticed nothing')
    const reader = await join(t, server, name)
    assert.equal(map(reader).size, edits, 'nothing is missing')
    return edits
  }
}

test(`${MESSAGES} damaged messages`, async t => {
  const seed = freshSeed()
  t.diagnostic(`TEST_SEED=${seed}`)
  const { frames } = await recorded(t)
  const pid = server.child.pid
  const name = mapName('mutated')
  const finish = await neighbours(t, name)
  const inputs = frames.map(frame => frame.length > 1 ? readdressed(frame, name) : frame)
  const ends = new Map()
  await Promise.all(Array.from({ length: SOCKETS }, (_, at) => attack(t, name, new Random(seed + at), inputs, MESSAGES / SOCKETS, ends)))
  const edits = await finish()
  t.diagnostic(`closed: ${JSON.stringify(Object.fromEntries(ends))}; ${edits} edits of others meanwhile`)
  assert.ok(server.running && server.child.pid === pid, 'the process is the same')
  assert.match((await server.request('GET', '/metrics')).text, /^synapti_room_panics_total 0$/m)
  assert.ok((ends.get(4400) ?? 0) > MESSAGES / 100, 'many were no messages')
  assert.ok(edits > 10)
})
