/** Idle connections: y-websocket closes a socket on which no message came for 30 s. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { join, roomId } from '../lib/client.mjs'
import { AWARENESS, RawClient } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

test('every idle connection hears something at least every 25 s', async t => {
  const id = roomId('idle')
  const silent = await RawClient.open(t, server, id)
  await silent.read()
  const withoutPresence = await join(t, server, roomId('alone'), { state: null })
  const person = await join(t, server, id, { state: { name: 'Ada' } })
  await until('the greetings are over', () => silent.messages.some(({ type, entries }) =>
    type === AWARENESS && entries.some(entry => entry.client === person.doc.clientID)))

  const clockBefore = person.awareness.meta.get(person.doc.clientID).clock
  const heardBefore = { person: person.provider.wsLastMessageReceived, withoutPresence: withoutPresence.provider.wsLastMessageReceived }
  const sockets = [person.provider.ws, withoutPresence.provider.ws]

  await until('everybody heard something, and the renewal reached the others', () =>
    silent.messages.some(({ type, entries }) => type === AWARENESS &&
      entries.some(entry => entry.client === person.doc.clientID && entry.clock > clockBefore)) &&
    person.provider.wsLastMessageReceived > heardBefore.person + 1000 &&
    withoutPresence.provider.wsLastMessageReceived > heardBefore.withoutPresence + 1000,
  { deadline_ms: 25_000 })

  assert.deepEqual([person.provider.ws, withoutPresence.provider.ws], sockets, 'nobody had to reconnect')
  assert.equal(silent.socket.readyState, silent.socket.OPEN)
})
