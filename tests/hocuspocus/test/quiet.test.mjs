/** What passes with time. The tests wait side by side. */
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { REQUIRED, join, mapName, saved, token, write } from '../lib/people.mjs'
import { Raw, SYNC, auth, step1 } from '../lib/raw.mjs'

const server = await Server.start({ after }, { env: REQUIRED })

/** A socket on which one document is open. */
const known = async t => {
  const name = mapName('known')
  const raw = await Raw.connect(t, server)
  raw.send(auth(name, token({ [name]: 'editor' }), '4.8.0'), step1(name))
  await raw.message('the server answers', ({ type, kind }) => type === SYNC && kind === 1)
  return { name, raw }
}

describe('with time', { concurrency: true }, () => {
  test('a socket that never shows a good token is closed after a minute, however much it says', async t => {
    const raw = await Raw.connect(t, server)
    const chatter = setInterval(() => raw.send(auth('some-map', 'a.b.c')), 1000)
    t.after(() => clearInterval(chatter))
    const { raw: other } = await known(t)
    const closed = await until('it is closed', () => raw.socket.readyState > 1, { deadline_ms: 80_000 })
    assert.ok(closed)
    assert.equal((await raw.close()).code, 4408)
    assert.equal(other.socket.readyState, 1, 'who has shown one stays')
  })

  test('pings: a bare one is answered, and a quiet provider that told its version is sent one', async t => {
    const { raw } = await known(t)
    raw.send(new Uint8Array([9]))
    await raw.message('it is answered', ({ bare }) => bare === 10)
    await until('it is pinged', () => raw.messages.some(({ bare }) => bare === 9), { deadline_ms: 30_000 })
  })

  test('a quiet provider without a version is sent something that it can read', async t => {
    const name = mapName('quiet')
    const raw = await Raw.connect(t, server)
    raw.send(auth(name, token({ [name]: 'editor' })))
    await raw.authenticated(name)
    await until('there is no presence yet', () => raw.messages.length > 1)
    const from = raw.messages.length
    await until('something comes', () => raw.messages.length > from, { deadline_ms: 30_000 })
    assert.equal(raw.messages.some(({ bare }) => bare !== undefined), false)
  })

  test('providers that are quiet for long stay connected', async t => {
    // Without presence they say nothing by themselves, and give up when they hear nothing.
    const give = { awareness: null, socketOptions: { messageReconnectTimeout: 18_000 } }
    const people = await Promise.all([3, 4].map(version => {
      const name = mapName('silent')
      return join(t, server, name, { version, token: token({ [name]: 'editor' }), ...give })
    }))
    let lost = 0
    people.forEach(person => person.socket.on('disconnect', () => { lost += 1 }))
    let heard = 0
    people.forEach(person => person.socket.on('message', () => { heard += 1 }))
    await until('each has heard something twice', () => heard >= 4, { deadline_ms: 60_000 })
    assert.equal(lost, 0)
    people.forEach(person => write(person, 'still here'))
    await saved(...people)
  })
})
