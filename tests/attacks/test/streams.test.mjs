/** Byte streams that broke WebSocket servers, after the upgrade, while others work in the same room. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { Neighbours } from '../lib/neighbours.mjs'
import { socketsClosed, metric, openSockets } from '../lib/process.mjs'
import { Upgraded } from '../lib/upgraded.mjs'

/** Connections at a time, and streams of which each byte is sent by itself. */
const TOGETHER = 16
const OCTETS_EVERY = 8
const OCTETS_BYTES_MAX = 2_000

const server = await Server.start({ after })

const streams = readFileSync(new URL('../data/tungstenite-fuzz-seeds.jsonl', import.meta.url), 'utf8')
  .trim().split('\n').map(line => JSON.parse(line))
  .map(({ name, b64 }) => ({ name, bytes: Buffer.from(b64, 'base64') }))

/** What the server says of what is no WebSocket and no message. Else it repeats the code that was in the stream. */
const REFUSALS = new Set([1002, 1007, 1009, 4400, 4413])
const isOnWire = code => (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)

/** Throws each stream at the room; answers how often each close code came. */
const throwAll = async (t, id, streams, send) => {
  const codes = {}
  for (let at = 0; at < streams.length; at += TOGETHER) {
    await Promise.all(streams.slice(at, at + TOGETHER).map(async ({ name, bytes }) => {
      const socket = await Upgraded.open(t, server, id)
      await send(socket, bytes)
      // Some are the beginning of a frame: the server may wait for its rest until it hears that there is none.
      socket.end()
      const close = await socket.ended(`the server ends the connection after stream ${name}`)
      const kind = close === undefined ? 'none' : REFUSALS.has(close.code) ? close.code : 'as sent'
      if (kind === 'as sent') assert.ok(close.code === 1005 || isOnWire(close.code), `${name}: ${close.code} ${close.reason}`)
      codes[kind] = (codes[kind] ?? 0) + 1
    }))
  }
  return codes
}

for (const [how, choice, send] of [
  ['whole', streams, (socket, bytes) => socket.send(bytes)],
  [
    'byte by byte',
    streams.filter(({ bytes }, index) => index % OCTETS_EVERY === 0 && bytes.length <= OCTETS_BYTES_MAX),
    (socket, bytes) => socket.sendOctets(bytes)
  ]
]) {
  test(`${choice.length} hostile streams, ${how}: each is answered, and nobody else notices`, async t => {
    assert.ok(choice.length > 10)
    const pid = server.child.pid
    const id = roomId('streams')
    const neighbours = await Neighbours.begin(t, server, id)
    const before = openSockets(server)
    const codes = await throwAll(t, id, choice, send)
    t.diagnostic(`close codes: ${JSON.stringify(codes)}; slowest edit ${Math.round(await neighbours.finish())} ms`)
    assert.ok((codes[1002] ?? 0) > choice.length / 4, 'most of them are protocol errors, and told so')
    await socketsClosed(server, before)
    assert.ok(server.running && server.child.pid === pid, 'the process is the same')
    assert.equal(await metric(server, 'synapti_room_panics_total'), 0)
  })
}

test('all data is there', () => assert.equal(streams.length, 249))
