/** Editing together with the unmodified provider. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { cut, fresh, join, joinPlain, leave, mapName, open, reads, saved, socket, text, write } from '../lib/people.mjs'

const server = await Server.start({ after })

test('providers and a y-websocket client edit one map', async t => {
  const name = mapName('together')
  const ada = await join(t, server, name)
  const bob = await join(t, server, name)
  const old = await join(t, server, name, { version: 3 })
  const eve = await joinPlain(t, server, name)
  write(ada, 'one ')
  await reads('one ', ada, bob, old, eve)
  write(eve, 'two ')
  await reads('one two ', ada, bob, old, eve)
  write(old, 'three')
  await reads('one two three', ada, bob, old, eve)
  await saved(ada, bob, old)
  assert.deepEqual(ada.heard.scopes, ['read-write'])
  assert.equal(await fresh(t, server, name), 'one two three')
})

test('the document is there when the provider says synced', async t => {
  const name = mapName('there')
  const ada = await join(t, server, name)
  write(ada, 'long before. '.repeat(20_000))
  await saved(ada)
  for (const version of [3, 4]) {
    let read
    const bob = open(t, server, name, { version, onSynced: () => { read ??= text(bob) } })
    await until('Bob is synced', () => read !== undefined)
    assert.equal(read, text(ada))
  }
})

test('many documents share a socket, and none hears of another', async t => {
  const shared = socket(t, server)
  const names = Array.from({ length: 40 }, (_, at) => mapName(`many-${at}`))
  const mine = names.map(name => open(t, server, name, { on: shared }))
  await saved(...mine)
  mine.forEach((person, at) => write(person, `document ${at}`))
  await saved(...mine)
  for (const at of [0, 17, 39]) assert.equal(await fresh(t, server, names[at]), `document ${at}`)
  const other = await join(t, server, names[3])
  write(other, ' and more')
  await reads('document 3 and more', mine[3])
  assert.equal(text(mine[4]), 'document 4')
  // One that leaves takes nobody with it, and may come back.
  leave(mine[3])
  write(mine[4], '!')
  await saved(mine[4])
  const again = open(t, server, names[3], { on: shared })
  await reads('document 3 and more', again)
  await saved(again)
})

test('a provider that is made anew at once, under the same name, is a new one', async t => {
  const name = mapName('anew')
  const shared = socket(t, server)
  let ada = await join(t, server, name, { on: shared })
  let written = ''
  for (let round = 0; round < 20; round++) {
    write(ada, `${round} `)
    written += `${round} `
    leave(ada)
    ada = open(t, server, name, { on: shared })
    await saved(ada)
  }
  await reads(written, ada)
})

test('a large document does not keep the others of its socket waiting', async t => {
  const [large, small] = [mapName('large'), mapName('small')]
  const writer = await join(t, server, large)
  for (let part = 0; part < 30; part++) write(writer, String(part).repeat(100_000))
  await saved(writer)
  const shared = socket(t, server)
  const first = open(t, server, large, { on: shared })
  const second = open(t, server, small, { on: shared })
  write(second, 'quick')
  await saved(first, second)
  assert.equal(text(first).length, text(writer).length)
  assert.equal(await fresh(t, server, small), 'quick')
})

test('several sessions of one document on one socket', async t => {
  const name = mapName('sessions')
  const shared = socket(t, server)
  const [ada, bob] = [0, 1].map(() => open(t, server, name, { on: shared, sessionAwareness: true }))
  const plain = open(t, server, name, { on: shared })
  await saved(ada, bob, plain)
  write(ada, 'from a session')
  await reads('from a session', bob, plain)
  ada.provider.setAwarenessField('name', 'Ada')
  await until('Bob sees Ada', () => bob.provider.awareness.getStates().get(ada.doc.clientID)?.name === 'Ada')
  leave(ada)
  await until('Bob sees her go', () => !bob.provider.awareness.getStates().has(ada.doc.clientID))
  write(bob, ', still here')
  await reads('from a session, still here', plain)
  await saved(bob, plain)
  assert.throws(() => open(t, server, name, { on: shared }), /same effective name/)
})

test('presence is shared within a document, over all transports', async t => {
  const [name, elsewhere] = [mapName('presence'), mapName('elsewhere')]
  const ada = await join(t, server, name)
  ada.provider.setAwarenessField('name', 'Ada')
  const other = await join(t, server, elsewhere)
  const [bob, eve] = [await join(t, server, name), await joinPlain(t, server, name)]
  const sees = (awareness, { doc }) => awareness.getStates().get(doc.clientID)
  await until('Bob and Eve see Ada', () => sees(bob.provider.awareness, ada)?.name === 'Ada' && sees(eve.awareness, ada)?.name === 'Ada')
  eve.awareness.setLocalState({ name: 'Eve' })
  await until('Ada sees Eve', () => sees(ada.provider.awareness, eve)?.name === 'Eve')
  assert.equal(sees(other.provider.awareness, ada), undefined)
  leave(ada)
  await until('she is seen to go', () => !sees(bob.provider.awareness, ada) && !sees(eve.awareness, ada))
  cut(bob)
  await until('Bob is seen to come back', () => sees(eve.awareness, bob) !== undefined)
  const quiet = await join(t, server, name, { awareness: null })
  write(quiet, 'nobody')
  await reads('nobody', bob)
  assert.throws(() => quiet.provider.setAwarenessField('name', 'x'), { code: 1001 })
})

test('a connection that breaks is made again, with what was written meanwhile', async t => {
  for (const version of [3, 4]) {
    const name = mapName('breaks')
    const [ada, bob] = [await join(t, server, name, { version }), await join(t, server, name, { version })]
    for (let round = 0; round < 3; round++) {
      cut(ada)
      write(ada, `${round}a`)
      write(bob, `${round}b`)
      await until('they have converged', () => text(ada) === text(bob) && text(ada).length === 4 * (round + 1))
    }
    await saved(ada, bob)
    assert.equal(await fresh(t, server, name), text(ada))
  }
})

test('updates that are gathered arrive together', async t => {
  const name = mapName('gathered')
  const sent = []
  const ada = await join(t, server, name, { flushDelay: 100, onOutgoingMessage: ({ message }) => sent.push(message.description) })
  const before = sent.filter(description => description === 'A document update').length
  for (const letter of 'gathered') write(ada, letter)
  assert.equal(ada.provider.hasUnsyncedChanges, true)
  await saved(ada)
  assert.equal(sent.filter(description => description === 'A document update').length, before + 1)
  assert.equal(await fresh(t, server, name), 'gathered')
})

test('names that are no graph ids are refused with a reason, and only they', async t => {
  const shared = socket(t, server)
  const fine = open(t, server, mapName('fine'), { on: shared })
  for (const name of ['', ' ', '<>{}|^ #äöü', 'a/b', 'x'.repeat(200)]) {
    const odd = open(t, server, name, { on: shared })
    await until(`"${name}" is refused`, () => odd.heard.denied.length === 1)
    assert.match(odd.heard.denied[0], /a graph id is 1 to 128 characters/)
    leave(odd)
  }
  await saved(fine)
  write(fine, 'fine')
  await saved(fine)
  const dots = await join(t, server, mapName('A.b_c~d-9'))
  write(dots, 'fine too')
  await saved(dots)
})

test('stateless messages go nowhere and do no harm', async t => {
  const name = mapName('stateless')
  const [ada, bob] = [await join(t, server, name), await join(t, server, name)]
  ada.provider.sendStateless('anybody?')
  write(ada, 'x')
  await reads('x', bob)
  await saved(ada)
  assert.deepEqual([ada.heard.stateless, bob.heard.stateless], [[], []])
})

test('a map that is deleted is closed, and its neighbours on the socket are not', async t => {
  const [name, other] = [mapName('doomed'), mapName('spared')]
  const shared = socket(t, server)
  const [doomed, spared] = [open(t, server, name, { on: shared }), open(t, server, other, { on: shared })]
  write(doomed, 'x')
  await saved(doomed, spared)
  assert.equal((await server.request('DELETE', `/v1/graphs/${name}`)).status, 204)
  await until('it is closed', () => doomed.heard.closed.some(reason => /deleted/.test(reason)))
  write(spared, 'still here')
  await saved(spared)
  const again = open(t, server, name, { on: shared, sessionAwareness: true })
  await until('nobody comes in again', () => again.heard.denied.length > 0)
  assert.match(again.heard.denied[0], /deleted/)
})

test('two documents of one client converge with everybody else after a storm of edits', async t => {
  const name = mapName('storm')
  const people = [
    await join(t, server, name), await join(t, server, name, { version: 3 }), await join(t, server, name, { flushDelay: 30 })
  ]
  const plain = await joinPlain(t, server, name)
  for (let round = 0; round < 150; round++) {
    for (const person of [...people, plain]) {
      const words = person.doc.getText('text')
      if (round % 5 === 4 && words.length > 3) words.delete(round % words.length, 1)
      else words.insert((round * 7) % (words.length + 1), String(round))
    }
    if (round % 10 === 0) await new Promise(resolve => setImmediate(resolve))
  }
  await saved(...people)
  await until('they have converged', () => people.every(person => text(person) === text(plain)))
  assert.deepEqual(Y.encodeStateVector(people[0].doc).length, Y.encodeStateVector(plain.doc).length)
  assert.equal(await fresh(t, server, name), text(plain))
})
