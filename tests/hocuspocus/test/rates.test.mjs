/** All documents of a socket share its rates: each has its turn, and everything is counted once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { mapName } from '../lib/people.mjs'
import { AWARENESS, Raw, SYNC, auth, frame, step1 } from '../lib/raw.mjs'

const PER_SECOND = 50
/** What may come at once. */
const BURST = 4 * PER_SECOND

const MESSAGES = { SYNAPTI_LIMITS_MESSAGES_PER_SECOND: String(PER_SECOND) }

/** One says half as much again as it may, for as long as that makes no queue of a thousand messages. */
const BUSY_MS = 10_000
const EVERY_MS = 20
const ANSWERED_WITHIN_MS = 3_000

/** As many as one socket may have, and what their provider says of each before it is answered. */
const DOCUMENTS = 256

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))

const slowed = async server => Number(/^synapti_slowed_messages_total (\d+)$/m.exec((await server.request('GET', '/metrics')).text)?.[1] ?? 0)

const nothing = new Uint8Array([0])

test('who says much in one document does not keep the others of the socket from their turn', async t => {
  const server = await Server.start(t, { env: MESSAGES })
  const raw = await Raw.connect(t, server)
  const [busy, calm] = [mapName('busy'), mapName('calm')]
  raw.send(auth(busy), auth(calm))
  for (const name of [busy, calm]) await raw.authenticated(name)
  const end = performance.now() + BUSY_MS
  let isOver = false
  const flood = (async () => {
    while (performance.now() < end && !isOver) {
      for (let count = 0; count < PER_SECOND * 1.5 * EVERY_MS / 1000; count++) raw.send(frame(busy, AWARENESS, nothing))
      await sleep(EVERY_MS)
    }
  })()
  await until('it is slowed down', async () => await slowed(server) > 0)
  let slowest = 0
  while (performance.now() < end) {
    const [since, from] = [performance.now(), raw.messages.length]
    raw.send(step1(calm))
    await raw.message('the other document is answered', ({ address, type, kind }) => address === calm && type === SYNC && kind === 1, from)
    slowest = Math.max(slowest, performance.now() - since)
    await sleep(500)
  }
  isOver = true
  await flood
  t.diagnostic(`slowest answer ${Math.round(slowest)} ms`)
  assert.ok(slowest < ANSWERED_WITHIN_MS, `${slowest} ms`)
})

test('as many documents as one socket may have open at once, and nothing of it is counted twice', async t => {
  const server = await Server.start(t)
  const raw = await Raw.connect(t, server)
  const names = Array.from({ length: DOCUMENTS }, () => mapName('many'))
  for (const name of names) raw.send(auth(name), step1(name), frame(name, AWARENESS, nothing))
  for (const name of names) await raw.authenticated(name)
  await until('each is answered', () => new Set(raw.messages.filter(({ type, kind }) => type === SYNC && kind === 1).map(({ address }) => address)).size === DOCUMENTS)
  assert.equal(await slowed(server), 0)
})

test('tokens for a document that is open cost what messages cost', async t => {
  const server = await Server.start(t, { env: MESSAGES })
  const raw = await Raw.connect(t, server)
  const name = mapName('tokens')
  raw.send(auth(name))
  await raw.authenticated(name)
  for (let count = 0; count < 2 * BURST; count++) raw.send(auth(name))
  await until('it is slowed down', async () => await slowed(server) > BURST / 10)
})
