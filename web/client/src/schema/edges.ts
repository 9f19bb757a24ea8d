/** Cross links between nodes that are not parent and child. */
import * as Y from 'yjs'
import { Local } from './edits.ts'
import { newId } from './id.ts'
import { nodeMap, rootsOf } from './schema.ts'

const local = new Local()

/** Links two nodes. Returns the link's id, null when a node is missing or both are the same. */
export const addEdge = (doc: Y.Doc, source: string, target: string, relationship = '', strength = 1): string | null => {
  const roots = rootsOf(doc)
  if (source === target || nodeMap(roots, source) === null || nodeMap(roots, target) === null) return null
  const id = newId()
  doc.transact(() => {
    const edge = new Y.Map<unknown>()
    edge.set('source', source)
    edge.set('target', target)
    edge.set('relationship', relationship)
    edge.set('strength', strength)
    roots.edges.set(id, edge)
  }, local)
  return id
}

/** False when there is no such link. */
export const setRelationship = (doc: Y.Doc, id: string, relationship: string): boolean => {
  const edge = rootsOf(doc).edges.get(id)
  if (!(edge instanceof Y.Map)) return false
  if (edge.get('relationship') !== relationship) doc.transact(() => edge.set('relationship', relationship), local)
  return true
}

/** False when there is no such link. */
export const removeEdge = (doc: Y.Doc, id: string): boolean => {
  const { edges } = rootsOf(doc)
  if (!edges.has(id)) return false
  doc.transact(() => edges.delete(id), local)
  return true
}
