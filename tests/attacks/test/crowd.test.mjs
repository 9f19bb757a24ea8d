/** As many connections as a node serves, and one more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { QUESTION } from '../lib/cases.mjs'
import { BINARY, CLOSE, closing, frame } from '../lib/frames.mjs'
import { metric, openSockets } from '../lib/process.mjs'
import { Upgraded } from '../lib/upgraded.mjs'

/** What a node serves when nothing else is set, spread over rooms. */
const CONNECTIONS = 10_000
const ROOMS = 100
/** Handshakes at a time. */
const TOGETHER = 100
/** A node lets some hundred clients in within a second. */
const ALL_WITHIN_MS = 120_000
const ASKED_EVERY = 50

/** Both sides need a file for each connection; this program has raised its own limit when it started. */
const MANY_FILES = ['sh', '-c', 'ulimit -n "$(ulimit -H -n)" && exec "$0" "$@"']

const isAnswer = ({ opcode, payload }) => opcode === BINARY && payload[0] === 0 && payload[1] === 1

const ask = async (socket, what) => {
  const before = socket.frames.filter(isAnswer).length
  await socket.send(frame(BINARY, QUESTION))
  await until(what, () => socket.frames.filter(isAnswer).length > before, { deadline_ms: ALL_WITHIN_MS })
}

test(`${CONNECTIONS} connections stay and sync, one more is told why not`, async t => {
  const server = await Server.start(t, { wrapper: MANY_FILES })
  const rooms = Array.from({ length: ROOMS }, (_, index) => roomId(`crowd-${index}`))
  const sockets = []
  // A hook for each of them would be too many.
  t.after(() => { for (const socket of sockets) socket?.socket.destroy() })
  const quiet = { after: () => {} }
  const begun = performance.now()
  await Promise.all(Array.from({ length: TOGETHER }, async () => {
    while (sockets.length < CONNECTIONS) {
      const number = sockets.push(undefined) - 1
      sockets[number] = await Upgraded.open(quiet, server, rooms[number % ROOMS])
      await ask(sockets[number], `connection ${number} is synced`)
      // Ten thousand greetings need not be kept.
      sockets[number].frames.length = 0
    }
  }))
  t.diagnostic(`all in after ${Math.round(performance.now() - begun)} ms; the server has ${openSockets(server)} sockets`)
  assert.equal(sockets.length, CONNECTIONS)
  assert.equal(await metric(server, 'websocket_connections'), CONNECTIONS)

  const refused = await Upgraded.open(t, server, rooms[0])
  const close = await refused.ended('the one too many is refused')
  assert.equal(close?.code, 1013)
  assert.match(close.reason, /10000/, 'it says which limit')

  const leaving = sockets.pop()
  await leaving.send(frame(CLOSE, closing(1000)))
  await leaving.ended()
  const next = await until('there is room for one', async () => {
    const candidate = await Upgraded.open(t, server, rooms[1])
    await candidate.send(frame(BINARY, QUESTION))
    await until('it is let in, or not', () => candidate.frames.some(isAnswer) || candidate.closeFrame)
    return candidate.closeFrame === undefined && candidate
  })
  await ask(next, 'the next one is served')

  // Nobody was thrown out for all that.
  assert.ok(sockets.every(({ socket, closeFrame }) => !socket.destroyed && closeFrame === undefined))
  for (const [number, socket] of sockets.entries()) {
    if (number % ASKED_EVERY === 0) await ask(socket, `connection ${number} is still served`)
  }
})
