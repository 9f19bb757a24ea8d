/** Of a user at the limit, sockets that are dead give way to a new one, and no others. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { REQUIRED, mapName, token } from '../lib/people.mjs'
import { AUTH, Raw, SYNC, auth, step1 } from '../lib/raw.mjs'

const PER_CLIENT = 3
const RATE_LIMITED = 1008

const server = await Server.start({ after }, { env: { ...REQUIRED, SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_CLIENT: String(PER_CLIENT) } })
const everything = token({ '*': 'editor' })

/** A socket with some documents open. */
const open = async (t, names) => {
  const raw = await Raw.connect(t, server)
  for (const name of names) raw.send(auth(name, everything, '4.8.0'))
  for (const name of names) await raw.authenticated(name)
  return raw
}

/** Whether one more is let in. */
const knock = async (t, name) => {
  const raw = await Raw.connect(t, server)
  raw.send(auth(name, everything))
  let end
  raw.closed.then(closed => { end = closed })
  await until('it is let in or refused', () => end ?? raw.messages.some(({ type, kind }) => type === AUTH && kind === 2))
  return end ?? { raw }
}

const assertAlive = async (raw, name) => {
  const from = raw.messages.length
  raw.send(step1(name))
  await raw.message('it is answered', ({ address, type, kind }) => address === name && type === SYNC && kind === 1, from)
}

test('a dead socket gives way, however many documents it has, and those that live stay', async t => {
  const names = [mapName('dead'), mapName('dead'), mapName('dead')]
  const living = [await open(t, names), await open(t, names.slice(0, 1))]
  const dead = await open(t, names)
  const { code, reason } = await knock(t, names[0])
  assert.equal(code, RATE_LIMITED)
  assert.match(reason, /3 connections/)

  // A laptop that was closed: nothing reads any more, and so nothing is answered.
  dead.socket._socket.pause()
  const { raw } = await until('the next is let in', async () => {
    const answer = await knock(t, names[0])
    return answer.raw && answer
  })
  for (const alive of [...living, raw]) await assertAlive(alive, names[0])
  assert.equal((await knock(t, names[0])).code, RATE_LIMITED, 'only one place was free')
  dead.socket._socket.resume()
  const ended = await dead.close()
  assert.equal(ended.code, RATE_LIMITED)
  assert.match(ended.reason, /did not answer/)
})
