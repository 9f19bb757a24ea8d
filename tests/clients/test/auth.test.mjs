/** Tokens and roles, with the unmodified y-websocket. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect, converged, join, leave, roomId, synced } from '../lib/client.mjs'
import { toJSON } from '../lib/map.mjs'
import { RawClient } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { guarded, token } from '../lib/token.mjs'
import { until, within } from '../lib/wait.mjs'

const server = await Server.start({ after }, { env: guarded })

const closing = client => within('the provider is told to stop', new Promise(resolve => client.provider.once('closed', resolve)))

test('a provider with ?token= edits, and comes back with the same one', async t => {
  const id = roomId('token')
  const params = { token: token({ [id]: 'owner' }) }
  const [ada, bob] = [await join(t, server, id, { params }), await join(t, server, id, { params })]
  ada.doc.getText('text').insert(0, 'hello')
  await converged([ada, bob])
  bob.provider.disconnect()
  ada.doc.getText('text').insert(5, ' again')
  bob.provider.connect()
  await synced(bob)
  assert.equal((await converged([ada, bob])).text, 'hello again')
})

test('a provider without a good token stops', async t => {
  const id = roomId('closed')
  await join(t, server, id, { params: { token: token({ [id]: 'owner' }) } })
  for (const [what, code, params] of [
    ['no token', 4401, {}],
    ['nonsense', 4401, { token: 'a.b.c' }],
    ['a token that has expired', 4401, { token: token({ [id]: 'owner' }, { seconds: -60 }) }],
    ['a token that lasts too long for a URL', 4401, { token: token({ [id]: 'owner' }, { seconds: 7200 }) }],
    ['a token for another map', 4403, { token: token({ other: 'owner' }) }]
  ]) {
    const client = connect(t, server, id, { params })
    assert.equal((await closing(client)).code, code, what)
    assert.equal(client.provider.shouldConnect, false, what)
    leave(client)
  }
  const viewer = connect(t, server, roomId('missing'), { params: { token: token({ '*': 'viewer' }) } })
  assert.equal((await closing(viewer)).code, 4404, 'a viewer makes no map')
})

test('a viewer reads and shows presence; what it changes stays with it', async t => {
  const id = roomId('viewer')
  const ada = await join(t, server, id, { params: { token: token({ [id]: 'editor' }) }, state: { name: 'Ada' } })
  ada.doc.getText('text').insert(0, 'one')
  const eve = await join(t, server, id, { params: { token: token({ [id]: 'viewer' }, { sub: 'eve' }) }, state: { name: 'Eve' } })
  const denials = []
  const handler = eve.provider.messageHandlers[2]
  eve.provider.messageHandlers[2] = (...args) => {
    denials.push(args[4])
    handler(...args)
  }
  const warn = console.warn
  console.warn = () => {}
  t.after(() => { console.warn = warn })
  await until('Eve reads', () => eve.doc.getText('text').toString() === 'one')
  await until('Ada sees her', () => ada.awareness.getStates().get(eve.doc.clientID)?.name === 'Eve')

  eve.doc.getText('text').insert(0, 'zero ')
  eve.doc.getText('text').insert(0, 'less than ')
  eve.awareness.setLocalStateField('at', 'the end')
  await until('Ada sees what came after it', () => ada.awareness.getStates().get(eve.doc.clientID)?.at === 'the end')
  ada.doc.getText('text').insert(3, ' two')
  await until('Eve still reads', () => eve.doc.getText('text').toString().endsWith('one two'))
  assert.equal(denials.length, 1, 'she was told once')
  assert.equal(eve.provider.wsconnected, true)
  assert.equal(ada.doc.getText('text').toString(), 'one two')

  // Coming back, the provider offers its edits again, in its answer to the greeting.
  eve.provider.disconnect()
  eve.provider.connect()
  await until('she is told again', () => denials.length === 2)
  const bob = await join(t, server, id, { params: { token: token({ [id]: 'viewer' }) } })
  assert.equal(toJSON(bob.doc).text, 'one two')
})

test('a reader that only comes back is not told that it may not edit', async t => {
  const id = roomId('quiet')
  const ada = await join(t, server, id, { params: { token: token({ [id]: 'editor' }) } })
  ada.doc.getText('text').insert(0, 'some words')
  ada.doc.getText('text').delete(0, 5)
  const eve = await join(t, server, id, { params: { token: token({ [id]: 'viewer' }) } })
  let denials = 0
  eve.provider.messageHandlers[2] = () => { denials += 1 }
  await converged([ada, eve])
  for (let n = 0; n < 3; n++) {
    eve.provider.disconnect()
    eve.provider.connect()
    await synced(eve)
    ada.doc.getText('text').insert(0, `${n}`)
    await converged([ada, eve])
  }
  assert.equal(denials, 0)
})

test('a socket ends with its token, and the provider stops', async t => {
  const id = roomId('expiry')
  const ada = await join(t, server, id, { params: { token: token({ [id]: 'owner' }, { seconds: 2 }) } })
  const { code, reason } = await closing(ada)
  assert.deepEqual([code, reason.toString()], [4401, 'token expired'])
  assert.equal(ada.provider.shouldConnect, false)
})

test('browsers bring the token as a subprotocol, or a ticket that is good once', async t => {
  const id = roomId('browser')
  const good = token({ [id]: 'owner' })
  for (const [protocols, chosen] of [[['y-sync', `bearer.${good}`], 'y-sync'], [[`bearer.${good}`, 'synapti.v1'], 'synapti.v1']]) {
    const client = await RawClient.open(t, server, id, { protocols })
    assert.equal(client.socket.protocol, chosen)
    await client.read()
  }
  const ask = () => server.request('POST', '/v1/tickets', { graph_id: id }, { authorization: `Bearer ${good}` })
  const { status, json } = await ask()
  assert.deepEqual([status, json.expires_in_seconds], [201, 30])
  const first = await RawClient.open(t, server, id, { query: `?ticket=${json.ticket}` })
  await first.read()
  const second = await RawClient.open(t, server, id, { query: `?ticket=${json.ticket}` })
  assert.equal((await second.closeCode()).code, 4401)
})

test('the same rights count over HTTP and over sockets', async t => {
  const id = roomId('both')
  const as = (role, method, path, body) => server.request(method, path, body, { authorization: `Bearer ${token({ [id]: role })}` })
  assert.equal((await as('viewer', 'POST', '/v1/graphs', { id })).status, 403)
  assert.equal((await as('editor', 'POST', '/v1/graphs', { id, topic: 'Bees' })).status, 201)
  const ada = await join(t, server, id, { params: { token: token({ [id]: 'commenter' }) } })
  assert.equal((await as('viewer', 'POST', `/v1/graphs/${id}/nodes`, { title: 'no' })).status, 403)
  assert.equal((await as('editor', 'POST', `/v1/graphs/${id}/nodes`, { title: 'yes' })).status, 201)
  await until('the reader sees it', () => ada.doc.getMap('nodes').size === 2)
  assert.equal((await as('editor', 'DELETE', `/v1/graphs/${id}`)).status, 403)
  const closed = closing(ada)
  assert.equal((await as('owner', 'DELETE', `/v1/graphs/${id}`)).status, 204)
  assert.equal((await closed).code, 4410)
})
