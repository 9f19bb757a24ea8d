/** Who is who holds on all nodes: what somebody announced on one node is theirs on the others. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { WANTS_TOKENS, tokenFor } from '../../browser/lib/tokens.mjs'
import { join, roomId } from '../../clients/lib/client.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { CONVERGED_WITHIN_MS } from '../lib/check.mjs'
import { Cluster, busStatus } from '../lib/cluster.mjs'

const cluster = await Cluster.start({ after }, { env: WANTS_TOKENS })
const [a, b, c] = cluster.nodes
await until('all nodes have joined', async () => (await Promise.all(cluster.nodes.map(busStatus))).every(status => status === 'up'))

/** Somebody with a token of the role. */
const come = (t, node, room, name, role = 'editor') =>
  join(t, node, room, { params: { token: tokenFor(name, { [room]: role }) }, state: { name } })

const has = (people, key) => until(`everybody has ${key}`, () => people.every(({ doc }) => doc.getMap('set').has(key)), { deadline_ms: CONVERGED_WITHIN_MS })

test('nobody writes under the client id of somebody on another node', async t => {
  const room = roomId('forged')
  const [ada, eve, bob] = [await come(t, a, room, 'ada', 'owner'), await come(t, b, room, 'eve'), await come(t, c, room, 'bob')]
  ada.doc.getMap('set').set('first', 'ada')
  await has([ada, eve, bob], 'first')
  await until('Eve\'s node knows whose id it is', () => eve.awareness.getStates().has(ada.doc.clientID))
  eve.doc.clientID = ada.doc.clientID
  eve.doc.getMap('set').set('forged', 'eve')
  ada.doc.getMap('set').set('second', 'ada')
  await has([ada, bob], 'second')
  for (const node of cluster.nodes) {
    const reader = await RawClient.open(t, node, room, { protocols: ['y-sync', `bearer.${tokenFor('reader', { [room]: 'viewer' })}`] })
    const set = (await reader.read()).getMap('set').toJSON()
    assert.deepEqual(set, { first: 'ada', second: 'ada' }, `what is on node ${node.name}`)
    reader.socket.terminate()
  }
  assert.deepEqual(bob.doc.getMap('set').toJSON(), { first: 'ada', second: 'ada' })
})

test('somebody goes on under their client id on the next node', async t => {
  const room = roomId('moving')
  const [ada, bob] = [await come(t, a, room, 'ada', 'owner'), await come(t, c, room, 'bob')]
  for (const [index, node] of [b, c, a, b].entries()) {
    ada.doc.getMap('set').set(`before-${index}`, index)
    await has([bob], `before-${index}`)
    ada.provider.disconnect()
    ada.doc.getMap('set').set(`between-${index}`, index)
    ada.provider.serverUrl = node.ws
    ada.provider.connect()
    await has([bob], `between-${index}`)
  }
})

test('a viewer of another node reads, shows presence, and writes nothing', async t => {
  const room = roomId('viewer')
  const ada = await come(t, a, room, 'ada', 'owner')
  const eve = await come(t, b, room, 'eve', 'viewer')
  const bob = await come(t, c, room, 'bob')
  ada.doc.getMap('set').set('first', 'ada')
  await has([ada, eve, bob], 'first')
  await until('all see the viewer', () => [ada, bob].every(({ awareness }) => awareness.getStates().get(eve.doc.clientID)?.name === 'eve'), { deadline_ms: CONVERGED_WITHIN_MS })
  const warn = console.warn
  console.warn = () => {}
  t.after(() => { console.warn = warn })
  eve.doc.getMap('set').set('written', 'eve')
  eve.awareness.setLocalStateField('at', 'the end')
  await until('what came after it is seen', () => [ada, bob].every(({ awareness }) => awareness.getStates().get(eve.doc.clientID)?.at === 'the end'), { deadline_ms: CONVERGED_WITHIN_MS })
  for (const { doc } of [ada, bob]) assert.deepEqual(doc.getMap('set').toJSON(), { first: 'ada' })
})
