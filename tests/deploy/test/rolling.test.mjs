import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, converged, freshJSON, synced } from '../../clients/lib/client.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { balance, noBalancer } from '../lib/balancer.mjs'

const PEOPLE = 10
/** Edits that each of them makes before, between and after the two restarts, at least. */
const EDITS_BETWEEN = 20
const EDIT_EVERY_MS = 20

const { TEST_REDIS_URL: redis, TEST_POSTGRES_URL: postgres } = process.env
const noCluster = (redis === undefined || postgres === undefined) && 'TEST_POSTGRES_URL and TEST_REDIS_URL are not set'

const ready = async ({ http }) => (await fetch(`${http}/ready`)).status === 200

/** Open sockets of a node. */
const connections = async node => {
  const { text } = await node.request('GET', '/metrics')
  return Number(/^websocket_connections (\d+)$/m.exec(text)[1])
}

const read = doc => doc.getMap('set').toJSON()

test('nodes are replaced one after the other behind the balancer, and nobody loses an edit', { skip: noBalancer || noCluster }, async t => {
  const env = {
    SYNAPTI_DATABASE_URL: postgres.replace(/[^/]+$/, `synapti_rolling_${process.pid}`),
    SYNAPTI_REDIS_URL: redis,
    SYNAPTI_TRUSTED_PROXIES: '127.0.0.1',
    SYNAPTI_SHUTDOWN_GRACE: '2'
  }
  const nodes = []
  for (let nth = 0; nth < 2; nth++) nodes.push(await Server.start(t, { restartable: true, env }))
  const balancer = await balance(t, nodes.map(node => node.port))
  await until('the balancer has a node', () => ready(balancer))

  const people = Array.from({ length: PEOPLE }, () => ({ ...connect(t, balancer, 'rolling'), edits: 0 }))
  await synced(...people)
  await until('people are on both nodes', async () => (await Promise.all(nodes.map(connections))).every(open => open > 0))

  const editing = setInterval(() => {
    for (const [index, person] of people.entries()) person.doc.getMap('set').set(`${index}-${person.edits++}`, person.edits)
  }, EDIT_EVERY_MS)
  t.after(() => clearInterval(editing))
  const edits = async () => {
    const before = people.map(person => person.edits)
    await until('people have edited on', () => people.every((person, index) => person.edits >= before[index] + EDITS_BETWEEN))
  }

  for (const node of nodes) {
    await edits()
    assert.deepEqual(await node.stop('SIGTERM'), { code: 0, signal: null })
    await until('its people are with the other node', () => people.every(({ provider }) => provider.wsconnected))
    await edits()
    await node.start()
    await until('the node is ready', () => ready(node))
  }
  await edits()
  clearInterval(editing)

  const all = await converged(people, { read })
  assert.equal(Object.keys(all).length, people.reduce((sum, { edits }) => sum + edits, 0))
  for (const node of nodes) {
    await until('the node has everything', async () => {
      assert.deepEqual(await freshJSON(t, node, 'rolling', read), all)
      return true
    })
  }
})
