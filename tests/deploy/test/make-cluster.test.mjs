import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { binary, reservedPort } from '../../clients/lib/server.mjs'
import { until, within } from '../../clients/lib/wait.mjs'
import { root } from '../lib/files.mjs'

/** Setting up a database, two starts and two drains, on a machine that has other things to do. */
const DEADLINE_MS = 60_000

const isTaken = async port => {
  const socket = connect(port, '127.0.0.1')
  const taken = await once(socket, 'connect').then(() => true, () => false)
  socket.destroy()
  return taken
}

/** A port that is free like the two after it. */
const threePorts = async () => {
  for (;;) {
    const port = await reservedPort()
    if (!await isTaken(port + 1) && !await isTaken(port + 2)) return port
  }
}

class Cluster {
  constructor (data, port) {
    this.port = port
    const { TEST_REDIS_URL: _redis, TEST_POSTGRES_URL: _postgres, ...env } = process.env
    this.child = spawn('scripts/cluster.sh', {
      cwd: root, stdio: ['ignore', 'pipe', 'pipe'], env: { ...env, CLUSTER_BINARY: binary(), CLUSTER_PORT: String(port), CLUSTER_DATA: data }
    })
    this.output = ''
    for (const stream of [this.child.stdout, this.child.stderr]) stream.setEncoding('utf8').on('data', chunk => { this.output += chunk })
    this.exit = once(this.child, 'exit').then(([code, signal]) => ({ code, signal }))
  }

  async running () {
    await until('the cluster runs', () => {
      if (this.child.exitCode !== null) throw new Error(`it ended: ${this.output}`)
      return this.output.includes('Ctrl-C stops everything')
    }, { deadline_ms: DEADLINE_MS, detail: () => this.output.slice(-4000) })
    return this
  }

  async stop () {
    this.child.kill('SIGINT')
    assert.deepEqual(await within('the cluster stops', this.exit, DEADLINE_MS), { code: 0, signal: null }, this.output)
  }

  /** The port that a line of the table names. */
  portOf (what) {
    return Number(new RegExp(`^${what} .*:(\\d+)`, 'm').exec(this.output)[1])
  }

  async request (node, method, path, body) {
    const response = await fetch(`http://127.0.0.1:${this.port + node}${path}`, {
      method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body)
    })
    return { status: response.status, json: await response.json() }
  }
}

test('make cluster starts two nodes on one database, stops everything in order, and keeps the maps', async t => {
  const data = mkdtempSync(join(tmpdir(), 'synapti-cluster-'))
  // PostgreSQL runs as a user of its own where the tests are root.
  chmodSync(data, 0o755)
  t.after(() => rmSync(data, { recursive: true, force: true }))
  const port = await threePorts()
  const start = () => {
    const cluster = new Cluster(data, port)
    t.after(async () => {
      if (cluster.child.exitCode === null && cluster.child.signalCode === null) await cluster.stop()
    })
    return cluster.running()
  }

  const first = await start()
  assert.equal((await first.request(1, 'POST', '/v1/graphs', { id: 'kept', topic: 'On both' })).status, 201)
  await until('the other node has it', async () => (await first.request(2, 'GET', '/v1/graphs/kept')).status === 200)
  const others = ['PostgreSQL', 'Redis'].map(what => first.portOf(what))
  for (const other of others) assert.equal(await isTaken(other), true)
  await first.stop()
  assert.equal(first.output.match(/stopped; everything is saved/g)?.length, 2, first.output)
  for (const closed of [port + 1, port + 2, ...others]) assert.equal(await isTaken(closed), false, `${closed} is still open`)

  const second = await start()
  assert.equal((await second.request(2, 'GET', '/v1/graphs/kept')).status, 200)
  await second.stop()
})

test('make cluster says which port is taken, and starts nothing', async t => {
  const port = await threePorts()
  const occupant = createServer().listen(port + 2, '127.0.0.1')
  t.after(() => occupant.close())
  await once(occupant, 'listening')
  const cluster = new Cluster(join(tmpdir(), 'synapti-never-made'), port)
  assert.deepEqual(await cluster.exit, { code: 1, signal: null })
  assert.match(cluster.output, new RegExp(`port ${port + 2} .* is taken`))
})
