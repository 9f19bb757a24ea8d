/** Of a user at the limit, connections that are dead give way to a new one, and no others. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { guarded, token } from '../../clients/lib/token.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Narrow } from '../lib/narrow.mjs'

/** What a user may have when nothing else is set. */
const CONNECTIONS_MAX = 5
const RATE_LIMITED = 1008

/** The others are asked whether they are there, and have two seconds to answer. */
const LET_IN_WITHIN_MS = 15_000

/** More than is sent here. */
const PLENTY = 10_000_000

const server = await Server.start({ after }, { env: guarded })

/** Somebody with a name of their own, who opens sockets on a map of their own. */
const somebody = () => {
  const [sub, id] = [roomId('user'), roomId('map')]
  const protocols = ['y-sync', `bearer.${token({ [id]: 'owner' }, { sub })}`]
  return {
    open: async (t, way) => {
      const client = await RawClient.open(t, way, id, { protocols })
      await client.read()
      return client
    },
    knock: t => RawClient.knock(t, server, id, { protocols })
  }
}

const assertAlive = async clients => {
  for (const client of clients) {
    await client.read()
    assert.equal(client.socket.readyState, client.socket.OPEN)
  }
}

test('five that live: the sixth is told that it is one too many', async t => {
  const ada = somebody()
  const living = []
  while (living.length < CONNECTIONS_MAX) living.push(await ada.open(t, server))
  const { code, reason } = await ada.knock(t)
  assert.equal(code, RATE_LIMITED)
  assert.match(reason, /5 connections/)
  await assertAlive(living)
  const bob = somebody()
  assert.ok((await bob.knock(t)).client, 'that is nothing to anybody else')
})

test('four that live and one that is dead: the sixth takes the place of that one', async t => {
  const ada = somebody()
  const living = []
  while (living.length < CONNECTIONS_MAX - 1) living.push(await ada.open(t, server))
  const way = await Narrow.open(t, server, PLENTY)
  const dead = await ada.open(t, way)
  // Its connection stays, but nothing passes any more: neither a question nor an answer.
  way.stop()
  const { client } = await until('the sixth is let in', async () => {
    const answer = await ada.knock(t)
    return answer.client && answer
  }, { deadline_ms: LET_IN_WITHIN_MS })
  await assertAlive([...living, client])
  assert.equal((await ada.knock(t)).code, RATE_LIMITED, 'only one place was free')
  await assertAlive([...living, client])

  way.goOn()
  const { code, reason } = await dead.closeCode()
  assert.equal(code, RATE_LIMITED)
  assert.match(reason, /did not answer/)
})

test('all are dead: as many come in again', async t => {
  const ada = somebody()
  const ways = await Promise.all(Array.from({ length: CONNECTIONS_MAX }, () => Narrow.open(t, server, PLENTY)))
  await Promise.all(ways.map(way => ada.open(t, way)))
  for (const way of ways) way.stop()
  const living = []
  while (living.length < CONNECTIONS_MAX) {
    living.push((await until('the next is let in', async () => {
      const answer = await ada.knock(t)
      return answer.client && answer
    }, { deadline_ms: LET_IN_WITHIN_MS })).client)
  }
  await assertAlive(living)
  assert.equal((await ada.knock(t)).code, RATE_LIMITED)
})
