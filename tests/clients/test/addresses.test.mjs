/** How many connections one address has, told by proxies that are trusted, over every transport. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { WebSocket } from 'ws'
import { roomId } from '../lib/client.mjs'
import { post } from '../lib/poll.mjs'
import { RawClient } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { Stream } from '../lib/sse.mjs'
import { until, within } from '../lib/wait.mjs'

const PER_IP = 3
const RATE_LIMITED = 1008

/** In a Hocuspocus socket: are you there, and the answer. */
const [PING, PONG] = [9, 10]

const limits = { SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_IP: String(PER_IP) }
const server = await Server.start({ after }, { env: { ...limits, SYNAPTI_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8' } })

/** What a proxy says of a client. Several values are several lines. */
const from = forwarded => ({ 'x-forwarded-for': forwarded })

/** Asks to be let in over a WebSocket; the client, or why not. */
const knock = (t, forwarded, { at = server, id = roomId('address') } = {}) => RawClient.knock(t, at, id, { headers: from(forwarded) })

const assertLetIn = async (t, forwarded, options) => {
  const { client, ...refused } = await knock(t, forwarded, options)
  assert.ok(client !== undefined, `${forwarded}: ${JSON.stringify(refused)}`)
  return client
}

const assertRefused = async (t, forwarded) => {
  const { code, reason } = await knock(t, forwarded)
  assert.equal(code, RATE_LIMITED, `${forwarded}`)
  assert.match(reason, new RegExp(`network address .* ${PER_IP} connections`))
}

test('an address has so many, and another one its own', async t => {
  const inside = []
  while (inside.length < PER_IP) inside.push(await assertLetIn(t, '198.51.100.7'))
  await assertRefused(t, '198.51.100.7')
  await assertLetIn(t, '198.51.100.8')
  inside[0].socket.close()
  await inside[0].closed
  await until('there is a place again', async () => (await knock(t, '198.51.100.7')).client)
  await assertRefused(t, '198.51.100.7')
})

for (const [what, same, other] of [
  ['an IPv6 network of /64', ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', '[2001:db8:1:2::5]:4711', '2001:db8:1:2:0:1:2:3'], '2001:db8:1:3::1'],
  ['an IPv4 address, however it is written', ['203.0.113.1', '203.0.113.1:4711', '::ffff:203.0.113.1', ' 203.0.113.1 '], '203.0.113.2'],
  ['the last address that is no proxy', ['203.0.113.9', '6.6.6.6, 203.0.113.9', '7.7.7.7,203.0.113.9, 10.1.1.1', '203.0.113.9, 10.1.1.1, 10.2.2.2'], '6.6.6.6'],
  ['the last of several lines', [['8.8.8.8', '203.0.113.17'], ['203.0.113.17', '10.1.1.1'], '203.0.113.17', ['1.2.3.4, 203.0.113.17', '10.1.1.1']], '8.8.8.8']
]) {
  test(`counted as one: ${what}`, async t => {
    for (const forwarded of same.slice(0, PER_IP)) await assertLetIn(t, forwarded)
    for (const forwarded of same) await assertRefused(t, forwarded)
    await assertLetIn(t, other)
  })
}

test('an address has so many over all transports together', async t => {
  const [id, headers] = [roomId('mixed'), from('192.0.2.33')]
  const { cursor } = await post(server.http, id, { headers })
  assert.ok(cursor)
  const abort = new AbortController()
  t.after(() => abort.abort())
  const wait = (signal = abort.signal) => post(server.http, id, { headers, cursor, wait: 50, signal })
  const socket = await assertLetIn(t, '192.0.2.33')
  const stream = await Stream.open(t, server.http, id, { headers })
  assert.equal(stream.response.status, 200)
  wait().catch(() => {})
  await until('a poll waits', async () => /^synapti_polls_waiting 1$/m.test((await server.request('GET', '/metrics')).text))

  await assertRefused(t, '192.0.2.33')
  const refused = await Stream.open(t, server.http, id, { headers })
  assert.equal(refused.response.status, 429)
  assert.ok(Number(refused.response.headers.get('retry-after')) >= 1)
  assert.equal((await refused.response.json()).error.code, 'too_many_connections')
  const poll = await wait()
  assert.deepEqual([poll.status, poll.error.code], [429, 'too_many_connections'])
  assert.equal((await hocuspocus(t, headers)).code, RATE_LIMITED)
  const { etag } = Object.fromEntries((await fetch(`${server.http}/v1/graphs/${id}`, { headers })).headers)
  const json = await fetch(`${server.http}/v1/graphs/${id}?wait=50`, { headers: { ...headers, 'if-none-match': etag } })
  assert.equal(json.status, 429)

  // Who does not wait is served, and so is who comes from elsewhere.
  assert.ok([200, 204].includes((await post(server.http, id, { headers, cursor })).status))
  assert.equal((await hocuspocus(t, from('192.0.2.34'))).code, undefined)
  socket.socket.close()
  await until('a Hocuspocus client has the place', async () => (await hocuspocus(t, headers)).code === undefined)
})

/** Opens a Hocuspocus socket: nothing when it is served, else how it was closed. */
const hocuspocus = async (t, headers) => {
  const socket = new WebSocket(`ws://127.0.0.1:${server.port}/v1/hocuspocus`, { headers })
  t.after(() => socket.terminate())
  socket.on('open', () => socket.send(new Uint8Array([PING])))
  const served = new Promise(resolve => socket.on('message', data => { if (data[0] === PONG) resolve({}) }))
  const closed = new Promise(resolve => socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })))
  return within('the socket is served or closed', Promise.race([served, closed]))
}

test('who is no trusted proxy is not believed', async t => {
  for (const trusted of [{}, { SYNAPTI_TRUSTED_PROXIES: '10.0.0.0/8' }]) {
    const own = await Server.start(t, { env: { ...limits, ...trusted } })
    // What is really connected is this machine, which is not counted.
    for (let count = 0; count <= 2 * PER_IP; count++) await assertLetIn(t, '198.51.100.7', { at: own })
  }
})

test('what is no address is passed over, and this machine is not counted', async t => {
  for (const forwarded of ['rubbish', 'unknown', '', '198.51.100.300', '127.0.0.1', '6.6.6.6, rubbish']) {
    for (let count = 0; count <= PER_IP; count++) await assertLetIn(t, forwarded)
  }
})
