/**
 * Random histories: a few people edit one document concurrently, now and then hearing of each other.
 *
 * Everything follows from the seed: client ids are set by hand and no operation looks at a clock.
 */
import * as Y from 'yjs'
import { addEdge, addNode, initMap } from './map.mjs'
import { Random } from './random.mjs'

const WORDS = ['map', 'idea', 'Zürich', 'naïve', '女の子', '😀', 'a😁b', '👩‍👩‍👧', ' ', '—', 'x']
const FORMATS = [{ bold: true }, { bold: null }, { em: { level: 2 } }, { em: null }]
const RELATIONSHIPS = ['causes', 'refines', 'contradicts']
const COLORS = ['#3B82F6', '#10B981', '#8B5CF6']

const isLowSurrogate = unit => unit >= 0xDC00 && unit <= 0xDFFF

/** A position in the text; never between the halves of a surrogate pair unless `split` allows it. */
const position = (random, text, split, below = text.length + 1) => {
  const at = random.int(below)
  return !split && isLowSurrogate(text.toString().charCodeAt(at)) ? at + 1 : at
}

const editText = (random, text, { split, format }) => {
  const kind = random.next()
  if (text.length === 0 || kind < 0.6) {
    text.insert(position(random, text, split), random.pick(WORDS))
    return
  }
  const from = position(random, text, split)
  let to = Math.min(text.length, from + 1 + random.int(4))
  if (!split && isLowSurrogate(text.toString().charCodeAt(to))) to += 1
  if (to <= from) return
  if (format && kind > 0.85) text.format(from, to - from, random.pick(FORMATS))
  else text.delete(from, to - from)
}

const value = random => random.pick([
  () => random.int(1000) - 500,
  () => random.int(1000) / 8,
  () => random.chance(0.5),
  () => null,
  () => random.pick(WORDS),
  () => [random.int(9), { deep: [random.pick(WORDS)] }],
  () => ({ k: random.int(9), nested: { b: false } })
])()

const editList = (random, list) => {
  const kind = random.next()
  if (list.length === 0 || kind < 0.55) {
    const many = Array.from({ length: 1 + random.int(3) }, () => value(random))
    list.insert(random.int(list.length + 1), many)
  } else if (kind < 0.7) {
    const inner = new Y.Map()
    inner.set('n', random.int(100))
    list.insert(random.int(list.length + 1), [inner])
  } else if (kind < 0.8) {
    const inner = list.toArray().find(item => item instanceof Y.Map)
    if (inner !== undefined) inner.set(random.pick(['n', 'm']), value(random))
  } else {
    const from = random.int(list.length)
    list.delete(from, Math.min(list.length - from, 1 + random.int(2)))
  }
}

const editMap = (random, doc, fresh, split) => {
  const nodes = doc.getMap('nodes')
  const ids = Array.from(nodes.keys()).sort()
  const kind = random.next()
  if (ids.length < 3 || kind < 0.2) {
    addNode(doc, {
      id: fresh(),
      title: random.pick(WORDS),
      parent: ids.length === 0 ? null : random.pick(ids),
      order: `a${random.int(10)}`
    })
    return
  }
  const id = random.pick(ids)
  const node = nodes.get(id)
  if (kind < 0.4) node.set('parent', random.pick([null, ...ids]))
  else if (kind < 0.48) node.set('order', `a${random.int(10)}${random.pick(['V', 'd', 'z'])}`)
  else if (kind < 0.56) node.set('pos', [random.int(800) / 8, random.int(80) / 8, -random.int(800) / 8])
  else if (kind < 0.6) node.set('color', random.pick(COLORS))
  else if (kind < 0.64) node.set(random.pick(['collapsed', 'expandable']), random.chance(0.5))
  else if (kind < 0.67) node.delete('pos')
  else if (kind < 0.73) nodes.delete(id)
  else if (kind < 0.79) addEdge(doc, { id: `e${random.int(6)}`, source: id, target: random.pick(ids), relationship: random.pick(RELATIONSHIPS), strength: random.int(9) / 8 })
  else if (kind < 0.81) doc.getMap('edges').delete(`e${random.int(6)}`)
  else if (kind < 0.83) doc.getMap('meta').set('root', id)
  else if (kind < 0.85) node.set('title', new Y.Text(random.pick(WORDS)))
  else editText(random, node.get('title'), { split, format: false })
}

/** One transaction of one client. `focus` says which roots it touches. */
export const randomEdit = (random, doc, { focus = 'all', split = false, fresh }) => {
  const steps = random.chance(0.25) ? 1 + random.int(4) : 1
  doc.transact(() => {
    for (let i = 0; i < steps; i++) {
      const where = focus === 'all' ? random.pick(['map', 'map', 'text', 'list']) : focus
      if (where === 'map') editMap(random, doc, fresh, split)
      // A format that changes nothing sends nothing, yet splits a pair on its author's screen: that is no common history.
      else if (where === 'text') editText(random, doc.getText('text'), { split, format: !split })
      else editList(random, doc.getArray('list'))
    }
  })
}

/** Makes `doc` a replica of its own: a fixed client id, and new node ids that no other replica makes. */
export const replica = (clientID, options = {}) => {
  const doc = new Y.Doc(options)
  doc.clientID = clientID
  let made = 0
  return { doc, fresh: () => `n${clientID.toString(36)}-${made++}` }
}

/** Client ids over the whole range that yjs uses (32 bits), so that varints of all lengths occur. */
const clientId = (random, index) => random.pick([index + 1, 100 + random.int(1000) * 8 + index, 0x80000000 + random.int(0x0FFFFFFF) * 8 + index])

/**
 * A history of `edits` transactions by 2 to 5 clients.
 *
 * @param {number} seed
 * @param {{edits?: number, focus?: string, split?: boolean}} [options] `split` allows edits between the halves of a
 *   surrogate pair
 * @returns {{updates: Uint8Array[], doc: Y.Doc}} the updates in the order in which they were made (each one after all
 *   that it builds on), and a document that has them all
 */
export const randomHistory = (seed, { edits = 30, focus = 'all', split = false } = {}) => {
  const random = new Random(seed)
  const updates = []
  const replicas = Array.from({ length: 2 + random.int(4) }, (_, index) => {
    const one = replica(clientId(random, index))
    one.doc.on('update', (update, origin) => { if (origin !== 'peer') updates.push(update) })
    return one
  })
  const deliver = (from, to) =>
    Y.applyUpdate(to.doc, Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc)), 'peer')
  if (focus === 'all' || focus === 'map') {
    initMap(replicas[0].doc, 'History')
    for (const other of replicas.slice(1)) deliver(replicas[0], other)
  }
  for (let i = 0; i < edits; i++) {
    const author = random.pick(replicas)
    randomEdit(random, author.doc, { focus, split, fresh: author.fresh })
    while (random.chance(0.35)) {
      const listener = random.pick(replicas)
      if (listener !== author) deliver(author, listener)
    }
  }
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, update)
  return { updates, doc }
}

/**
 * The same history as a store or a client with gaps would hand it on: random groups of updates merged into one each.
 * Merging updates that do not follow each other leaves skips inside the result.
 */
export const mergeRandomly = (seed, updates) => {
  const random = new Random(seed)
  const groups = []
  for (const update of updates) {
    const group = random.chance(0.6) && groups.length > 0 ? random.pick(groups) : undefined
    if (group === undefined) groups.push([update])
    else group.push(update)
  }
  return groups.map(group => group.length === 1 ? group[0] : Y.mergeUpdates(group))
}
