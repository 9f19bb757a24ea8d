/** A room carries any Yjs document, not only mind maps. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import * as Y from 'yjs'
import { converged, freshJSON, join, leave, roomId, synced, connect } from '../lib/client.mjs'
import { addNode, initMap, toJSON } from '../lib/map.mjs'
import { Server } from '../lib/server.mjs'
import { until } from '../lib/wait.mjs'

const server = await Server.start({ after })

/** Lets `write` fill a document, live and in front of a watcher, and returns the watcher and a later reader. */
const share = async (t, name, write) => {
  const id = roomId(name)
  const [author, watcher] = [await join(t, server, id), await join(t, server, id)]
  await write(author.doc)
  await converged([author, watcher], { read: () => true })
  const reader = await join(t, server, id)
  await converged([author, reader], { read: () => true })
  return { id, author, watcher, reader }
}

test('formatted text with embeds', async t => {
  const { author, watcher, reader } = await share(t, 'format', doc => {
    const text = doc.getText('prose')
    text.insert(0, 'The quick brown fox 🦊 jumps')
    text.format(4, 5, { bold: true, link: { href: 'https://example.org/?q="x"' } })
    text.format(10, 9, { em: true })
    text.insertEmbed(3, { image: 'fox.png', size: [1, 2.5] }, { align: 'left' })
    text.format(4, 3, { bold: null })
    text.delete(0, 2)
  })
  const delta = author.doc.getText('prose').toDelta()
  assert.ok(delta.length > 5)
  for (const other of [watcher, reader]) assert.deepEqual(other.doc.getText('prose').toDelta(), delta)
})

test('a document that comes in parts', async t => {
  const { id, author } = await share(t, 'parts', doc => doc.transact(() => {
    for (let n = 0; n < 400; n++) doc.getMap('pages').set(`page ${n % 390}`, 'x'.repeat(1000))
  }))
  const reader = connect(t, server, id)
  const parts = []
  reader.doc.on('update', () => parts.push({ synced: reader.provider.synced, waiting: reader.doc.store.pendingStructs }))
  await synced(reader)
  assert.deepEqual(reader.doc.getMap('pages').toJSON(), author.doc.getMap('pages').toJSON())
  assert.ok(parts.length > 5, `${parts.length} parts`)
  assert.ok(parts.every(part => !part.synced && part.waiting === null))
})

// Yjs deletes attributes that stand around nothing, for everybody, and it looks whenever it is sent attributes.
test('attributes around text that comes in a later part', async t => {
  const id = roomId('attributes')
  const docs = [new Y.Doc(), new Y.Doc()]
  docs.forEach((doc, n) => { doc.clientID = 2 - n })
  const [one, other] = [await join(t, server, id, { doc: docs[0] }), await join(t, server, id, { doc: docs[1] })]
  const text = client => client.doc.getText('prose')
  text(one).insert(0, ' it')
  text(one).insert(0, 'foo', { bold: true })
  await converged([one, other], { read: () => true })
  for (let n = 0; n < 100; n++) other.doc.getMap('pages').set(`page ${n}`, 'x'.repeat(1000))
  text(other).insert(1, 'bar')
  await converged([one, other], { read: () => true })
  text(one).delete(0, 1)
  text(one).delete(3, 2)
  await converged([one, other], { read: doc => doc.getText('prose').toDelta() })
  const delta = [{ insert: 'bar', attributes: { bold: true } }, { insert: ' it' }]
  assert.deepEqual(text(one).toDelta(), delta)
  // Only a document that knows its text to be one looks after its attributes.
  const doc = new Y.Doc()
  doc.getText('prose')
  const reader = await join(t, server, id, { doc })
  reader.doc.getMap('pages').set('read', true)
  await converged([one, other, reader], { read: () => true })
  for (const client of [one, other, reader]) assert.deepEqual(text(client).toDelta(), delta)
})

test('XML fragments', async t => {
  const { author, watcher, reader } = await share(t, 'xml', doc => {
    const fragment = doc.getXmlFragment('prosemirror')
    const paragraph = new Y.XmlElement('paragraph')
    paragraph.setAttribute('align', 'left')
    const words = new Y.XmlText('Hello 🌍')
    paragraph.insert(0, [words])
    const image = new Y.XmlElement('image')
    image.setAttribute('src', 'a"b<c>.png')
    fragment.insert(0, [paragraph, image])
    words.format(0, 5, { strong: {} })
    paragraph.removeAttribute('align')
    paragraph.setAttribute('level', '2')
    fragment.insert(1, [new Y.XmlElement('gone')])
    fragment.delete(1)
  })
  const xml = author.doc.getXmlFragment('prosemirror').toString()
  assert.ok(xml.includes('<strong>Hello</strong>'))
  for (const other of [watcher, reader]) assert.equal(other.doc.getXmlFragment('prosemirror').toString(), xml)
})

test('values of every kind', async t => {
  const values = {
    null: null,
    undefined,
    yes: true,
    no: false,
    zero: 0,
    negative: -1,
    fraction: 0.1,
    float32: 1.5,
    large: 2 ** 53 - 1,
    huge: 1e300,
    beyond: 2 ** 31,
    negativeZero: -0,
    big: 9007199254740993n,
    smallBig: 5n,
    largestBig: 2n ** 63n - 1n,
    infinite: [Infinity, -Infinity, NaN],
    empty: '',
    unicode: '\u0000 \u2028 é e\u0301 👩‍👩‍👧 \u{10FFFF}',
    bytes: new Uint8Array([0, 1, 255]),
    nested: [[], {}, [{ a: [1, { b: null }] }]],
    'key with "quotes" and 🔑': 1,
    ['k'.repeat(300)]: 'long key'
  }
  // Yjs takes neither of these into arrays.
  const row = Object.values(values).filter(value => value !== undefined && typeof value !== 'bigint')
  const { author, watcher, reader } = await share(t, 'values', doc => {
    const map = doc.getMap('anything')
    for (const [key, value] of Object.entries(values)) map.set(key, value)
    doc.getArray('row').push(row)
    map.set('overwritten', 1)
    map.set('overwritten', 2)
    map.set('deleted', 1)
    map.delete('deleted')
  })
  for (const { doc } of [author, watcher, reader]) {
    for (const [key, value] of Object.entries(values)) assert.deepEqual(doc.getMap('anything').get(key), value, key)
    assert.deepEqual(doc.getArray('row').toArray(), row)
    assert.equal(doc.getMap('anything').get('overwritten'), 2)
    assert.equal(doc.getMap('anything').has('deleted'), false)
  }
})

test('the keys of plain objects keep their order', async t => {
  const value = { z: 1, y: { b: 1, a: 2, c: [{ n: 1, m: 2 }] }, x: 3 }
  const { watcher, reader } = await share(t, 'order', doc => {
    doc.getMap('anything').set('value', value)
    doc.getText('prose').insertEmbed(0, value)
  })
  for (const { doc } of [watcher, reader]) {
    assert.equal(JSON.stringify(doc.getMap('anything').get('value')), JSON.stringify(value))
    assert.equal(JSON.stringify(doc.getText('prose').toDelta()[0].insert), JSON.stringify(value))
  }
})

test('subdocuments', async t => {
  const { author, watcher, reader } = await share(t, 'subdocs', doc => {
    const folder = doc.getMap('folder')
    folder.set('a', new Y.Doc({ guid: 'sub-a' }))
    folder.set('b', new Y.Doc({ guid: 'sub-b', autoLoad: true }))
    folder.set('c', new Y.Doc({ guid: 'sub-c' }))
    folder.delete('c')
  })
  for (const { doc } of [author, watcher, reader]) {
    assert.deepEqual(Array.from(doc.getSubdocGuids()).sort(), ['sub-a', 'sub-b'])
    assert.equal(doc.getMap('folder').get('b').autoLoad, true)
  }
})

test('nested types, arrays in maps in arrays', async t => {
  const { author, watcher, reader } = await share(t, 'nested', doc => {
    const list = doc.getArray('deep')
    for (let i = 0; i < 20; i++) {
      const map = new Y.Map()
      list.insert(0, [map])
      const inner = new Y.Array()
      map.set('inner', inner)
      inner.push([new Y.Text(`text ${i}`), i])
      if (i % 3 === 0) list.delete(list.length - 1)
    }
    let map = doc.getMap('chain')
    for (let depth = 0; depth < 40; depth++) {
      const next = new Y.Map()
      map.set('next', next)
      next.set('depth', depth)
      map = next
    }
  })
  const json = { deep: author.doc.getArray('deep').toJSON(), chain: author.doc.getMap('chain').toJSON() }
  for (const { doc } of [watcher, reader]) {
    assert.deepEqual({ deep: doc.getArray('deep').toJSON(), chain: doc.getMap('chain').toJSON() }, json)
  }
})

test('a client that keeps deleted content (gc off) and undoes', async t => {
  const id = roomId('undo')
  const [ada, bob] = [await join(t, server, id, { doc: new Y.Doc({ gc: false }) }), await join(t, server, id)]
  const text = ada.doc.getText('text')
  text.insert(0, 'keep this')
  await converged([ada, bob])
  const undo = new Y.UndoManager(text)
  text.delete(0, 5)
  await until('Bob sees the deletion', () => bob.doc.getText('text').toString() === 'this')
  bob.doc.getText('text').insert(4, ' too')
  await converged([ada, bob])
  const snapshot = Y.snapshot(ada.doc)
  undo.undo()
  const json = await converged([ada, bob])
  assert.equal(json.text, 'keep this too')
  assert.equal((await freshJSON(t, server, id)).text, 'keep this too')
  assert.equal(Y.createDocFromSnapshot(ada.doc, snapshot).getText('text').toString(), 'this too', 'its history is intact')
})

test('undo and redo among garbage-collecting clients', async t => {
  const id = roomId('redo')
  const [ada, bob] = [await join(t, server, id), await join(t, server, id)]
  initMap(ada.doc, 'Undo')
  await converged([ada, bob])
  const undo = new Y.UndoManager(ada.doc.getMap('nodes'), { captureTimeout: 0 })
  addNode(ada.doc, { id: 'a', title: 'A', parent: 'root' })
  ada.doc.getMap('nodes').delete('a')
  await converged([ada, bob])
  undo.undo()
  assert.equal((await converged([ada, bob])).nodes.a.title, 'A')
  undo.undo()
  assert.ok(!('a' in (await converged([ada, bob])).nodes))
  undo.redo()
  assert.equal((await converged([ada, bob])).nodes.a.title, 'A')
})

test('relative positions name the same place everywhere', async t => {
  const { author, watcher } = await share(t, 'positions', doc => doc.getText('text').insert(0, 'abcdef'))
  const mark = Y.encodeRelativePosition(Y.createRelativePositionFromTypeIndex(author.doc.getText('text'), 3))
  watcher.doc.getText('text').insert(0, '>> ')
  await converged([author, watcher])
  for (const { doc } of [author, watcher]) {
    assert.equal(Y.createAbsolutePositionFromRelativePosition(Y.decodeRelativePosition(mark), doc).index, 6)
  }
})

test('a map of 10,000 nodes', async t => {
  const id = roomId('large')
  const doc = new Y.Doc()
  initMap(doc, 'Large')
  doc.transact(() => {
    for (let i = 1; i < 10_000; i++) {
      addNode(doc, { id: `n${i}`, title: `Node number ${i}`, parent: i < 20 ? 'root' : `n${Math.floor(i / 20)}`, order: `a${i}` })
    }
  })
  t.diagnostic(`state of ${Y.encodeStateAsUpdate(doc).length} bytes`)
  const author = await join(t, server, id, { doc })
  await until('the server holds the map', async () => Object.keys((await freshJSON(t, server, id)).nodes).length === 10_000)
  const begin = performance.now()
  const reader = connect(t, server, id)
  await synced(reader)
  t.diagnostic(`first sync took ${Math.round(performance.now() - begin)} ms`)
  assert.deepEqual(toJSON(reader.doc), toJSON(author.doc))
  reader.doc.getMap('nodes').get('n9999').get('title').insert(0, 'The last: ')
  await until('the author sees the edit', () => author.doc.getMap('nodes').get('n9999').get('title').toString() === 'The last: Node number 9999')
  leave(author)
})
