/** Tokens and roles, with the unmodified provider. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { REQUIRED, fresh, join, joinPlain, leave, mapName, open, reads, saved, socket, text, token, write } from '../lib/people.mjs'
import { AUTH, Raw, auth, step1, step2, update } from '../lib/raw.mjs'

const server = await Server.start({ after }, { env: REQUIRED })

const denied = person => until('the document is refused', () => person.heard.denied[0])
const unsynced = ({ provider }) => provider.unsyncedChanges

/** A map with some words, and the token of its editor. */
const map = async (t, words = 'hello') => {
  const name = mapName('map')
  const editor = token({ [name]: 'editor' })
  const ada = await join(t, server, name, { token: editor })
  write(ada, words)
  await saved(ada)
  return { name, editor, ada }
}

test('each role gets its scope, and nobody else comes in', async t => {
  const { name } = await map(t)
  const roles = { owner: 'read-write', editor: 'read-write', commenter: 'readonly', viewer: 'readonly' }
  for (const [role, scope] of Object.entries(roles)) {
    for (const version of [3, 4]) {
      const person = await join(t, server, name, { version, token: async () => token({ [name]: role }, { sub: role }) })
      assert.deepEqual(person.heard.scopes, [scope], role)
      assert.equal(person.provider.authorizedScope, scope)
      assert.equal(text(person), 'hello')
      leave(person)
    }
  }
  const everywhere = await join(t, server, name, { token: token({ '*': 'viewer' }) })
  assert.deepEqual(everywhere.heard.scopes, ['readonly'])
  const admin = await join(t, server, name, { token: () => token({}, { sub: 'root', role: 'admin' }) })
  assert.deepEqual(admin.heard.scopes, ['read-write'])
  for (const [what, wrong, reason] of [
    ['no token', null, /not signed in/],
    ['nonsense', 'a.b.c', /not a JWT/],
    ['another map', token({ other: 'owner' }), /does not give you the right/],
    ['a changed signature', `${token({ [name]: 'owner' }).slice(0, -4)}AAAA`, /signature is wrong/],
    ['less in this map than in all', token({ other: 'owner' }, { sub: 'eve' }), /does not give you the right/]
  ]) {
    const person = open(t, server, name, { token: wrong })
    assert.match(await denied(person), reason, what)
    assert.equal(person.provider.isAuthenticated, false)
    assert.equal(text(person), '')
    leave(person)
  }
})

test('who may not make a map is told so', async t => {
  const missing = mapName('missing')
  assert.match(await denied(open(t, server, missing, { token: token({ '*': 'viewer' }) })), /no such graph/)
  const maker = await join(t, server, missing, { token: token({ [missing]: 'editor' }) })
  write(maker, 'made')
  await saved(maker)
  assert.equal(await fresh(t, server, missing, { token: token({ '*': 'viewer' }) }), 'made')
})

test('a wrong token closes one document, and another try on the same socket works', async t => {
  const { name, editor } = await map(t)
  const { name: other, editor: otherEditor } = await map(t, 'other')
  const shared = socket(t, server)
  const tokens = ['wrong', editor]
  const ada = open(t, server, name, { on: shared, token: () => tokens.shift() })
  const bob = open(t, server, other, { on: shared, token: otherEditor })
  await saved(bob)
  await denied(ada)
  write(ada, ' offline,')
  ada.provider.sendToken()
  ada.provider.startSync()
  await saved(ada)
  write(ada, ' online')
  await saved(ada)
  const read = await fresh(t, server, name, { token: editor })
  for (const word of ['hello', 'offline,', 'online']) assert.ok(read.includes(word), read)
  write(bob, '!')
  await saved(bob)
  // A second provider of the same name takes the place of one that was refused.
  const refused = open(t, server, mapName('else'), { on: shared, token: 'wrong' })
  await denied(refused)
  const name2 = refused.provider.configuration.name
  const second = open(t, server, name2, { on: shared, token: token({ [name2]: 'owner' }) })
  await saved(second)
  assert.equal(bob.heard.denied.length + bob.heard.closed.length, 0)
})

test('what was refused and is tried again without a new sync ends up saved', async t => {
  const { name, editor } = await map(t)
  const tokens = ['wrong', editor]
  const ada = open(t, server, name, { token: () => tokens.shift() })
  await denied(ada)
  for (let at = 0; at < 5; at++) write(ada, String(at))
  ada.provider.sendToken()
  await saved(ada)
  assert.equal((await fresh(t, server, name, { token: editor })).length, 'hello01234'.length)
})

test('several sessions on one socket are let in one by one', async t => {
  const { name, editor } = await map(t)
  const shared = socket(t, server)
  const bad = open(t, server, name, { on: shared, sessionAwareness: true, token: 'wrong' })
  const good = open(t, server, name, { on: shared, sessionAwareness: true, token: editor })
  const reader = open(t, server, name, { on: shared, sessionAwareness: true, token: token({ [name]: 'viewer' }, { sub: 'eve' }) })
  await saved(good, reader)
  await denied(bad)
  assert.deepEqual([good.heard.scopes, reader.heard.scopes, bad.heard.scopes], [['read-write'], ['readonly'], []])
  write(reader, ' not this')
  write(good, ' this')
  await saved(good)
  assert.equal(await fresh(t, server, name, { token: editor }), 'hello this')
})

test('a reader reads and shows presence; what it changes stays with it, unsaved', async t => {
  const { name, ada } = await map(t)
  for (const version of [3, 4]) {
    const eve = await join(t, server, name, { version, token: token({ [name]: 'viewer' }, { sub: 'eve' }) })
    assert.equal(eve.provider.hasUnsyncedChanges, false, 'nothing was changed')
    eve.provider.setAwarenessField('name', 'Eve')
    await until('Ada sees her', () => ada.provider.awareness.getStates().get(eve.doc.clientID)?.name === 'Eve')
    write(eve, ' mine')
    write(eve, ' alone')
    write(ada, '!')
    await until('Eve still reads', () => text(eve).includes('!'))
    assert.equal(unsynced(eve), 2)
    assert.equal(text(ada).includes('mine'), false)
    leave(eve)
  }
})

test('a reader that comes with changes has unsaved changes, and one that comes without has none', async t => {
  const { name, ada } = await map(t)
  const viewer = token({ [name]: 'viewer' }, { sub: 'eve' })
  const copy = new Y.Doc()
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(ada.doc))
  await join(t, server, name, { doc: copy, token: viewer })
  const changed = new Y.Doc()
  Y.applyUpdate(changed, Y.encodeStateAsUpdate(ada.doc))
  changed.getText('text').insert(0, 'x')
  const eve = open(t, server, name, { doc: changed, token: viewer })
  write(ada, '.')
  await until('she reads', () => text(eve).includes('.'))
  assert.equal(eve.provider.hasUnsyncedChanges, true)
  const shorter = new Y.Doc()
  Y.applyUpdate(shorter, Y.encodeStateAsUpdate(ada.doc))
  shorter.getText('text').delete(0, 1)
  const bob = open(t, server, name, { doc: shorter, token: viewer })
  write(ada, '.')
  await until('he reads', () => text(bob).endsWith('..'))
  assert.equal(bob.provider.hasUnsyncedChanges, true, 'a deletion is a change')
})

test('read-only is one document\'s matter', async t => {
  const [mine, theirs] = [await map(t, 'mine'), await map(t, 'theirs')]
  const shared = socket(t, server)
  const own = open(t, server, mine.name, { on: shared, token: mine.editor })
  const read = open(t, server, theirs.name, { on: shared, token: token({ [theirs.name]: 'viewer' }) })
  await saved(own, read)
  write(own, '!')
  write(read, '!')
  await saved(own)
  assert.equal(unsynced(read), 1)
  assert.equal(text(theirs.ada), 'theirs')
})

test('the token of the request counts for documents that show none', async t => {
  const { name, editor } = await map(t)
  const short = token({ [name]: 'editor' }, { seconds: 300 })
  const ada = await join(t, server, name, { socketOptions: { query: `?token=${short}` } })
  write(ada, '!')
  await saved(ada)
  const raw = await Raw.connect(t, server, { headers: { authorization: `Bearer ${editor}` } })
  raw.send(auth(name), auth(mapName('other')))
  await raw.authenticated(name)
  await raw.message('the other map is refused', ({ type, kind }) => type === AUTH && kind === 1)
  const viewer = token({ [name]: 'viewer' }, { sub: 'eve' })
  const both = open(t, server, name, { token: viewer, socketOptions: { query: `?token=${short}` } })
  await saved(both)
  assert.deepEqual(both.heard.scopes, ['readonly'], 'a document\'s own token goes before')
})

test('a token that ends is asked for again, and a document without a new one is closed', async t => {
  const { name } = await map(t)
  const asked = []
  const renewing = await join(t, server, name, {
    token: () => {
      asked.push(Date.now())
      return token({ [name]: 'editor' }, { seconds: asked.length === 1 ? 4 : 600 })
    }
  })
  const shared = socket(t, server)
  const dying = open(t, server, name, { on: shared, token: token({ [name]: 'editor' }, { seconds: 3 }) })
  const staying = open(t, server, name, { on: shared, sessionAwareness: true, token: token({ [name]: 'editor' }) })
  await saved(dying, staying)
  await until('it is closed', () => dying.heard.closed.length > 0)
  assert.match(dying.heard.closed[0], /token expired/)
  await until('the other was asked', () => asked.length >= 2)
  write(dying, ' too late')
  write(renewing, ' renewed')
  await saved(renewing, staying)
  await reads('hello renewed', staying)
  assert.deepEqual(renewing.heard.closed, [])
  // With a new token it comes back.
  dying.provider.configuration.token = token({ [name]: 'editor' })
  dying.provider.sendToken()
  dying.provider.startSync()
  await saved(dying)
  await until('its edit is there', () => text(staying).includes('too late'))
})

test('a renewed token that gives more or less counts at once', async t => {
  const { name, ada } = await map(t)
  let role = 'viewer'
  const eve = await join(t, server, name, { token: () => token(role === undefined ? { other: 'owner' } : { [name]: role }, { sub: 'eve' }) })
  write(eve, ' from a reader')
  await until('it is refused', () => unsynced(eve) === 1)
  role = 'editor'
  await eve.provider.sendToken()
  await until('she is told', () => eve.heard.scopes.at(-1) === 'read-write')
  await until('Ada reads it', () => text(ada) === 'hello from a reader')
  await saved(eve)
  write(eve, ', now an editor')
  await saved(eve)
  write(ada, '.')
  await until('she hears others', () => text(eve).includes('.'))
  role = 'viewer'
  await eve.provider.sendToken()
  write(eve, ' never')
  await until('she is told', () => eve.heard.scopes.at(-1) === 'readonly')
  write(eve, ' never')
  write(ada, '!')
  await until('she still hears others', () => text(eve).includes('!'))
  assert.equal(unsynced(eve), 2)
  assert.equal(await fresh(t, server, name, { token: token({ [name]: 'viewer' }) }), 'hello from a reader, now an editor.!')
  role = undefined
  await eve.provider.sendToken()
  await until('she is sent out', () => eve.heard.closed.length === 1)
  assert.match(eve.heard.closed[0], /does not give you the right/)
})

test('people with y-websocket and Hocuspocus meet in one map', async t => {
  const { name, editor, ada } = await map(t)
  const plain = await joinPlain(t, server, name, { params: { token: editor } })
  write(plain, ' there')
  await reads('hello there', ada)
})

test('a reader by hand: an update gets 0, an answer without news gets 1', async t => {
  const { name, ada } = await map(t)
  const raw = await Raw.connect(t, server)
  raw.send(auth(name, token({ [name]: 'viewer' }), '4.8.0'), step1(name))
  await raw.message('the server asks', ({ type, kind }) => type === 0 && kind === 0)
  const doc = new Y.Doc()
  doc.getText('text').insert(0, 'x')
  raw.send(update(name, Y.encodeStateAsUpdate(doc)))
  await until('it is refused', () => raw.statuses(name).length === 1)
  raw.send(step2(name, Y.encodeStateAsUpdate(ada.doc, Y.encodeStateVector(ada.doc))))
  await until('it is fine', () => raw.statuses(name).length === 2)
  assert.deepEqual(raw.statuses(name), [0, 1])
})
