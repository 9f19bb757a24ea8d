/**
 * Derives the tree from the parents that the nodes name, the same way everywhere: the server has the same code in Rust
 * (`crdt/src/map/tree.rs`), and both are checked against `crdt/tests/vectors/tree.json`.
 *
 * 1. If `meta.root` names a node, that is the root, and its `parent` is ignored.
 * 2. A node whose parent is null is a topic; one whose parent names no node, or itself, is an orphan.
 * 3. In each cycle of parents, the node with the lowest id (bytewise) becomes an orphan.
 * 4. Without a root so far, it is the lowest topic by (order bytewise, id), else the lowest orphan by the same.
 * 5. Orphans hang under the root. The other topics float: they have no parent.
 *
 * Siblings, and the floating topics, sort by (order bytewise, id).
 */

/** An id, null for a topic, or `false` for something that is no id and so names no node. */
export type ParentLink = string | null | false

export interface TreeInput {
  readonly id: string
  readonly parent: ParentLink
  readonly order: string
}

/** A node's place. `parent` is null for the root and for floating topics. */
export interface Place {
  readonly id: string
  parent: string | null
  readonly children: string[]
  /** Steps up to the root or to the floating topic. */
  depth: number
  /** Hangs under the root only because it has nowhere else to be. */
  isOrphan: boolean
}

export interface Tree {
  /** Null only for a map without nodes. */
  readonly root: string | null
  /** The floating topics, sorted. The root is not among them. */
  readonly topics: readonly string[]
  readonly places: ReadonlyMap<string, Place>
  /** All nodes, each before its children, in sibling order: the root's branch first, then the floating topics. */
  readonly preorder: readonly string[]
}

/** Compares as UTF-8 bytes compare, which is by code point. JavaScript's own order differs beyond U+D800. */
export const compareBytes = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const x = a.charCodeAt(at)
    const y = b.charCodeAt(at)
    if (x !== y) return rank(x) - rank(y)
  }
  return a.length - b.length
}

/** Puts the halves of surrogate pairs, which stand for the highest code points, above all other units. */
const rank = (unit: number): number => unit >= 0xD800 && unit <= 0xDFFF ? unit + 0x10000 : unit

const bySiblingOrder = (a: TreeInput, b: TreeInput): number => compareBytes(a.order, b.order) || compareBytes(a.id, b.id)

/** Where a node goes before the root is known: under a node, or one of these. */
const TOPIC = Symbol('topic')
const ORPHAN = Symbol('orphan')
type Spot = string | typeof TOPIC | typeof ORPHAN

export const derive = (input: readonly TreeInput[], metaRoot: string | null): Tree => {
  const ids = new Set(input.map(node => node.id))
  const named = metaRoot !== null && ids.has(metaRoot) ? metaRoot : null
  const spots = new Map<string, Spot>()
  for (const { id, parent } of input) {
    if (id === named || parent === null) spots.set(id, TOPIC)
    else if (parent === false || parent === id || !ids.has(parent)) spots.set(id, ORPHAN)
    else spots.set(id, parent)
  }
  breakCycles(spots)
  const sorted = [...input].sort(bySiblingOrder).map(node => node.id)
  const lowest = (spot: Spot) => sorted.find(id => spots.get(id) === spot)
  return assemble(named ?? lowest(TOPIC) ?? lowest(ORPHAN) ?? null, sorted, spots)
}

/** Each node has at most one parent, so a walk upwards ends, meets an earlier walk, or closes a new cycle. */
const breakCycles = (spots: Map<string, Spot>): void => {
  const visitedBy = new Map<string, string>()
  for (const start of spots.keys()) {
    let current: Spot | undefined = start
    while (typeof current === 'string' && !visitedBy.has(current)) {
      visitedBy.set(current, start)
      current = spots.get(current)
    }
    if (typeof current === 'string' && visitedBy.get(current) === start) spots.set(lowestOfCycle(spots, current), ORPHAN)
  }
}

const lowestOfCycle = (spots: Map<string, Spot>, onCycle: string): string => {
  let lowest = onCycle
  for (let at = spots.get(onCycle); typeof at === 'string' && at !== onCycle; at = spots.get(at)) {
    if (compareBytes(at, lowest) < 0) lowest = at
  }
  return lowest
}

const assemble = (root: string | null, sorted: readonly string[], spots: Map<string, Spot>): Tree => {
  const places = new Map<string, Place>()
  for (const id of sorted) places.set(id, { id, parent: null, children: [], depth: 0, isOrphan: false })
  const topics: string[] = []
  for (const id of sorted) {
    const place = places.get(id)
    const spot = spots.get(id)
    if (place === undefined || id === root) continue
    place.isOrphan = spot === ORPHAN
    place.parent = typeof spot === 'string' ? spot : spot === ORPHAN ? root : null
    if (place.parent === null) topics.push(id)
    else places.get(place.parent)?.children.push(id)
  }
  return { root, topics, places, preorder: walk(root, topics, places) }
}

/** Walks without recursion, since branches may be any number of nodes deep, and counts depths on its way. */
const walk = (root: string | null, topics: readonly string[], places: ReadonlyMap<string, Place>): string[] => {
  const preorder: string[] = []
  const stack = [...topics].reverse()
  if (root !== null) stack.push(root)
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    const place = places.get(id)
    if (place === undefined) continue
    preorder.push(id)
    if (place.parent !== null) place.depth = (places.get(place.parent)?.depth ?? 0) + 1
    for (let at = place.children.length - 1; at >= 0; at--) stack.push(place.children[at] as string)
  }
  return preorder
}

/** `top` and everything below it, each node before its children. */
export const branch = (tree: Tree, top: string): string[] => {
  const sequence = [top]
  for (let next = 0; next < sequence.length; next++) {
    for (const child of tree.places.get(sequence[next] as string)?.children ?? []) sequence.push(child)
  }
  return sequence
}

/** Whether `top` is `node` or lies above it. */
export const isInBranch = (tree: Tree, top: string, node: string): boolean => {
  for (let at: string | null = node; at !== null; at = tree.places.get(at)?.parent ?? null) {
    if (at === top) return true
  }
  return false
}

/** The children of a parent; of null, the floating topics. */
export const siblingsUnder = (tree: Tree, parent: string | null): readonly string[] =>
  parent === null ? tree.topics : tree.places.get(parent)?.children ?? []
