/** What the provider calls saved is on disk. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as Y from 'yjs'
import { Server } from '../../clients/lib/server.mjs'
import { until, within } from '../../clients/lib/wait.mjs'
import { cut, fresh, join, mapName, open, reads, saved, text, write } from '../lib/people.mjs'
import { Raw, STATUS, SYNC, auth, frame, step1, step2, update } from '../lib/raw.mjs'

/** Waits for the first moment in which the provider claims that all is saved. */
const claimsSaved = ({ provider }) => within('the provider says that all is saved', new Promise(resolve => {
  if (!provider.hasUnsyncedChanges) return resolve()
  provider.on('unsyncedChanges', ({ number }) => { if (number === 0) resolve() })
}))

const edit = (words, client = 7) => {
  const doc = new Y.Doc()
  doc.clientID = client
  doc.getText('text').insert(0, words)
  return Y.encodeStateAsUpdate(doc)
}

test('what is saved survives kill -9, round after round', async t => {
  const server = await Server.start(t, { restartable: true })
  for (const options of [{ version: 4 }, { version: 3 }, { version: 4, flushDelay: 20 }]) {
    const name = mapName('killed')
    const ada = await join(t, server, name, options)
    let written = ''
    for (let round = 0; round < 3; round++) {
      for (let at = 0; at < 20; at++) {
        write(ada, `${round}.${at} `)
        written += `${round}.${at} `
      }
      assert.equal(ada.provider.hasUnsyncedChanges, true)
      await claimsSaved(ada)
      await server.kill9()
      await server.start()
      assert.equal(await fresh(t, server, name), written, 'somebody else reads all of it')
      await saved(ada)
    }
  }
})

test('what was written while offline is not called saved before it is', async t => {
  for (const version of [3, 4]) {
    const server = await Server.start(t, { restartable: true })
    const name = mapName('offline')
    const ada = await join(t, server, name, { version })
    write(ada, 'before. ')
    await saved(ada)
    await server.kill9()
    await until('Ada is offline', () => !ada.provider.isSynced)
    let written = 'before. '
    for (let at = 0; at < 200; at++) {
      write(ada, `${at} `)
      written += `${at} `
    }
    // At the first moment in which the provider says so, all must be there: the updates that it had queued and sent one
    // by one are no reason to say it.
    const claimed = claimsSaved(ada)
    await server.start()
    await claimed
    await server.kill9()
    await server.start()
    assert.equal(await fresh(t, server, name), written, `version ${version}`)
  }
})

test('deletions that were made offline end up saved as well', async t => {
  const server = await Server.start(t, { restartable: true })
  const name = mapName('deletions')
  const ada = await join(t, server, name)
  write(ada, 'abcdefghij')
  await saved(ada)
  await server.stop()
  await until('Ada is offline', () => !ada.provider.isSynced)
  for (let at = 0; at < 5; at++) ada.doc.getText('text').delete(0, 1)
  const claimed = claimsSaved(ada)
  await server.start()
  await claimed
  await server.kill9()
  await server.start()
  assert.equal(await fresh(t, server, name), 'fghij')
  write(ada, 'k')
  await saved(ada)
})

test('one status for each update and one for the handshake', async t => {
  const server = await Server.start(t)
  const name = mapName('counted')
  const raw = await Raw.connect(t, server)
  raw.send(auth(name), step1(name))
  await raw.message('the server asks', ({ type, kind }) => type === SYNC && kind === 0)
  await raw.message('the server answers', ({ type, kind }) => type === SYNC && kind === 1)
  raw.send(step2(name, edit('one', 1)), update(name, edit('two', 2)), update(name, edit('three', 3)))
  await until('each is saved', () => raw.statuses(name).length === 3)
  assert.deepEqual(raw.statuses(name), [1, 1, 1])
  // An answer that nobody asked for, or that comes later, says nothing about updates.
  raw.send(step2(name, edit('four', 4)), update(name, edit('five', 5)))
  await until('the update is saved', () => raw.statuses(name).length === 4)
  // Who asks again is asked again, and its answer counts again.
  const from = raw.messages.length
  raw.send(step1(name))
  await raw.message('the server answers again', ({ type, kind }) => type === SYNC && kind === 1, from)
  await raw.message('and asks again', ({ type, kind }) => type === SYNC && kind === 0, from)
  raw.send(step2(name, edit('six', 6)))
  await until('the answer is saved', () => raw.statuses(name).length === 5)
  assert.equal((await fresh(t, server, name)).length, 'onetwothreefourfivesix'.length)
})

test('an update that lacks an earlier one is not called saved', async t => {
  const server = await Server.start(t)
  const name = mapName('lacking')
  const doc = new Y.Doc()
  const updates = []
  doc.on('update', bytes => updates.push(bytes))
  doc.getText('text').insert(0, 'one')
  doc.getText('text').insert(3, 'two')
  const raw = await Raw.connect(t, server)
  raw.send(auth(name), step1(name))
  await raw.message('the server asks', ({ type, kind }) => type === SYNC && kind === 0)
  raw.send(step2(name, new Uint8Array([0, 0])))
  await until('the handshake is saved', () => raw.statuses(name).length === 1)
  const from = raw.messages.length
  raw.send(update(name, updates[1]))
  await raw.message('the server asks for what is missing', ({ type, kind }) => type === SYNC && kind === 0, from)
  assert.equal(raw.statuses(name).length, 1)
  raw.send(step2(name, Y.encodeStateAsUpdate(doc)))
  await until('it is saved', () => raw.statuses(name).length === 2)
  assert.deepEqual(raw.messages.filter(({ type }) => type === STATUS).length, 2, 'the answer itself says nothing')
})

test('a forced sync and a document that is closed end up saved', async t => {
  const server = await Server.start(t)
  const name = mapName('forced')
  const ada = await join(t, server, name, { forceSyncInterval: 50 })
  for (let at = 0; at < 20; at++) {
    write(ada, String(at % 10))
    await new Promise(resolve => setImmediate(resolve))
  }
  await saved(ada)
  ada.provider.forceSync()
  assert.equal(ada.provider.hasUnsyncedChanges, true)
  await saved(ada)
  // Closed at once after an edit: what was sent is taken.
  const bob = open(t, server, name)
  write(bob, '!')
  await until('Bob is connected', () => bob.heard.scopes.length === 1)
  write(bob, '?')
  bob.provider.destroy()
  await until('Ada reads it', () => /\?/.test(text(ada)))
  assert.ok(text(ada).includes('!'))
})

test('edits that are sent before anybody is known are taken in order', async t => {
  const server = await Server.start(t)
  const name = mapName('early')
  const raw = await Raw.connect(t, server)
  raw.send(step1(name), update(name, edit('early', 1)), frame(name, 5, 'hello'), auth(name), update(name, edit('bird', 2)))
  await raw.authenticated(name)
  await until('both are saved', () => raw.statuses(name).length === 2)
  const reader = await join(t, server, name)
  await until('they are there', () => ['early', 'bird'].every(word => text(reader).includes(word)))
})

test('a socket that breaks in the middle of edits loses nothing that was called saved', async t => {
  const server = await Server.start(t)
  const name = mapName('cut')
  const ada = await join(t, server, name)
  let written = ''
  for (let round = 0; round < 10; round++) {
    for (let at = 0; at < 10; at++) {
      write(ada, `${round}${at} `)
      written += `${round}${at} `
    }
    if (round % 3 === 2) await claimsSaved(ada)
    cut(ada)
  }
  await saved(ada)
  const reader = await join(t, server, name)
  await reads(written, reader)
})
