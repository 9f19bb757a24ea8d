/** The server is stopped, killed and started again while people work. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { connect, converged, freshJSON, join, leave, published, roomId, synced } from '../lib/client.mjs'
import { addNode, initMap, nodeOf, toJSON, typeInto } from '../lib/map.mjs'
import { RawClient, update } from '../lib/raw.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'
import * as Y from 'yjs'

const server = await Server.start({ after }, { restartable: true, env: { SYNAPTI_SHUTDOWN_GRACE: '2' } })

/** Writes every few milliseconds until `stop()`; returns how many edits it made. */
const keepWriting = (client, name) => {
  let written = 0
  const timer = setInterval(() => {
    client.doc.getMap('nodes').set(`${name}-${written}`, written)
    client.doc.getText('text').insert(0, name)
    written++
  }, 3)
  return { stop: () => { clearInterval(timer); return written }, get written () { return written } }
}

test('after a restart everything is still there', async t => {
  const id = roomId('restart')
  const ada = await join(t, server, id)
  initMap(ada.doc, 'Durable')
  addNode(ada.doc, { id: 'a', title: '', parent: 'root', pos: [1.5, 0, -1.5] })
  typeInto(nodeOf(ada.doc, 'a').get('title'), 'typed letter by letter')
  const json = toJSON(ada.doc)
  await published(t, server, id, json)
  leave(ada)
  const { code } = await server.stop()
  assert.equal(code, 0)
  await server.start()
  assert.deepEqual(await freshJSON(t, server, id), json)
})

test('SIGTERM closes the sockets with 1012, exits 0 and loses nothing', async t => {
  const id = roomId('sigterm')
  const clients = [await join(t, server, id), await join(t, server, id), await join(t, server, id)]
  const codes = []
  for (const { provider } of clients) provider.on('connection-close', event => codes.push(event?.code))
  const writers = clients.map((client, index) => keepWriting(client, `w${index}`))
  await until('the writers are under way', () => writers.every(writer => writer.written > 20))
  const { code, signal } = await server.stop('SIGTERM')
  assert.deepEqual({ code, signal }, { code: 0, signal: null })
  assert.deepEqual(codes.slice(0, 3), [1012, 1012, 1012])
  await server.start()
  await synced(...clients)
  const written = writers.map(writer => writer.stop())
  const json = await converged(clients)
  assert.equal(Object.keys(json.nodes).length, written.reduce((sum, count) => sum + count))
  assert.deepEqual(await freshJSON(t, server, id), json)
})

test('SIGTERM without anybody connected exits 0 at once', async () => {
  const begin = performance.now()
  const { code } = await server.stop('SIGTERM')
  assert.equal(code, 0)
  assert.ok(performance.now() - begin < 2000, 'nobody is there to wait for')
  await server.start()
})

test('killed under continuous writes, all clients come back by themselves and converge', async t => {
  const id = roomId('kill')
  const clients = await Promise.all(Array.from({ length: 4 }, () => join(t, server, id)))
  const writers = clients.map((client, index) => keepWriting(client, `k${index}-`))
  for (let kill = 1; kill <= 3; kill++) {
    await until('the writers are under way', () => writers.every(writer => writer.written > 40 * kill))
    const { signal } = await server.kill9()
    assert.equal(signal, 'SIGKILL')
    await server.start()
    await synced(...clients)
  }
  const written = writers.map(writer => writer.stop())
  const json = await converged(clients)
  assert.equal(Object.keys(json.nodes).length, written.reduce((sum, count) => sum + count))
  assert.deepEqual(await freshJSON(t, server, id), json)
})

test('what another client had seen survives a kill, even when its author is gone', async t => {
  const seenAtAll = []
  for (let round = 0; round < 3; round++) {
    const id = roomId('seen')
    const author = await join(t, server, id)
    const watcher = await join(t, server, id)
    const seen = []
    watcher.doc.getMap('nodes').observe(event => seen.push(...event.keysChanged))
    const writer = keepWriting(author, 's')
    await until('the watcher has seen some edits', () => seen.length > 30 + round)
    await server.kill9()
    writer.stop()
    leave(author)
    leave(watcher)
    assert.ok(seen.length > 30)
    await server.start()
    const { nodes } = await freshJSON(t, server, id)
    assert.deepEqual(seen.filter(key => !(key in nodes)), [], 'every edit that was seen is there')
    seenAtAll.push(seen.length)
  }
  t.diagnostic(`edits seen before each kill: ${seenAtAll.join(', ')}`)
})

test('edits to many rooms survive a kill, deletions too', async t => {
  const ids = Array.from({ length: 12 }, (_, index) => roomId(`many${index}`))
  const clients = await Promise.all(ids.map(id => join(t, server, id)))
  for (const [index, client] of clients.entries()) {
    initMap(client.doc, `Map ${index}`)
    addNode(client.doc, { id: 'gone', title: 'gone', parent: 'root' })
    client.doc.getMap('nodes').delete('gone')
  }
  // Reading them back proves that they are published, hence on disk.
  const before = clients.map(client => toJSON(client.doc))
  await Promise.all(ids.map((id, index) => published(t, server, id, before[index])))
  clients.forEach(leave)
  await server.kill9()
  await server.start()
  const afterwards = await Promise.all(ids.map(id => freshJSON(t, server, id)))
  assert.deepEqual(afterwards, before)
  assert.ok(afterwards.every(json => !('gone' in json.nodes)))
})

test('a client that was offline over a restart brings its edits along', async t => {
  const id = roomId('away')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, 'Away')
  await converged([ada, bob])
  ada.provider.disconnect()
  addNode(ada.doc, { id: 'offline', title: 'written at sea', parent: 'root' })
  nodeOf(bob.doc, 'root').get('title').insert(0, 'Far ')
  await until('the edit is published', async () => (await freshJSON(t, server, id)).nodes.root.title === 'Far Away')
  await server.kill9()
  await server.start()
  ada.provider.connect()
  await synced(ada, bob)
  const json = await converged([ada, bob])
  assert.equal(json.nodes.offline.title, 'written at sea')
  assert.equal(json.nodes.root.title, 'Far Away')
})

test('edits sent together with the closing handshake are kept', async t => {
  const id = roomId('last-word')
  const author = new Y.Doc()
  const updates = []
  author.on('update', bytes => updates.push(bytes))
  for (let index = 0; index < 50; index++) author.getArray('list').push([index])
  const raw = await RawClient.open(t, server, id)
  raw.send(...updates.map(update))
  raw.socket.close()
  await raw.closeCode()
  const { code } = await server.stop('SIGTERM')
  assert.equal(code, 0)
  await server.start()
  assert.deepEqual((await freshJSON(t, server, id)).list, Array.from({ length: 50 }, (_, index) => index))
})

test('clients wait out a server that is down for a while', async t => {
  const id = roomId('down')
  const client = await join(t, server, id)
  client.doc.getText('text').insert(0, 'before ')
  await server.stop()
  client.doc.getText('text').insert(7, 'meanwhile')
  const late = connect(t, server, id)
  await until('the late client was refused at least twice', () => late.provider.wsUnsuccessfulReconnects >= 2)
  await server.start()
  await synced(client, late)
  const { text } = await converged([client, late])
  assert.equal(text, 'before meanwhile')
})
