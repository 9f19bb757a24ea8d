/** One client that sends as fast as it can, beside quiet ones in the same room and in another. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Extended } from '../../clients/lib/extended.mjs'
import { AWARENESS, RawClient, STEP2, SYNC, awareness, step1 } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Neighbours } from '../lib/neighbours.mjs'
import { metric } from '../lib/process.mjs'
import { Upgraded } from '../lib/upgraded.mjs'

/** How long each flood lasts. */
const FLOOD_MS = 8_000
const FLOOD_S = FLOOD_MS / 1000

/** The server's limits when nothing is set, and what it takes on top at once. */
const MESSAGES_PER_SECOND = 200
const MESSAGES_BURST = 4 * MESSAGES_PER_SECOND
const BYTES_PER_SECOND = 4 << 20
const BYTES_BURST = 16 << 20
const QUESTIONS_PER_SECOND = 5
const QUESTIONS_BURST = 20
const JOINS_PER_SECOND = 1000
const JOINS_BURST = JOINS_PER_SECOND

/** What is still no breach: clocks differ, and a flood does not end sharply. */
const TOLERANCE = 1.5

/** Bytes that wait here for a server that reads slowly. */
const WAITING_BYTES_MAX = 4 << 20

const server = await Server.start({ after })

/** Runs a flood beside two pairs of neighbours; answers what it answers. */
const beside = async (t, flood) => {
  const id = roomId('flood')
  const pairs = [await Neighbours.begin(t, server, id), await Neighbours.begin(t, server, roomId('beside'))]
  const result = await flood(id)
  const slowest = await Promise.all(pairs.map(pair => pair.finish()))
  t.diagnostic(`slowest edits: ${Math.round(slowest[0])} ms in the room, ${Math.round(slowest[1])} ms in another`)
  assert.equal(await metric(server, 'synapti_room_panics_total'), 0)
  return result
}

/** Calls `send` as often as the network takes it, as long as the flood lasts. */
const flooding = async (socket, send) => {
  const end = performance.now() + FLOOD_MS
  while (performance.now() < end && socket.readyState === socket.OPEN) {
    for (let count = 0; count < 100 && socket.bufferedAmount < WAITING_BYTES_MAX; count++) send()
    await new Promise(resolve => setTimeout(resolve, 1))
  }
}

const allowed = (perSecond, burst) => perSecond * FLOOD_S * TOLERANCE + burst

test('edits', async t => {
  await beside(t, async id => {
    const flooder = await Extended.join(t, server, id)
    await flooding(flooder.socket, () => flooder.set(`key-${flooder.sent % 50}`, flooder.sent))
    const { acked, sent } = flooder
    t.diagnostic(`${acked} of ${sent} edits were taken in ${FLOOD_S} s`)
    assert.ok(acked > MESSAGES_PER_SECOND, 'it is slowed and not shut out')
    assert.ok(acked <= allowed(MESSAGES_PER_SECOND, MESSAGES_BURST), `${acked} edits were taken`)
    assert.equal(flooder.socket.readyState, flooder.socket.OPEN, 'a few seconds are no abuse')
  })
})

test('bytes', async t => {
  const VALUE = 'x'.repeat(500_000)
  await beside(t, async id => {
    const flooder = await Extended.join(t, server, id)
    // Few keys: what is written over and over does not make the map larger.
    await flooding(flooder.socket, () => flooder.set('key', `${flooder.sent}${VALUE}`))
    const bytes = flooder.acked * VALUE.length
    t.diagnostic(`${Math.round(bytes / 1e6)} MB of ${Math.round(flooder.sent * VALUE.length / 1e6)} MB were taken in ${FLOOD_S} s`)
    assert.ok(bytes > BYTES_PER_SECOND, 'it is slowed and not shut out')
    assert.ok(bytes <= allowed(BYTES_PER_SECOND, BYTES_BURST), `${bytes} bytes were taken`)
    assert.equal(flooder.socket.readyState, flooder.socket.OPEN)
  })
})

test('questions', async t => {
  await beside(t, async id => {
    const author = await Extended.join(t, server, id)
    for (let key = 0; key < 50; key++) author.set(`key-${key}`, 'x'.repeat(10_000))
    await author.saved()
    const flooder = await RawClient.open(t, server, id)
    const question = step1()
    await flooding(flooder.socket, () => flooder.send(question))
    const answers = flooder.messages.filter(({ type, kind }) => type === SYNC && kind === STEP2).length
    t.diagnostic(`${answers} questions were answered in ${FLOOD_S} s`)
    assert.ok(answers > 0)
    assert.ok(answers <= allowed(QUESTIONS_PER_SECOND, QUESTIONS_BURST), `${answers} questions were answered`)
  })
})

test('presence', async t => {
  await beside(t, async id => {
    const flooder = await RawClient.open(t, server, id)
    const viewer = await RawClient.open(t, server, id)
    const CLIENT = 4711
    let clock = 0
    await flooding(flooder.socket, () => {
      clock += 1
      flooder.send(awareness([{ client: CLIENT, clock, state: { at: clock } }]))
    })
    const seen = () => viewer.messages.filter(({ type }) => type === AWARENESS).flatMap(({ entries }) => entries).filter(({ client }) => client === CLIENT)
    const shown = seen().length
    t.diagnostic(`${shown} of ${clock} states were shown in ${FLOOD_S} s`)
    assert.ok(shown > 0)
    assert.ok(shown <= allowed(MESSAGES_PER_SECOND, MESSAGES_BURST), `${shown} states were shown`)
    assert.ok(seen().every(({ state }, index, all) => index === 0 || state.at >= all[index - 1].state.at), 'newer ones only')
    assert.equal(flooder.socket.readyState, flooder.socket.OPEN)
  })
})

test('somebody else\'s presence', async t => {
  const id = roomId('presence')
  const [ada, mallory] = [await RawClient.open(t, server, id), await RawClient.open(t, server, id)]
  ada.send(awareness([{ client: 1, clock: 1, state: { name: 'Ada' } }]))
  await mallory.message('Ada is there', ({ type, entries }) => type === AWARENESS && entries.some(({ client }) => client === 1))
  mallory.send(awareness([{ client: 2, clock: 1, state: { name: 'Mallory' } }]))
  for (let clock = 2; clock < 50; clock++) mallory.send(awareness([{ client: 1, clock, state: { name: 'not Ada' } }]))
  mallory.send(awareness([{ client: 2, clock: 2, state: { name: 'done' } }]))
  await ada.message('what came after has come', ({ type, entries }) => type === AWARENESS && entries.some(({ client, state }) => client === 2 && state?.name === 'done'))
  const names = [ada, mallory].flatMap(({ messages }) => messages).filter(({ type }) => type === AWARENESS)
    .flatMap(({ entries }) => entries).filter(({ client }) => client === 1).map(({ state }) => state?.name)
  assert.deepEqual([...new Set(names)], ['Ada'])
  assert.equal(mallory.socket.readyState, mallory.socket.OPEN, 'clients relay what they heard: that is no crime')
})

test('connections', async t => {
  await beside(t, async id => {
    const end = performance.now() + FLOOD_MS
    const quiet = { after: () => {} }
    let [joins, refusals] = [0, 0]
    await Promise.all(Array.from({ length: 50 }, async () => {
      while (performance.now() < end) {
        const socket = await Upgraded.open(quiet, server, id).catch(() => undefined)
        if (socket === undefined) {
          refusals += 1
          continue
        }
        // The greeting shows that it was let in.
        await until('it is let in, or not', () => socket.frames.length > 0 || socket.socket.destroyed)
        if (socket.closeFrame === undefined && socket.frames.length > 0) joins += 1
        else refusals += 1
        socket.socket.destroy()
      }
    }))
    t.diagnostic(`${joins} connections were let in and ${refusals} refused in ${FLOOD_S} s`)
    assert.ok(joins > 0)
    assert.ok(joins <= allowed(JOINS_PER_SECOND, JOINS_BURST), `${joins} were let in`)
  })
})
