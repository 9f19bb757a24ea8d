/** What RFC 6455 allows and forbids, case by case. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { CASES } from '../lib/cases.mjs'
import { BINARY, CLOSE, PONG, closing, frame } from '../lib/frames.mjs'
import { Neighbours } from '../lib/neighbours.mjs'
import { Upgraded } from '../lib/upgraded.mjs'

/** Groups of the suite that are about what a server must refuse. */
const GROUPS = /^[23457]\./

const server = await Server.start({ after })
const neighbours = await Neighbours.begin({ after }, server, roomId('frames'))

/** A frame of ours ends the connection already. */
const endsItself = ({ send, close }) => close !== 1000 || send.some(bytes => Buffer.isBuffer(bytes) && (bytes[0] & 0x0F) === CLOSE)

const pongsOf = socket => socket.frames.filter(({ opcode }) => opcode === PONG).map(({ payload }) => payload)
const answersOf = socket => socket.frames.filter(({ opcode, payload }) => opcode === BINARY && payload[0] === 0 && payload[1] === 1)

/** Sends what the case says; 'pong' waits for one more. */
const perform = async (socket, { send, chops }) => {
  let pongs = 0
  let together = []
  const flush = async () => {
    if (chops === 'octets') await socket.sendOctets(Buffer.concat(together))
    else if (chops === 'frames') await socket.send(...together)
    else await socket.send(Buffer.concat(together))
    together = []
  }
  for (const bytes of send) {
    if (bytes !== 'pong') {
      together.push(bytes)
      continue
    }
    await flush()
    pongs += 1
    await until('the ping is answered although a message is on its way', () => pongsOf(socket).length === pongs)
  }
  await flush()
}

for (const [id, one] of Object.entries(CASES)) {
  test(`case ${id}`, async t => {
    const socket = await Upgraded.open(t, server, neighbours.id)
    await perform(socket, one)
    const { answers = 0, pongs = [], close } = one
    if (!endsItself(one)) {
      await until('what was asked is answered', () => answersOf(socket).length >= answers && pongsOf(socket).length >= pongs.length)
      await socket.send(frame(CLOSE, closing(1000)))
    }
    const ended = await socket.ended()
    assert.equal(ended?.code, close, ended?.reason)
    assert.equal(answersOf(socket).length, answers, 'answers')
    assert.deepEqual(pongsOf(socket), pongs)
    assert.ok(socket.frames.at(-1).opcode === CLOSE, 'nothing comes after the close frame')
    if ([1002, 1007, 4400].includes(close) && !id.startsWith('7.7.')) assert.ok(ended.reason.length > 0, 'it says why')
  })
}

test('every case of these groups is here', () => {
  const lines = readFileSync(new URL('../data/autobahn-cases.tsv', import.meta.url), 'utf8').trim().split('\n')
  const ids = lines.map(line => line.split('\t')[0]).filter(id => GROUPS.test(id))
  assert.ok(ids.length > 80)
  const own = Object.keys(CASES).filter(id => GROUPS.test(id))
  assert.deepEqual(own.toSorted(), ids.toSorted())
})

test('who works in the same room has noticed nothing of all that', async t => {
  t.diagnostic(`slowest edit ${Math.round(await neighbours.finish())} ms`)
})
