import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import test from 'node:test'
import { connect, converged, freshJSON, synced } from '../../clients/lib/client.mjs'
import { Server, reservedPort } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { root } from '../lib/files.mjs'

const PEOPLE = 10
/** Edits that each of them makes before, between and after the two restarts, at least. */
const EDITS_BETWEEN = 20
const EDIT_EVERY_MS = 20

const { TEST_REDIS_URL: redis, TEST_POSTGRES_URL: postgres } = process.env
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` }
const missing = spawnSync('haproxy', ['-v'], { env: environment }).error !== undefined
  ? 'HAProxy is not installed'
  : redis === undefined || postgres === undefined ? 'TEST_POSTGRES_URL and TEST_REDIS_URL are not set' : false

/** The balancer of deploy/haproxy.cfg in front of these nodes. */
const balance = async (t, nodes) => {
  const port = await reservedPort()
  const [NODE1, NODE2] = nodes.map(node => `127.0.0.1:${node.port}`)
  const balancer = spawn('haproxy', ['-db', '-f', 'deploy/haproxy.cfg'], {
    cwd: root, env: { ...environment, BALANCER_BIND: `127.0.0.1:${port}`, NODE1, NODE2 }, stdio: 'ignore'
  })
  t.after(async () => {
    balancer.kill('SIGKILL')
    if (balancer.exitCode === null && balancer.signalCode === null) await once(balancer, 'exit')
  })
  return { http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}/v1/ws` }
}

const ready = async ({ http }) => (await fetch(`${http}/ready`)).status === 200

/** Open sockets of a node. */
const connections = async node => {
  const { text } = await node.request('GET', '/metrics')
  return Number(/^websocket_connections (\d+)$/m.exec(text)[1])
}

const read = doc => doc.getMap('set').toJSON()

test('nodes are replaced one after the other behind the balancer, and nobody loses an edit', { skip: missing }, async t => {
  const env = {
    SYNAPTI_DATABASE_URL: postgres.replace(/[^/]+$/, `synapti_rolling_${process.pid}`),
    SYNAPTI_REDIS_URL: redis,
    SYNAPTI_TRUSTED_PROXIES: '127.0.0.1',
    SYNAPTI_SHUTDOWN_GRACE: '2'
  }
  const nodes = []
  for (let nth = 0; nth < 2; nth++) nodes.push(await Server.start(t, { restartable: true, env }))
  const balancer = await balance(t, nodes)
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
