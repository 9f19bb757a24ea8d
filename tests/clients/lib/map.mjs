/**
 * A mind map as a Yjs document (schema 1), written the way a client writes it.
 */
import * as Y from 'yjs'

/** Fills an empty document with a topic and its root node. */
export const initMap = (doc, topic, rootId = 'root') => {
  doc.transact(() => {
    const meta = doc.getMap('meta')
    meta.set('schema', 1)
    meta.set('topic', topic)
    meta.set('root', rootId)
    meta.set('created_at', '2026-01-01T00:00:00Z')
    addNode(doc, { id: rootId, title: topic, parent: null })
  })
}

/** Adds one node; `title` and `summary` become texts that several people can type into. */
export const addNode = (doc, { id, title = '', summary = '', parent = null, order = 'a0', source = 'human', pos }) => {
  doc.transact(() => {
    const node = new Y.Map()
    node.set('title', new Y.Text(title))
    node.set('summary', new Y.Text(summary))
    node.set('parent', parent)
    node.set('order', order)
    node.set('source', source)
    if (pos !== undefined) node.set('pos', pos)
    doc.getMap('nodes').set(id, node)
  })
}

export const addEdge = (doc, { id, source, target, relationship = 'relates to', strength = 0.5 }) => {
  doc.transact(() => {
    const edge = new Y.Map()
    edge.set('source', source)
    edge.set('target', target)
    edge.set('relationship', relationship)
    edge.set('strength', strength)
    doc.getMap('edges').set(id, edge)
  })
}

/** The node's Y.Map, which must exist. */
export const nodeOf = (doc, id) => {
  const node = doc.getMap('nodes').get(id)
  if (node === undefined) throw new Error(`no node ${id}`)
  return node
}

/** Types letter by letter, one transaction each, as a person does. */
export const typeInto = (text, string, at = text.length) => {
  let index = at
  for (const letter of string) {
    text.insert(index, letter)
    index += letter.length
  }
}

/** The roots that a map has, and the two free-form ones that the test histories use beside them. */
export const toJSON = doc => ({
  meta: doc.getMap('meta').toJSON(),
  nodes: doc.getMap('nodes').toJSON(),
  edges: doc.getMap('edges').toJSON(),
  text: doc.getText('text').toString(),
  list: doc.getArray('list').toJSON()
})
