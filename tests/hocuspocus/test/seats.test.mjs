/** What one socket may take of a room, and what strangers together may have kept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memoryBytes } from '../../attacks/lib/process.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { REQUIRED, join, mapName, saved, token, write } from '../lib/people.mjs'
import { AUTH, CLOSE, Raw, auth, frame, step1, update } from '../lib/raw.mjs'

/** Places that one socket may have in one room, under as many sessions. */
const PER_ROOM = 16

/** Strangers, and what each says to a document before it has shown a token: as much as one socket may. */
const STRANGERS = 60
const MESSAGES = 4
const MESSAGE_BYTES = (1 << 20) - 64
const KEPT_BYTES_MAX = 64 << 20
/** What the program holds besides: the buffers of what is being read. */
const SLACK_BYTES = 96 << 20

/** What is kept of a document whose token was no good: its question, for when a better token comes. */
const REFUSED = 250
const QUESTION_BYTES = 16_000

const AT_CAPACITY = 1013

/** Are you there, and the answer. */
const [PING, PONG] = [9, 10]

/** A counter of `/metrics`, whatever its labels. */
const total = async (server, name) => {
  const { text } = await server.request('GET', '/metrics')
  const values = text.split('\n').filter(line => line.startsWith(`${name} `) || line.startsWith(`${name}{`)).map(line => Number(line.split(' ').at(-1)))
  return values.reduce((sum, value) => sum + value, 0)
}

const session = (name, number) => `${name}\0session-${number}`

const isDenied = ({ type, kind }) => type === AUTH && kind === 1

test('one socket has so many places in a room; others have theirs', async t => {
  const server = await Server.start(t)
  const name = mapName('seats')
  const raw = await Raw.connect(t, server)
  const before = await total(server, 'synapti_documents_refused_total')
  for (let number = 0; number < PER_ROOM + 4; number++) raw.send(auth(session(name, number), '', '4.8.0'))
  await until('each is answered', () => raw.messages.filter(({ type }) => type === AUTH).length >= PER_ROOM + 4)
  const denied = raw.messages.filter(isDenied)
  assert.equal(denied.length, 4)
  for (const { text } of denied) assert.match(text, /16/, 'it says how many')
  const open = raw.messages.filter(({ type, kind }) => type === AUTH && kind === 2).map(({ address }) => address)
  assert.equal(new Set(open).size, PER_ROOM)
  assert.equal(await total(server, 'synapti_documents_refused_total') - before, 4)

  // Other documents of this socket, and this document over another one, are another matter.
  const other = mapName('seats')
  raw.send(auth(other), step1(other))
  await raw.authenticated(other)
  const neighbour = await Raw.connect(t, server)
  for (let number = 0; number < PER_ROOM; number++) neighbour.send(auth(session(name, number)))
  for (let number = 0; number < PER_ROOM; number++) await neighbour.authenticated(session(name, number))

  // Who leaves makes room.
  const [late] = denied.map(({ address }) => address)
  raw.send(frame(open[0], CLOSE), auth(late))
  await raw.authenticated(late)
  const from = raw.messages.length
  raw.send(auth(session(name, 'more')))
  await raw.message('one more is refused again', message => isDenied(message) && message.address === session(name, 'more'), from)
})

test('what strangers say before they show a token is kept up to a bound, and who has one comes in', async t => {
  const server = await Server.start(t, { env: REQUIRED })
  const name = mapName('known')
  const mine = token({ [name]: 'editor' })
  const before = memoryBytes(server)
  const strangers = await Promise.all(Array.from({ length: STRANGERS }, () => Raw.connect(t, server)))
  const ends = new Map()
  strangers.forEach((raw, at) => raw.closed.then(end => ends.set(at, end)))
  const body = new Uint8Array(MESSAGE_BYTES)
  let most = before
  const looking = setInterval(() => { most = Math.max(most, memoryBytes(server)) }, 20)
  t.after(() => clearInterval(looking))
  for (const raw of strangers) {
    for (let at = 0; at < MESSAGES; at++) if (raw.socket.readyState === 1) raw.send(update(`stranger-${at}`, body))
  }
  const kept = Math.floor(KEPT_BYTES_MAX / (MESSAGES * MESSAGE_BYTES))
  await until('there are no more of them than what they said has room', () => STRANGERS - ends.size <= kept + 1, { detail: () => ends.size })
  for (const { code, reason } of ends.values()) {
    assert.equal(code, AT_CAPACITY, reason)
    assert.ok(reason.length > 0)
  }
  const person = await join(t, server, name, { token: mine })
  write(person, 'all the same')
  await saved(person)
  clearInterval(looking)
  t.diagnostic(`${ends.size} of ${STRANGERS} were closed; memory grew by ${Math.round((most - before) / 1e6)} MB`)
  assert.ok(ends.size < STRANGERS, 'who came first keeps what it has said')
  assert.ok(most - before < KEPT_BYTES_MAX + SLACK_BYTES, `memory grew by ${most - before} bytes`)

  // What is kept is given back with the sockets.
  for (const { socket } of strangers) socket.terminate()
  await until('strangers may speak again', async () => {
    const raw = await Raw.connect(t, server)
    let isClosed = false
    raw.closed.then(() => { isClosed = true })
    for (let at = 0; at < MESSAGES; at++) raw.send(update(`stranger-${at}`, body))
    raw.send(new Uint8Array([PING]))
    await until('it is heard or closed', () => isClosed || raw.messages.some(({ bare }) => bare === PONG))
    return !isClosed
  })
  assert.equal(person.heard.closed.length, 0)
})

test('what is kept for strangers whose tokens are no good is bounded, too', async t => {
  const server = await Server.start(t, { env: REQUIRED })
  const name = mapName('known')
  const before = memoryBytes(server)
  const strangers = await Promise.all(Array.from({ length: STRANGERS }, () => Raw.connect(t, server)))
  const ends = new Map()
  strangers.forEach((raw, at) => raw.closed.then(end => ends.set(at, end)))
  const question = new Uint8Array(QUESTION_BYTES)
  for (const raw of strangers) {
    for (let at = 0; at < REFUSED; at++) {
      if (raw.socket.readyState === 1) raw.send(auth(`refused-${at}`, 'no.good.token'), step1(`refused-${at}`, question))
    }
    if (raw.socket.readyState === 1) raw.send(new Uint8Array([PING]))
  }
  await until('all is heard, or the socket is closed', () => strangers.every((raw, at) => ends.has(at) || raw.messages.some(({ bare }) => bare === PONG)))
  const grown = memoryBytes(server) - before
  t.diagnostic(`${ends.size} of ${STRANGERS} were closed; memory grew by ${Math.round(grown / 1e6)} MB`)
  for (const { code, reason } of ends.values()) assert.equal(code, AT_CAPACITY, reason)
  const person = await join(t, server, name, { token: token({ [name]: 'editor' }) })
  write(person, 'all the same')
  await saved(person)
  assert.ok(grown < KEPT_BYTES_MAX + SLACK_BYTES, `memory grew by ${grown} bytes`)
})
