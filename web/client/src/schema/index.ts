/**
 * `@synapti/client/schema`: a map in a Yjs document, read as plain data and edited so that every other client, the page
 * and the server understand it.
 */
import type * as Y from 'yjs'
import { type MapModel, Mirror } from './mirror.ts'

export { addEdge, removeEdge, setRelationship } from './edges.ts'
export {
  addNode, beginMap, editableText, Local, moveNode, type NewSpot, type NodeContent, removeBranch as removeNode,
  setCollapsed, setColor, type Spot
} from './edits.ts'
export { newId } from './id.ts'
export { type MapModel, Mirror } from './mirror.ts'
export { between } from './order.ts'
export type { Side } from './place.ts'
export {
  type EdgeData, type NodeData, type NodeSource, rootsOf, SCHEMA, SUMMARY_LENGTH_MAX, type TextField, TITLE_LENGTH_MAX
} from './schema.ts'
export { readSummary, renameNode, setSummary } from './texts.ts'
export { branch, derive, isInBranch, type ParentLink, type Place, siblingsUnder, type Tree, type TreeInput } from './tree.ts'

/** The map as it is now. Who reads it again and again keeps a `Mirror`: that reads only what has changed. */
export const readMap = (doc: Y.Doc): MapModel => {
  const mirror = new Mirror(doc, () => {})
  const model = mirror.read()
  mirror.destroy()
  return model
}
