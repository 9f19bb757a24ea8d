/** What people do to a map. Each is one transaction under an origin of this page, so that undo knows its own. */
import * as Y from 'yjs'
import { newId } from './id.ts'
import { placeAmong, type Side, type Slot } from './place.ts'
import { nodeMap, readNode, readRoot, readTopic, type Roots, rootsOf, SCHEMA, type TextField, textOf } from './schema.ts'
import { branch, derive, isInBranch, siblingsUnder, type Tree } from './tree.ts'

/** The origin of this page's own edits; `UndoManager` recognises it by its class. */
export class Local {}

const local = new Local()

/** Where a node goes: under `parent` (null: a floating topic), at place `at` among the others there. */
export interface Spot {
  readonly parent: string | null
  readonly at: number
  /** For children of the root: the side on which it should appear. */
  readonly side?: Side
}

/** A spot that may leave its place open: then it is the last one. */
export type NewSpot = Omit<Spot, 'at'> & { readonly at?: number }

const outline = (roots: Roots): Tree => {
  const nodes = [...roots.nodes].flatMap(([id, node]) => node instanceof Y.Map ? [readNode(id, node)] : [])
  return derive(nodes, readRoot(roots))
}

const set = (node: Y.Map<unknown>, key: string, value: unknown): void => {
  if (node.get(key) !== value) node.set(key, value)
}

/** Writes the first node of a map that has none. Returns its id, or that of the root that is there meanwhile. */
export const beginMap = (doc: Y.Doc, topic: string, now: Date): string => {
  const roots = rootsOf(doc)
  const root = outline(roots).root
  if (root !== null) return root
  const id = newId()
  doc.transact(() => {
    writeNode(roots, id, topic, null, 'a0')
    set(roots.meta, 'root', id)
    set(roots.meta, 'schema', SCHEMA)
    if (readTopic(roots) === '') roots.meta.set('topic', topic)
    if (!roots.meta.has('created_at')) roots.meta.set('created_at', now.toISOString())
  }, local)
  return id
}

/** What a new node holds; an absent colour follows from the parent's. */
export interface NodeContent {
  readonly title?: string
  readonly summary?: string
  readonly color?: string | null
}

/** Adds a node, as the last child unless `at` says otherwise. Returns its id, null when the parent is gone. */
export const addNode = (doc: Y.Doc, spot: NewSpot, { title = '', summary = '', color = null }: NodeContent = {}): string | null => {
  const roots = rootsOf(doc)
  const tree = outline(roots)
  if (spot.parent !== null && !tree.places.has(spot.parent)) return null
  const id = newId()
  doc.transact(() => {
    nameRoot(roots, tree)
    const slot = makeRoom(roots, tree, spot, null)
    const node = writeNode(roots, id, title, spot.parent, slot.key, summary)
    if (color !== null) node.set('color', color)
    // Who adds something under a closed branch wants to see it.
    if (spot.parent !== null) open(roots, spot.parent)
  }, local)
  return id
}

/** Moves a node with its branch. False when that cannot be: the root stays, and nothing goes under itself. */
export const moveNode = (doc: Y.Doc, id: string, spot: NewSpot): boolean => {
  const roots = rootsOf(doc)
  const tree = outline(roots)
  const node = nodeMap(roots, id)
  if (node === null || id === tree.root) return false
  if (spot.parent !== null && (!tree.places.has(spot.parent) || isInBranch(tree, id, spot.parent))) return false
  doc.transact(() => {
    nameRoot(roots, tree)
    settleCycle(roots, tree, id)
    const slot = makeRoom(roots, tree, spot, id)
    set(node, 'parent', spot.parent)
    set(node, 'order', slot.key)
    if (spot.parent !== null) open(roots, spot.parent)
  }, local)
  return true
}

/** Removes a node with its branch. Cross links that end there are hidden by every reader. The root stays. */
export const removeBranch = (doc: Y.Doc, id: string): boolean => {
  const roots = rootsOf(doc)
  const tree = outline(roots)
  if (id === tree.root || !tree.places.has(id)) return false
  doc.transact(() => {
    nameRoot(roots, tree)
    for (const removed of branch(tree, id)) roots.nodes.delete(removed)
  }, local)
  return true
}

export const setCollapsed = (doc: Y.Doc, id: string, collapsed: boolean): void => {
  const node = nodeMap(rootsOf(doc), id)
  if (node !== null) doc.transact(() => set(node, 'collapsed', collapsed), local)
}

/** Null gives the node the colour that follows from its parent's. */
export const setColor = (doc: Y.Doc, id: string, color: string | null): void => {
  const node = nodeMap(rootsOf(doc), id)
  if (node === null) return
  doc.transact(() => {
    if (color !== null) set(node, 'color', color)
    else if (node.has('color')) node.delete('color')
  }, local)
}

/**
 * The shared text of a node, to type into. A plain string is made one; so is a text that holds more than characters,
 * because there offsets do not follow from what it reads.
 */
export const editableText = (doc: Y.Doc, id: string, field: TextField): Y.Text | null => {
  const node = nodeMap(rootsOf(doc), id)
  if (node === null) return null
  const value = node.get(field)
  if (value instanceof Y.Text && value.length === value.toString().length) return value
  const text = new Y.Text(textOf(value))
  doc.transact(() => node.set(field, text), local)
  return text
}

/** The map is called what its root is called, as long as nobody gave it a name of its own. */
export const followRootTitle = (doc: Y.Doc, before: string): void => {
  const roots = rootsOf(doc)
  const root = outline(roots).root
  const node = root === null ? null : nodeMap(roots, root)
  if (node === null || readTopic(roots) !== before) return
  const title = textOf(node.get('title'))
  if (title !== '') doc.transact(() => set(roots.meta, 'topic', title), local)
}

const writeNode = (roots: Roots, id: string, title: string, parent: string | null, order: string, summary = ''): Y.Map<unknown> => {
  const node = new Y.Map<unknown>()
  // Both texts always exist: two people who made one at the same time would lose what one of them typed.
  node.set('title', new Y.Text(title))
  node.set('summary', new Y.Text(summary))
  node.set('parent', parent)
  node.set('order', order)
  node.set('source', 'human')
  roots.nodes.set(id, node)
  return node
}

const open = (roots: Roots, id: string): void => {
  const node = nodeMap(roots, id)
  if (node?.get('collapsed') === true) node.set('collapsed', false)
}

/** The key of a newcomer at `spot`; siblings that have to make room get new ones. */
const makeRoom = (roots: Roots, tree: Tree, spot: NewSpot, moving: string | null): Slot => {
  const siblings = siblingsUnder(tree, spot.parent).filter(id => id !== moving)
  const orders = siblings.map(id => {
    const order = nodeMap(roots, id)?.get('order')
    return typeof order === 'string' ? order : ''
  })
  const slot = placeAmong(orders, Math.min(spot.at ?? siblings.length, siblings.length), spot.side)
  for (const [at, key] of slot.rekeyed) {
    const sibling = nodeMap(roots, siblings[at] ?? '')
    if (sibling !== null) set(sibling, 'order', key)
  }
  return slot
}

/** Writes down the root that the tree has, so that what is added or moved next does not become it by accident. */
const nameRoot = (roots: Roots, tree: Tree): void => {
  if (tree.root !== null) set(roots.meta, 'root', tree.root)
}

/**
 * Keeps a node in its place that hangs under the root only because of a cycle, when moving `id` opens that cycle:
 * otherwise it would jump under the parent that it still names.
 */
const settleCycle = (roots: Roots, tree: Tree, id: string): void => {
  for (const place of tree.places.values()) {
    if (!place.isOrphan || place.id === id) continue
    const node = nodeMap(roots, place.id)
    const named = node?.get('parent')
    const opens = typeof named === 'string' && named !== place.id && tree.places.has(named) && isInBranch(tree, id, named)
    if (opens) node?.set('parent', tree.root)
  }
}
