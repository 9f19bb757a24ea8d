/** Who sends too much without a break is read more slowly at first, and sent away after a minute. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Extended } from '../../clients/lib/extended.mjs'
import { Y } from '../../clients/lib/poll.mjs'
import { RawClient, step2 } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Neighbours } from '../lib/neighbours.mjs'
import { metric } from '../lib/process.mjs'

/** A minute, as a server counts it that looks at a client when it reads it. */
const PATIENCE_MS = { min: 55_000, max: 110_000 }

/** The server's limits when nothing is set, and how much a machine's clock may flatter a client. */
const MESSAGES_PER_SECOND = 200
const MESSAGES_BURST = 4 * MESSAGES_PER_SECOND
const TOLERANCE = 1.5

/** Bytes that wait here, so that there is always something for the server to read. */
const WAITING_BYTES = 256 << 10

/** An answer of 10 MiB: at 4 MiB a second each takes longer to be paid for than what counts as a break. */
const VALUES = 160
const VALUE_BYTES = 64 << 10

const RATE_LIMITED = 1008

const server = await Server.start({ after })

/** Sends whenever less than `waiting` bytes are on their way, until the server has had enough. Answers how it said so. */
const sendWithoutBreak = async (client, waiting, send) => {
  const { socket } = client
  const begun = performance.now()
  while (socket.readyState === socket.OPEN && performance.now() - begun < PATIENCE_MS.max) {
    for (let count = 0; count < 100 && socket.bufferedAmount < waiting; count++) send()
    await new Promise(resolve => setTimeout(resolve, 2))
  }
  const took = performance.now() - begun
  const { code, reason } = await client.closeCode()
  return { took, code, reason }
}

const assertSentAway = ({ took, code, reason }) => {
  assert.equal(code, RATE_LIMITED, reason)
  assert.match(reason, /a second for a minute: slow down/)
  assert.ok(took >= PATIENCE_MS.min, `sent away after ${Math.round(took)} ms already`)
}

test('without a break', { concurrency: true }, async t => {
  await Promise.all([
    t.test('small messages, as fast as the network takes them', async t => {
      const id = roomId('small')
      const neighbours = await Neighbours.begin(t, server, id)
      const slowed = await metric(server, 'synapti_slowed_messages_total')
      const flooder = await Extended.join(t, server, id)
      const sending = sendWithoutBreak(flooder, WAITING_BYTES, () => flooder.set(`key-${flooder.sent % 50}`, flooder.sent))
      await until('it is read more slowly', async () => await metric(server, 'synapti_slowed_messages_total') > slowed)
      assert.equal(flooder.socket.readyState, flooder.socket.OPEN, 'that comes first')
      const ended = await sending
      assertSentAway(ended)
      const { acked, sent } = flooder
      t.diagnostic(`${acked} of ${sent} edits were taken in ${Math.round(ended.took)} ms; slowest edit of the neighbours ${Math.round(await neighbours.finish())} ms`)
      assert.ok(acked <= MESSAGES_BURST + TOLERANCE * MESSAGES_PER_SECOND * ended.took / 1000, `${acked} edits were taken`)
    }),
    t.test('answers of 10 MiB, one after the other', async t => {
      const id = roomId('huge')
      const neighbours = await Neighbours.begin(t, server, id)
      const doc = new Y.Doc()
      for (let key = 0; key < VALUES; key++) doc.getMap('huge').set(`key-${key}`, String(key).padEnd(VALUE_BYTES, '.'))
      const answer = step2(Y.encodeStateAsUpdate(doc))
      const flooder = await RawClient.open(t, server, id)
      let sent = 0
      const ended = await sendWithoutBreak(flooder, answer.length, () => {
        flooder.send(answer)
        sent += 1
      })
      t.diagnostic(`${sent} answers in ${Math.round(ended.took)} ms; slowest edit of the neighbours ${Math.round(await neighbours.finish())} ms`)
      assertSentAway(ended)
      const reader = await RawClient.open(t, server, id)
      assert.equal((await reader.read()).getMap('huge').size, VALUES, 'what it said was an edit like any other')
    }),
    t.test('who takes a break now and then may go on', async t => {
      const id = roomId('bursts')
      const busy = await Extended.join(t, server, id)
      const end = performance.now() + PATIENCE_MS.min + 15_000
      while (performance.now() < end) {
        // More at once than the limit lets through, and then nothing for longer than that takes.
        for (let edit = 0; edit < 2 * MESSAGES_BURST; edit++) busy.set(`key-${edit % 50}`, busy.sent)
        await busy.saved(busy.sent, { deadline_ms: 60_000 })
        await new Promise(resolve => setTimeout(resolve, 4_000))
      }
      assert.equal(busy.socket.readyState, busy.socket.OPEN)
    })
  ])
})
