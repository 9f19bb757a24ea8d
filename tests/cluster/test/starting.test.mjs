/** Starting with a Redis that is not there, not ours, or not what the setting says. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { roomId } from '../../clients/lib/client.mjs'
import { Server, reservedPort } from '../../clients/lib/server.mjs'
import { until, within } from '../../clients/lib/wait.mjs'
import { Authority } from '../lib/certificates.mjs'
import { busStatus } from '../lib/cluster.mjs'
import { Database } from '../lib/database.mjs'
import { Link } from '../lib/link.mjs'
import { Plain } from '../lib/people.mjs'
import { Redis } from '../lib/redis.mjs'

const SECRET = 's3cret-w0rd'
const JOINED_WITHIN_MS = 10_000
const GIVES_UP_WITHIN_MS = 30_000
const EXIT_USAGE = 64

const database = Database.create({ after })

/** A start that must fail: its exit code and what it printed. */
const failure = async (t, env) => {
  const server = new Server({ SYNAPTI_DATABASE_URL: database.url, ...env })
  t.after(() => server.discard())
  await within('the start is given up', assert.rejects(server.start(), /ended before it listened/), GIVES_UP_WITHIN_MS)
  const { code, signal } = await server.exit
  assert.equal(signal, null)
  return { code, log: server.lines.join('\n') }
}

const saysNoSecret = log => assert.ok(!log.includes(SECRET), `the password is printed:\n${log}`)

const isUp = node => until('the node has joined', async () => await busStatus(node) === 'up', { deadline_ms: JOINED_WITHIN_MS })

/** A node of its own with this address of a Redis. */
const start = (t, url, env = {}) =>
  Server.start(t, { env: { SYNAPTI_DATABASE_URL: database.url, SYNAPTI_REDIS_URL: url, ...env } })

/** Somebody on each of the two sees what the other one says of themselves, which goes by the bus alone. */
const areTogether = async (t, one, other) => {
  const room = roomId('together')
  const [a, b] = [await Plain.join(t, one, room, 'a'), await Plain.join(t, other, room, 'b')]
  await until('both see each other', () => a.seen.length === 2 && b.seen.length === 2, { deadline_ms: JOINED_WITHIN_MS, detail: () => [a.seen, b.seen] })
}

test('an address that is none ends the program with 64', async t => {
  for (const url of [
    'nonsense', `http://:${SECRET}@127.0.0.1:6379`, 'redis://', `redis://:${SECRET}@127.0.0.1:port`, `redis://:${SECRET}@127.0.0.1:99999`, `redis://:${SECRET}@`
  ]) {
    const { code, log } = await failure(t, { SYNAPTI_REDIS_URL: url })
    assert.equal(code, EXIT_USAGE, `${url}: ${log}`)
    assert.match(log, /SYNAPTI_REDIS_URL|redis_url/, url)
    saysNoSecret(log)
  }
  const { code, log } = await failure(t, { SYNAPTI_REDIS_URL: 'redis://127.0.0.1:6379', SYNAPTI_REDIS_AT_START: 'perhaps' })
  assert.equal(code, EXIT_USAGE)
  assert.match(log, /SYNAPTI_REDIS_AT_START/)
})

test('a Redis that nobody runs: `fail` ends the program and says why', async t => {
  const { code, log } = await failure(t, { SYNAPTI_REDIS_URL: `redis://:${SECRET}@127.0.0.1:${await reservedPort()}`, SYNAPTI_REDIS_AT_START: 'fail' })
  assert.notEqual(code, 0)
  assert.match(log, /SYNAPTI_REDIS_URL/)
  saysNoSecret(log)
})

test('a Redis that does not answer: `fail` gives up in the end', async t => {
  const redis = await Redis.start(t)
  const link = await Link.open(t, redis.port)
  link.swallow()
  const { code, log } = await failure(t, { SYNAPTI_REDIS_URL: link.url, SYNAPTI_REDIS_AT_START: 'fail' })
  assert.notEqual(code, 0)
  assert.match(log, /SYNAPTI_REDIS_URL/)
})

test('a Redis that comes later: nodes go on, and join as soon as it is there', async t => {
  const redis = new Redis(await reservedPort(), [], [])
  t.after(() => redis.discard())
  const nodes = await Promise.all([start(t, redis.url), start(t, redis.url)])
  for (const node of nodes) {
    assert.equal(await busStatus(node), 'away')
    assert.equal((await node.request('GET', '/ready')).status, 200)
    assert.ok(node.lines.some(line => /"level":"(WARN|ERROR)"/.test(line) && /redis/i.test(line)), 'it says so')
  }
  await redis.start()
  await Promise.all(nodes.map(isUp))
  await areTogether(t, ...nodes)
})

test('a Redis that does not answer at first: nodes start, and join', async t => {
  const redis = await Redis.start(t)
  const link = await Link.open(t, redis.port)
  link.swallow()
  const [late, early] = await Promise.all([start(t, link.url), start(t, redis.url)])
  assert.equal((await late.request('GET', '/ready')).status, 200)
  link.pass()
  await Promise.all([late, early].map(isUp))
  await areTogether(t, late, early)
})

test('a Redis with a password', async t => {
  const awkward = `${SECRET}@:/?#%`
  const redis = await Redis.start(t, { args: ['--requirepass', awkward], cli: ['--no-auth-warning', '-a', awkward] })
  await redis.cli('ACL', 'SETUSER', 'synapti', 'on', `>${SECRET}`, '~*', '&*', '+@all')
  const at = `127.0.0.1:${redis.port}`
  const nodes = await Promise.all([
    start(t, `redis://:${encodeURIComponent(awkward)}@${at}`, { SYNAPTI_REDIS_AT_START: 'fail' }),
    start(t, `redis://synapti:${SECRET}@${at}`, { SYNAPTI_REDIS_AT_START: 'fail' })
  ])
  await Promise.all(nodes.map(isUp))
  await areTogether(t, ...nodes)

  for (const url of [`redis://:wrong-${SECRET}@${at}`, `redis://${at}`]) {
    const { code, log } = await failure(t, { SYNAPTI_REDIS_URL: url, SYNAPTI_REDIS_AT_START: 'fail' })
    assert.notEqual(code, 0)
    assert.match(log, /SYNAPTI_REDIS_URL/)
    saysNoSecret(log)
    const stranger = await start(t, url)
    assert.equal(await busStatus(stranger), 'away')
    assert.equal((await stranger.request('GET', '/ready')).status, 200)
    saysNoSecret(stranger.lines.join('\n'))
  }
  for (const node of nodes) saysNoSecret(node.lines.join('\n'))
})

test('a Redis with TLS: its certificate has to be of an authority that is known, and for its name', async t => {
  const authority = new Authority(t)
  const [port, elsewhere] = [await reservedPort(), await reservedPort()]
  const [redis] = await Promise.all([
    Redis.start(t, { args: authority.redisArgs(port, 'IP:127.0.0.1,DNS:localhost') }),
    Redis.start(t, { args: authority.redisArgs(elsewhere, 'DNS:redis.example.org') })
  ])
  const known = { SYNAPTI_REDIS_CA_FILE: authority.file, SYNAPTI_REDIS_AT_START: 'fail' }
  const nodes = await Promise.all(['127.0.0.1', 'localhost'].map(host => start(t, `rediss://${host}:${port}`, known)))
  await Promise.all(nodes.map(isUp))
  await areTogether(t, ...nodes)

  const url = `rediss://:${SECRET}@127.0.0.1`
  for (const [what, env, says] of [
    ['an authority that is not known', { SYNAPTI_REDIS_URL: `${url}:${port}`, SYNAPTI_REDIS_AT_START: 'fail' }, /certificate/i],
    ['a certificate for another name', { ...known, SYNAPTI_REDIS_URL: `${url}:${elsewhere}` }, /certificate/i],
    ['a port without TLS', { ...known, SYNAPTI_REDIS_URL: `${url}:${redis.port}` }, /SYNAPTI_REDIS_URL/],
    ['TLS where it is not expected', { SYNAPTI_REDIS_URL: `redis://:${SECRET}@127.0.0.1:${port}`, SYNAPTI_REDIS_AT_START: 'fail' }, /SYNAPTI_REDIS_URL/],
    ['a file that is not there', { ...known, SYNAPTI_REDIS_CA_FILE: '/nowhere.crt', SYNAPTI_REDIS_URL: `${url}:${port}` }, /nowhere\.crt|SYNAPTI_REDIS_CA_FILE/]
  ]) {
    const { code, log } = await failure(t, env)
    assert.notEqual(code, 0, what)
    assert.match(log, says, what)
    saysNoSecret(log)
  }
})
