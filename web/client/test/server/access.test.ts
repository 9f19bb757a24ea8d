import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test, type TestContext } from 'node:test'
import type { TransportName } from '../../src/index.ts'
import { by, join, mapId, open, saved, sees, startProxy, startServer, until } from '../support/world.ts'

const SECRET = 'a secret of these tests that is long enough'
const NAMES: readonly TransportName[] = ['ws', 'sse', 'poll']

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const token = (role: string, lives_s = 3600, sub = 'ada'): string => {
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, exp: Math.floor(Date.now() / 1000) + lives_s, graphs: { '*': role } })}`
  return `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`
}

const setUp = async (t: TestContext, env: Record<string, string> = {}) => {
  const server = await startServer(t, { env: { SYNAPTI_AUTH_MODE: 'required', SYNAPTI_AUTH_SECRET: SECRET, ...env } })
  return { server, id: mapId() }
}

for (const name of NAMES) {
  test(`${name}: a token opens the map, and the lack of one stops the provider`, async t => {
    const { server, id } = await setUp(t)
    const one = await join(t, server.http, id, { transports: [name], token: token('owner') })
    one.map.set('a', 1)
    await saved(one)
    for (const refused of [null, 'no token at all', token('owner', -3600)]) {
      const stranger = open(t, server.http, id, { transports: [name], token: refused })
      await until('the stranger is turned away', () => stranger.log.includes('closed 4401'), { detail: () => stranger.log })
      assert.equal(stranger.provider.shouldConnect, false)
    }
  })

  test(`${name}: a refused token is replaced by the function, once`, async t => {
    const { server, id } = await setUp(t)
    let asked = 0
    const one = await join(t, server.http, id, { transports: [name], token: () => ++asked === 1 ? token('owner', -3600) : token('owner') })
    assert.equal(asked, 2)
    one.map.set('a', 1)
    await saved(one)
    let again = 0
    const stubborn = open(t, server.http, id, { transports: [name], token: () => { again++; return 'no token' } })
    await until('it stops', () => stubborn.log.includes('closed 4401'))
    assert.equal(again, 2)
  })

  test(`${name}: a token is replaced before it ends, without a gap`, async t => {
    const { server, id } = await setUp(t)
    const given: string[] = []
    const one = await join(t, server.http, id, {
      transports: [name],
      token: async () => {
        given.push(token('owner', given.length === 0 ? 3 : 3600))
        return given.at(-1) as string
      }
    })
    await until('the next token was asked for', () => given.length === 2)
    one.map.set('a', 1)
    await saved(one)
    // Both tokens have done their work when the first is over.
    await until('the first has ended', () => JSON.parse(Buffer.from(given[0]?.split('.')[1] ?? '', 'base64url').toString()).exp * 1000 + 1500 < Date.now())
    one.map.set('b', 2)
    await saved(one)
    assert.ok(!one.log.includes('disconnected'), one.log.join(', '))
    assert.equal(given.length, 2)
  })

  test(`${name}: who may only read is told, and sees what others do`, async t => {
    const { server, id } = await setUp(t)
    const owner = await join(t, server.http, id, { token: token('owner') })
    owner.map.set('a', 1)
    await saved(owner)
    const viewer = await join(t, server.http, id, { transports: [name], token: token('viewer', 3600, 'bob') })
    await sees(viewer, 'a', 1)
    viewer.map.set('mine', 1)
    await until('it is known that nothing is taken', () => viewer.provider.readOnly)
    owner.map.set('b', 2)
    await sees(viewer, 'b', 2)
    assert.equal(viewer.provider.hasUnsavedChanges, true)
    viewer.provider.awareness.setLocalStateField('name', 'bob')
    await until('the viewer is seen', () => owner.provider.awareness.getStates().get(viewer.doc.clientID)?.['name'] === 'bob')
    viewer.provider.setToken(token('editor', 3600, 'bob'))
    await until('what was refused is taken now', () => owner.map.get('mine') === 1, { detail: () => viewer.log })
    assert.equal(viewer.provider.readOnly, false)
    await saved(viewer)
  })

  test(`${name}: no right to the map, a map that is not there, a map that was deleted: the provider stops`, async t => {
    const { server, id } = await setUp(t)
    const authorization = { authorization: `Bearer ${token('owner')}` }
    const nobody = open(t, server.http, id, { transports: [name], token: `${token('owner').slice(0, -3)}AAA` })
    await until('a forged token is refused', () => nobody.log.includes('closed 4401'))
    const early = open(t, server.http, id, { transports: [name], token: token('viewer') })
    await until('there is no such map', () => early.log.includes('closed 4404'), { detail: () => early.log })
    const one = await join(t, server.http, id, { transports: [name], token: token('owner') })
    one.map.set('a', 1)
    await saved(one)
    const answer = await server.request('DELETE', `/v1/graphs/${id}`, undefined, authorization)
    assert.equal(answer.status, 204)
    await until('it is told that the map is gone', () => one.log.includes('closed 4410'), { detail: () => one.log })
    const later = open(t, server.http, id, { transports: [name], token: token('owner') })
    await until('it stays gone', () => later.log.includes('closed 4410'), { detail: () => later.log })
  })

  test(`${name}: a token without this map`, async t => {
    const { server, id } = await setUp(t)
    const body = `${part({ alg: 'HS256' })}.${part({ sub: 'eve', exp: Math.floor(Date.now() / 1000) + 60, graphs: { other: 'owner' } })}`
    const eve = `${body}.${createHmac('sha256', SECRET).update(body).digest('base64url')}`
    const stranger = open(t, server.http, id, { transports: [name], token: eve })
    await until('it is turned away', () => stranger.log.includes('closed 4403'), { detail: () => stranger.log })
  })
}

test('after a stop another token begins anew', async t => {
  const { server, id } = await setUp(t)
  const one = open(t, server.http, id, { token: 'none' })
  await until('it is turned away', () => one.log.includes('closed 4401'))
  one.map.set('kept', 1)
  one.provider.setToken(token('owner'))
  await by(one, 'ws')
  await saved(one)
  const reader = await join(t, server.http, id, { token: token('viewer') })
  assert.equal(reader.map.get('kept'), 1)
})

/** What somebody may have at once; connections are counted by the holder of the token. */
const ONE_CONNECTION = { SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_CLIENT: '1' }

test('a waiting poll that is not allowed is replaced by short ones', async t => {
  const { server, id } = await setUp(t, ONE_CONNECTION)
  const proxy = await startProxy(t, server)
  const holder = await join(t, server.http, id, { transports: ['ws'], token: token('owner') })
  const one = await join(t, proxy.http, id, { transports: ['poll'], token: token('owner') })
  await until('it asks without waiting again and again', () => proxy.count(/sync\?wait=0/) >= 4)
  holder.map.set('a', 1)
  await sees(one, 'a', 1)
  one.map.set('b', 2)
  await sees(holder, 'b', 2)
  assert.ok(!one.log.includes('disconnected'))
})

test('one tab too many goes on with short polls, and takes a socket when there is one', async t => {
  const { server, id } = await setUp(t, ONE_CONNECTION)
  const holder = await join(t, server.http, id, { token: token('owner') })
  const one = open(t, server.http, id, { token: token('owner') })
  await by(one, 'poll', 40_000)
  holder.map.set('a', 1)
  await sees(one, 'a', 1)
  one.map.set('b', 2)
  await saved(one)
  holder.provider.destroy()
  await by(one, 'ws', 90_000)
  assert.deepEqual(one.map.toJSON(), { a: 1, b: 2 })
})
