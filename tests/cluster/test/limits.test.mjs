/** What one user may have counts in the whole cluster. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { WANTS_TOKENS, tokenFor, withToken } from '../../browser/lib/tokens.mjs'
import { roomId } from '../../clients/lib/client.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Cluster, busStatus } from '../lib/cluster.mjs'
import { lasting } from '../lib/pause.mjs'

const CONNECTIONS_MAX = 5
const TOO_MANY = 1008
const UNAUTHENTICATED = 4401

/** A node that was killed keeps no connection for longer. */
const GIVEN_BACK_WITHIN_MS = 60_000

const REQUESTS_PER_SECOND = 10
/** Four times as many at once. */
const REQUESTS_AT_ONCE = 4 * REQUESTS_PER_SECOND

const cluster = await Cluster.start({ after }, { env: { ...WANTS_TOKENS, SYNAPTI_LIMITS_REQUESTS_PER_SECOND: `${REQUESTS_PER_SECOND}` } })
const [a, b, c] = cluster.nodes
const { redis } = cluster

const bearer = token => ({ protocols: ['y-sync', `bearer.${token}`] })

/** A user of a name that nobody else has, with their map. */
const somebody = () => {
  const sub = roomId('user')
  const room = roomId('map')
  const token = tokenFor(sub, { [room]: 'owner' })
  return { room, token, knock: (t, node) => RawClient.knock(t, node, room, bearer(token)) }
}

const letIn = async (t, user, node) => {
  const { client, ...refused } = await user.knock(t, node)
  assert.ok(client !== undefined, `node ${node.name} refuses: ${JSON.stringify(refused)}`)
  return client
}

const refused = async (t, user, nodes) => {
  const answers = await Promise.all(nodes.map(node => user.knock(t, node)))
  assert.deepEqual(answers.map(({ code }) => code), nodes.map(() => TOO_MANY), 'all refuse')
}

const allSay = status => until(`all nodes say that the bus is ${status}`, async () => {
  for (const node of cluster.nodes) assert.equal(await busStatus(node), status, node.name)
  return true
})

test('a user has five connections in the cluster, not five per node', async t => {
  const user = somebody()
  const open = []
  for (const node of [a, a, b, b, c]) open.push(await letIn(t, user, node))
  await refused(t, user, cluster.nodes)
  await letIn(t, somebody(), a)
  open[0].socket.close()
  await until('the place is free, on another node', async () => (await user.knock(t, c)).client, { deadline_ms: 5_000 })
  await refused(t, user, cluster.nodes)
  assert.deepEqual(open.slice(1).map(({ socket }) => socket.readyState), [1, 1, 1, 1], 'nobody was put out')
})

test('five of them at once from a page that reconnects to other nodes', async t => {
  const user = somebody()
  for (let round = 0; round < 5; round++) {
    const open = await Promise.all(Array.from({ length: CONNECTIONS_MAX }, (_, index) => letIn(t, user, cluster.nodes[(round + index) % 3])))
    for (const { socket } of open) socket.close()
    await Promise.all(open.map(({ closed }) => closed))
  }
})

test('connections that do not answer give way, on whichever node they are', async t => {
  const user = somebody()
  const open = []
  for (const node of [a, a, b, b, b]) open.push(await letIn(t, user, node))
  // A laptop that was closed: its connections are there, and nobody reads them.
  for (const { socket } of open) socket._socket.pause()
  await until('somebody is let in on the third node', async () => (await user.knock(t, c)).client, { deadline_ms: 15_000 })
})

test('a node that is killed gives its connections back', async t => {
  const user = somebody()
  for (const node of [a, a, c, c, c]) await letIn(t, user, node)
  await c.kill9()
  t.after(() => c.start())
  const begun = performance.now()
  let back = 0
  while (back < 3) {
    await until('a place is given back', async () => (await user.knock(t, b)).client, { deadline_ms: GIVEN_BACK_WITHIN_MS - (performance.now() - begun) })
    back += 1
  }
  t.diagnostic(`given back after ${Math.round(performance.now() - begun)} ms`)
  await refused(t, user, [a, b])
})

test('while Redis is away every node counts for itself', async t => {
  const user = somebody()
  t.after(async () => { if (!redis.running) await redis.start() })
  await allSay('up')
  await redis.kill()
  await allSay('away')
  const open = []
  for (const node of cluster.nodes) {
    for (let index = 0; index < CONNECTIONS_MAX; index++) open.push(await letIn(t, user, node))
    await refused(t, user, [node])
  }
  await redis.start()
  await allSay('up')
  await lasting(3_000)
  await refused(t, user, cluster.nodes)
  assert.ok(open.every(({ socket }) => socket.readyState === socket.OPEN), 'nobody is put out when it is back')
})

/** A ticket of this user, as a node gives it out. */
const ticketOf = async (user, node) => {
  const { status, json, text } = await withToken(node, user.token).request('POST', '/v1/tickets', { graph_id: user.room })
  assert.equal(status, 201, text)
  return { query: `?ticket=${json.ticket}` }
}

test('a ticket of one node is good on another, once', async t => {
  const user = somebody()
  const one = await ticketOf(user, a)
  const { client } = await RawClient.knock(t, b, user.room, one)
  assert.ok(client !== undefined)
  for (const node of cluster.nodes) assert.equal((await RawClient.knock(t, node, user.room, one)).code, UNAUTHENTICATED, node.name)
  for (let round = 0; round < 10; round++) {
    const next = await ticketOf(user, cluster.nodes[round % 3])
    const answers = await Promise.all(cluster.nodes.map(node => RawClient.knock(t, node, user.room, next)))
    assert.deepEqual(answers.map(({ code }) => code).sort(), [UNAUTHENTICATED, UNAUTHENTICATED, undefined], `round ${round}`)
    const { client } = answers.find(answer => answer.client !== undefined)
    client.socket.close()
    await client.closed
    await lasting(100)
  }
})

test('while Redis is away a ticket is good where it was given', async t => {
  const user = somebody()
  t.after(async () => { if (!redis.running) await redis.start() })
  await allSay('up')
  await redis.kill()
  await allSay('away')
  const ticket = await ticketOf(user, b)
  assert.equal((await RawClient.knock(t, a, user.room, ticket)).code, UNAUTHENTICATED)
  assert.ok((await RawClient.knock(t, b, user.room, ticket)).client !== undefined)
  await redis.start()
  await allSay('up')
  for (const node of cluster.nodes) assert.equal((await RawClient.knock(t, node, user.room, ticket)).code, UNAUTHENTICATED, node.name)
})

test('requests of a user count over all nodes', async t => {
  const user = somebody()
  await letIn(t, user, a)
  const begun = performance.now()
  const sent = 2 * 3 * REQUESTS_AT_ONCE
  const statuses = []
  for (let index = 0; index < sent; index += 6) {
    const round = await Promise.all([a, b, c, a, b, c].map(node => withToken(node, user.token).request('GET', `/v1/graphs/${user.room}`)))
    statuses.push(...round.map(({ status }) => status))
  }
  const seconds = (performance.now() - begun) / 1000
  const taken = statuses.filter(status => status === 200).length
  assert.equal(taken + statuses.filter(status => status === 429).length, sent)
  const fair = REQUESTS_AT_ONCE + REQUESTS_PER_SECOND * seconds
  t.diagnostic(`${taken} of ${sent} requests taken in ${seconds.toFixed(1)} s; ${Math.round(fair)} are fair`)
  assert.ok(taken >= REQUESTS_AT_ONCE, 'nobody is refused below the limit')
  assert.ok(taken <= 1.5 * fair, 'three nodes are not three times the limit')
  const other = somebody()
  await letIn(t, other, a)
  assert.equal((await withToken(a, other.token).request('GET', `/v1/graphs/${other.room}`)).status, 200)
})
