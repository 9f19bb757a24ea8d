/** What the server does not put up with, and what it lives through. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { REQUIRED, join, mapName, open, saved, socket, text, token, url, write } from '../lib/people.mjs'
import { AUTH, CLOSE, Raw, SYNC, auth, frame, step1, step2, update } from '../lib/raw.mjs'

const server = await Server.start({ after }, { env: { ...REQUIRED, SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_CLIENT: '0' } })

const RESET = 4205

const edit = words => {
  const doc = new Y.Doc()
  doc.getText('text').insert(0, words)
  return Y.encodeStateAsUpdate(doc)
}

/** Somebody who edits meanwhile, and finds at the end that nothing has happened to them. */
const bystander = async t => {
  const name = mapName('bystander')
  const person = await join(t, server, name, { token: token({ [name]: 'editor' }) })
  return async () => {
    write(person, 'fine')
    await saved(person)
    assert.equal(person.heard.closed.length, 0)
  }
}

/** A socket on which one document is open. */
const known = async t => {
  const name = mapName('known')
  const raw = await Raw.connect(t, server)
  raw.send(auth(name, token({ [name]: 'editor' }), '4.8.0'), step1(name))
  await raw.message('the server answers', ({ type, kind }) => type === SYNC && kind === 1)
  return { name, raw }
}

test('too many messages before a token close the socket', async t => {
  const fine = await bystander(t)
  const raw = await Raw.connect(t, server)
  for (let at = 0; at <= 1000; at++) raw.send(step1('quiet'))
  const { code, reason } = await raw.close()
  assert.equal(code, RESET)
  assert.match(reason, /more than 1000 messages before their Auth message/)
  await fine()
})

test('too many bytes before a token close the socket', async t => {
  const raw = await Raw.connect(t, server)
  for (let at = 0; at < 6; at++) raw.send(update('quiet', new Uint8Array(1 << 20)))
  const { code, reason } = await raw.close()
  assert.equal(code, RESET)
  assert.match(reason, /more than 5242880 bytes/)
})

test('too many documents before a token close the socket', async t => {
  const raw = await Raw.connect(t, server)
  for (let at = 0; at <= 100; at++) raw.send(step1(`document-${at}`))
  const { code, reason } = await raw.close()
  assert.equal(code, RESET)
  assert.match(reason, /more than 100 documents/)
})

test('who is known may close everything, and go beyond what strangers may', async t => {
  const { name, raw } = await known(t)
  raw.send(step2(name, new Uint8Array([0, 0])))
  for (let at = 0; at < 1500; at++) raw.send(frame(name, 5, 'x'.repeat(4000)))
  raw.send(update(name, edit('x')))
  await until('it is saved', () => raw.statuses(name).length === 2, { deadline_ms: 60_000 })
  raw.send(frame(name, CLOSE))
  const other = mapName('later')
  raw.send(auth(other, token({ [other]: 'editor' })))
  await raw.authenticated(other)
  assert.equal(raw.socket.readyState, 1)
})

test('a socket has so many documents and no more; the others stay open', async t => {
  const everything = token({ '*': 'editor' })
  const raw = await Raw.connect(t, server)
  const names = Array.from({ length: 257 }, (_, at) => `crowd-${at}`)
  for (const name of names) raw.send(auth(name, everything))
  const refused = await raw.message('the last is refused', ({ type, kind }) => type === AUTH && kind === 1)
  assert.deepEqual([refused.address, /256 documents/.test(refused.text)], ['crowd-256', true])
  for (const name of ['crowd-0', 'crowd-255']) await raw.authenticated(name)
  raw.send(frame('crowd-0', CLOSE), auth('crowd-256', everything))
  await raw.authenticated('crowd-256')
})

test('what is no frame closes the socket, and what is no message closes the document', async t => {
  const fine = await bystander(t)
  for (const bytes of [[], [200], [5, 1], [1, 0xff], [3, 0x61, 0x62, 0x63], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], [1, 0x61, 2, 7]]) {
    const raw = await Raw.connect(t, server)
    raw.send(new Uint8Array(bytes))
    assert.equal((await raw.close()).code, 4400, String(bytes))
  }
  const long = await Raw.connect(t, server)
  long.send(auth('x'.repeat(1025)))
  assert.equal((await long.close()).code, 4400)
  const text = await Raw.connect(t, server)
  text.send('hello')
  assert.equal((await text.close()).code, 4400)
  for (const body of [[0, 0], [0, 2, 3, 1], [0, 7, 0], [1, 3, 9, 9, 9], [2, 1, 0], [0, 2, 4, 9, 9, 9, 9], [6, 1, 0x61], [0, 0, 1, 5]]) {
    const { name, raw } = await known(t)
    const other = mapName('other')
    raw.send(auth(other, token({ [other]: 'editor' })))
    await raw.authenticated(other)
    raw.send(Buffer.concat([frame(name), Buffer.from(body)]))
    const closed = await raw.message(`${body} closes the document`, ({ type }) => type === CLOSE)
    assert.equal(closed.address, name)
    assert.ok(closed.text.length > 0)
    // What comes for a closed document is heard by nobody; a new token opens it again.
    raw.send(update(name, edit('lost')), frame(name, 3), auth(name, token({ [name]: 'editor' })))
    await raw.authenticated(name, raw.messages.length - 1)
    raw.send(step1(other), step2(other, new Uint8Array([0, 0])))
    await until('the other document goes on', () => raw.statuses(other).length === 1)
  }
  await fine()
})

test('a message that is too large closes its document', async t => {
  const { name, raw } = await known(t)
  raw.send(update(name, new Uint8Array(2 << 20)))
  const closed = await raw.message('it is closed', ({ type }) => type === CLOSE)
  assert.match(closed.text, /larger than/)
})

test('what only servers say, and what nobody knows, does not reach others', async t => {
  const { name, raw } = await known(t)
  const peer = await Raw.connect(t, server)
  peer.send(auth(name, token({ [name]: 'editor' })), step1(name))
  await peer.authenticated(name)
  raw.send(frame(name, 11, 'from the future'), frame(name, 8, 1), frame(name, 5, 'stateless'), frame(name, 6, 'broadcast'))
  const closed = await raw.message('it is closed', ({ type }) => type === CLOSE)
  assert.match(closed.text, /between servers/)
  const from = peer.messages.length
  peer.send(step1(name))
  await peer.message('the other hears of nothing but its question', ({ type, kind }) => type === SYNC && kind === 1, from)
  assert.equal(peer.messages.some(({ type }) => type === 5 || type === 6 || type === 11), false)
})

test('a node that stops sends everybody to come back, and those who come back have lost nothing', async t => {
  const node = await Server.start(t, { restartable: true })
  const shared = socket(t, node)
  const names = [mapName('drain'), mapName('drain')]
  const people = names.map(name => open(t, node, name, { on: shared }))
  await saved(...people)
  const stranger = await Raw.connect(t, node)
  const member = await Raw.connect(t, node)
  member.send(auth(names[0]))
  await member.authenticated(names[0])
  people.forEach(person => write(person, 'before '))
  const stopped = node.stop()
  assert.equal((await member.close()).code, 1012)
  assert.equal((await stranger.close()).code, 1012)
  assert.equal((await stopped).code, 0)
  people.forEach(person => write(person, 'while it was away '))
  await node.start()
  await saved(...people)
  people.forEach(person => write(person, 'after'))
  await saved(...people)
  const reader = await join(t, node, names[1])
  assert.equal(text(reader), 'before while it was away after')
})

test('a page of a foreign origin is refused, and a plain request is told what to do', async t => {
  const foreign = await Raw.connect(t, server, { headers: { origin: 'https://evil.example' } })
  assert.equal((await foreign.close()).code, 4403)
  const own = await Raw.connect(t, server, { headers: { origin: server.http } })
  own.send(auth('x'))
  await own.message('it is answered', ({ type }) => type === AUTH)
  const { status, json } = await server.request('GET', '/v1/hocuspocus')
  assert.deepEqual([status, json.error.code], [426, 'upgrade_required'])
  assert.match(url(server), /hocuspocus$/)
})

test('a client has so many connections, counted by socket and not by document', async t => {
  const node = await Server.start(t, { env: { ...REQUIRED, SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_CLIENT: '2' } })
  const mine = token({ '*': 'editor' })
  const raws = [await Raw.connect(t, node), await Raw.connect(t, node)]
  for (const raw of raws) {
    for (let at = 0; at < 5; at++) raw.send(auth(`counted-${at}`, mine))
    await raw.authenticated('counted-4')
  }
  const third = await Raw.connect(t, node)
  third.send(auth('counted-0', mine))
  assert.equal((await third.close()).code, 1008)
  raws[0].socket.close()
  await raws[0].close()
  await until('there is a place again', async () => {
    const again = await Raw.connect(t, node)
    again.send(auth('counted-0', mine))
    return Promise.race([again.authenticated('counted-0').then(() => true), again.closed.then(() => false)])
  })
})
