/** docs/protocol.md is right, byte by byte. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { bytesOf, documentText, hexOf, namedBlocks } from '../lib/blocks.mjs'
import { play, Words } from '../lib/exchange.mjs'

const require = createRequire(new URL('../../clients/package.json', import.meta.url))
const Y = require('yjs')
const awareness = require('y-protocols/awareness')
const encoding = require('lib0/encoding')
const sync = require('y-protocols/sync')

const text = documentText('docs/protocol.md')
const blocks = namedBlocks(text)

const encoded = write => {
  const encoder = encoding.createEncoder()
  write(encoder)
  return encoding.toUint8Array(encoder)
}

const message = (type, write) => encoded(encoder => {
  encoding.writeVarUint(encoder, type)
  write(encoder)
})

/** The document after the edit of the examples, and the edit. */
const edited = () => {
  const doc = new Y.Doc()
  doc.clientID = 1
  const updates = []
  doc.on('update', update => updates.push(update))
  doc.getMap('meta').set('topic', 'Mars')
  return { doc, update: updates[0] }
}

/** What client 7 says of itself, clock by clock. */
const present = (...states) => {
  const doc = new Y.Doc()
  doc.clientID = 7
  const here = new awareness.Awareness(doc)
  // A new one has said `{}` already, with clock 0.
  states.forEach(state => here.setLocalState(state))
  const update = awareness.encodeAwarenessUpdate(here, [7])
  here.destroy()
  return message(1, encoder => encoding.writeVarUint8Array(encoder, update))
}

const ADA = { user: { name: 'Ada' } }

const bytes = {
  varuint: () => encoded(encoder => [0, 127, 128, 300].forEach(number => encoding.writeVarUint(encoder, number))),
  varbytes: () => encoded(encoder => encoding.writeVarUint8Array(encoder, Uint8Array.of(1, 2, 3))),
  varstring: () => encoded(encoder => encoding.writeVarString(encoder, 'Jørn')),
  'step1-empty': () => message(0, encoder => sync.writeSyncStep1(encoder, new Y.Doc())),
  step1: () => message(0, encoder => sync.writeSyncStep1(encoder, edited().doc)),
  update: () => message(0, encoder => sync.writeUpdate(encoder, edited().update)),
  'step2-empty': () => message(0, encoder => sync.writeSyncStep2(encoder, new Y.Doc())),
  awareness: () => present(ADA),
  'awareness-gone': () => present(ADA, null),
  ack: () => message(120, encoder => encoding.writeVarUint(encoder, 2)),
  notice: () => message(121, encoder => encoding.writeVarString(encoder, JSON.stringify({ kind: 'saved' })))
}

describe('bytes', () => {
  const documented = blocks.filter(({ language }) => language === 'bytes')

  test('are all checked', () => {
    assert.deepEqual(documented.map(({ name }) => name).sort(), Object.keys(bytes).sort())
    assert.deepEqual(blocks.filter(({ language }) => !['bytes', 'exchange'].includes(language)), [])
  })

  for (const { name, text } of documented) {
    test(name, () => assert.equal(hexOf(bytesOf(text)), hexOf(bytes[name]())))
  }
})

describe('exchanges', async () => {
  const hooks = []
  const server = Server.start({ after: hook => hooks.push(hook) })
  const words = new Words()

  // In the order of the document: a later one goes on with the map of an earlier one.
  test('in the order of the document', async t => {
    t.after(() => hooks.forEach(hook => hook()))
    const exchanges = blocks.filter(({ language }) => language === 'exchange')
    assert.ok(exchanges.length >= 10)
    for (const { name, text } of exchanges) {
      await t.test(name, async t => play(t, await server, text, words))
    }
    await t.test('statuses', async () => statuses(await server))
  })
})

/** Each status that a test can provoke is in the table, with its code. */
const statuses = async server => {
  const binary = { 'content-type': 'application/octet-stream' }
  const cases = [
    ['/v1/graphs/m/sync', Uint8Array.of(2, 9, 9), binary, 400],
    ['/v1/graphs/deleted-meanwhile/sync', undefined, {}, 410],
    ['/v1/graphs/m/sync', new Uint8Array(18 << 20), binary, 413],
    ['/v1/graphs/m/sync', Uint8Array.of(1, 3), { 'content-type': 'text/plain' }, 415],
    ['/v1/graphs/m/sync?wait=56', undefined, {}, 422]
  ]
  for (const [path, body, headers, status] of cases) {
    const response = await fetch(server.http + path, { method: 'POST', headers, body })
    const { error } = await response.json()
    assert.equal(response.status, status, path)
    assert.match(text, new RegExp(`^\\| ${status} \\| .*\`${error.code}\``, 'm'))
  }
}
