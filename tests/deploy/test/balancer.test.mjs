import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import test from 'node:test'
import { until } from '../../clients/lib/wait.mjs'
import { balance, noBalancer } from '../lib/balancer.mjs'

/** What a balancer sees of a node, without one: whether it is ready, its name, and who asks. */
const pretender = async (t, name) => {
  const node = { ready: true, asked: [] }
  const server = createServer((request, response) => {
    const { url, headers } = request
    const status = url === '/ready' ? (node.ready ? 200 : 503) : url.startsWith('/assets/') && url !== `/assets/${name}` ? 404 : 200
    if (!['/ready', '/live'].includes(url)) node.asked.push({ url, forwarded: headers['x-forwarded-for'] })
    response.writeHead(status).end(name)
  }).listen(0, '127.0.0.1')
  t.after(() => { server.close(); server.closeAllConnections() })
  await once(server, 'listening')
  return Object.assign(node, { port: server.address().port })
}

test('the balancer sends people where they are best off', { skip: noBalancer }, async t => {
  const first = await pretender(t, 'first')
  const second = await pretender(t, 'second')
  const { http } = await balance(t, [first.port, second.port])
  const get = async (path, headers = {}) => {
    const response = await fetch(http + path, { headers })
    return { status: response.status, body: await response.text() }
  }
  /** Who answers, of several requests. */
  const answering = async () => {
    const answers = []
    for (let nth = 0; nth < 6; nth++) answers.push((await get('/v1/graphs')).body)
    return [...new Set(answers)].sort()
  }
  const answer = async names => until(`${names} answer`, async () => {
    assert.deepEqual(await answering(), names)
    return true
  })

  await t.test('both share the work', () => answer(['first', 'second']))

  await t.test('nobody speaks for another address', async () => {
    assert.equal((await get('/whoami', { 'x-forwarded-for': '192.0.2.66' })).status, 200)
    const { forwarded } = [...first.asked, ...second.asked].find(({ url }) => url === '/whoami')
    assert.equal(forwarded, '127.0.0.1')
  })

  await t.test('what is for operators is not answered', async () => {
    for (const path of ['/metrics', '/health', '/HEALTH', '/%6detrics', '/metrics?x=1']) assert.equal((await get(path)).status, 404, path)
    assert.ok([...first.asked, ...second.asked].every(({ url }) => !/met|health/i.test(url)))
  })

  await t.test('a part of the page that one node lacks comes from the other', async () => {
    for (const name of ['first', 'second', 'first', 'second']) assert.deepEqual(await get(`/assets/${name}`), { status: 200, body: name })
    assert.equal((await get('/assets/nowhere')).status, 404)
  })

  await t.test('a node that is not ready gets nobody', async () => {
    first.ready = false
    await answer(['second'])
  })

  await t.test('when none is ready, those that are alive do what they can', async () => {
    second.ready = false
    await answer(['first', 'second'])
  })

  await t.test('a node that is ready again has everybody', async () => {
    first.ready = true
    await answer(['first'])
  })
})
