/**
 * A tidy layout: the root in the middle, its branches to both sides, each branch in a block of its own, so that no two
 * cards ever overlap. It follows from the map alone: everybody who has the map open sees the same.
 */
import { type Side, sideOf } from '../../client/src/schema/place.ts'
import type { NodeData } from '../../client/src/schema/schema.ts'
import type { Tree } from '../../client/src/schema/tree.ts'

export interface Size {
  readonly w: number
  readonly h: number
}

/** A card's place in map coordinates; `x` and `y` are its upper left corner. The root's middle is the origin. */
export interface Box extends Size {
  readonly id: string
  readonly x: number
  readonly y: number
  readonly side: Side
  readonly depth: number
  /** The parent that a curve leads to. */
  readonly parent: string | null
  /** How many nodes are hidden under it because it is collapsed. */
  readonly hidden: number
}

export interface Bounds {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

export interface Layout {
  readonly boxes: ReadonlyMap<string, Box>
  readonly bounds: Bounds
}

/** Pixels between a parent and its children. */
export const GAP_X = 56
/** Pixels between neighbours of one parent, and between those of different branches of the root. */
const GAP_Y = 12
const BRANCH_GAP_Y = 26
/** Pixels between the root's tree and the floating topics, and between those. */
const TOPIC_GAP_Y = 72

export const middleOf = (box: Box): { x: number, y: number } => ({ x: box.x + box.w / 2, y: box.y + box.h / 2 })

/** The point of a card that does not move when its text grows: the middle of the edge towards its parent. */
export const grip = (box: Box): { x: number, y: number } => ({
  x: box.depth === 0 && box.parent === null ? box.x + box.w / 2 : box.side === 'right' ? box.x : box.x + box.w,
  y: box.y + box.h / 2
})

type Sizes = (id: string) => Size

interface Plan {
  readonly tree: Tree
  readonly size: Sizes
  /** The children that are shown. */
  readonly shown: ReadonlyMap<string, readonly string[]>
  readonly hidden: ReadonlyMap<string, number>
  /** The height of the block that a branch takes. */
  readonly blocks: ReadonlyMap<string, number>
}

export const layOut = (tree: Tree, nodes: ReadonlyMap<string, NodeData>, size: Sizes): Layout => {
  const boxes = new Map<string, Box>()
  if (tree.root === null) return { boxes, bounds: boundsOf(boxes) }
  const plan = makePlan(tree, nodes, size)
  placeRoot(plan, tree.root, nodes, boxes)
  let top = boundsOf(boxes).bottom + TOPIC_GAP_Y
  const left = boxes.get(tree.root)?.x ?? 0
  for (const topic of tree.topics) {
    const block = plan.blocks.get(topic) ?? 0
    placeBranch(plan, { id: topic, edge: left, top, side: 'right' }, boxes)
    top += block + TOPIC_GAP_Y
  }
  return { boxes, bounds: boundsOf(boxes) }
}

const gapBelow = (plan: Plan, parent: string): number => parent === plan.tree.root ? BRANCH_GAP_Y : GAP_Y

const makePlan = (tree: Tree, nodes: ReadonlyMap<string, NodeData>, size: Sizes): Plan => {
  const shown = new Map<string, readonly string[]>()
  const hidden = new Map<string, number>()
  const blocks = new Map<string, number>()
  const counts = new Map<string, number>()
  const plan = { tree, size, shown, hidden, blocks }
  // Children come after their parents in preorder, so backwards every child is done before its parent.
  for (let at = tree.preorder.length - 1; at >= 0; at--) {
    const id = tree.preorder[at] as string
    const children = tree.places.get(id)?.children ?? []
    const count = children.reduce((sum, child) => sum + (counts.get(child) ?? 0) + 1, 0)
    counts.set(id, count)
    // The root stays open: a map that shows one card looks lost.
    const isClosed = nodes.get(id)?.collapsed === true && id !== tree.root
    shown.set(id, isClosed ? [] : children)
    hidden.set(id, isClosed ? count : 0)
    blocks.set(id, Math.max(size(id).h, heightOf(plan, isClosed ? [] : children, gapBelow(plan, id))))
  }
  return plan
}

const heightOf = (plan: Plan, ids: readonly string[], gap: number): number =>
  ids.reduce((sum, id) => sum + (plan.blocks.get(id) ?? 0) + gap, ids.length === 0 ? 0 : -gap)

const placeRoot = (plan: Plan, root: string, nodes: ReadonlyMap<string, NodeData>, boxes: Map<string, Box>): void => {
  const { w, h } = plan.size(root)
  boxes.set(root, { id: root, x: -w / 2, y: -h / 2, w, h, side: 'right', depth: 0, parent: null, hidden: 0 })
  for (const side of ['left', 'right'] as const) {
    const children = (plan.shown.get(root) ?? []).filter(id => sideOf(nodes.get(id)?.order ?? '') === side)
    let top = -heightOf(plan, children, BRANCH_GAP_Y) / 2
    const edge = side === 'right' ? w / 2 + GAP_X : -w / 2 - GAP_X
    for (const id of children) {
      placeBranch(plan, { id, edge, top, side }, boxes)
      top += (plan.blocks.get(id) ?? 0) + BRANCH_GAP_Y
    }
  }
}

/** A branch whose card begins at `edge` and whose block begins at `top`. */
interface Start {
  readonly id: string
  readonly edge: number
  readonly top: number
  readonly side: Side
}

/** Places a branch without recursion: branches may be thousands of nodes deep. */
const placeBranch = (plan: Plan, start: Start, boxes: Map<string, Box>): void => {
  const stack = [start]
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { id, edge, top, side } = next
    const { w, h } = plan.size(id)
    const block = plan.blocks.get(id) ?? h
    const children = plan.shown.get(id) ?? []
    const gap = gapBelow(plan, id)
    let childTop = top + (block - heightOf(plan, children, gap)) / 2
    const outer = side === 'right' ? edge + w + GAP_X : edge - w - GAP_X
    const first = childTop
    for (const child of children) {
      stack.push({ id: child, edge: outer, top: childTop, side })
      childTop += (plan.blocks.get(child) ?? 0) + gap
    }
    const y = cardTop(plan, children, { first, end: childTop - gap, top, block, h })
    const place = plan.tree.places.get(id)
    boxes.set(id, {
      id,
      x: side === 'right' ? edge : edge - w,
      y,
      w,
      h,
      side,
      depth: place?.depth ?? 0,
      parent: place?.parent ?? null,
      hidden: plan.hidden.get(id) ?? 0
    })
  }
}

/** A card is level with the middle of its first and last child's blocks, as far as its own block allows. */
const cardTop = (
  plan: Plan, children: readonly string[],
  { first, end, top, block, h }: { first: number, end: number, top: number, block: number, h: number }
): number => {
  const half = (id: string | undefined) => (id === undefined ? 0 : plan.blocks.get(id) ?? 0) / 2
  const middle = children.length === 0
    ? top + block / 2
    : (first + half(children[0]) + end - half(children.at(-1))) / 2
  return Math.min(Math.max(middle - h / 2, top), top + block - h)
}

export const boundsOf = (boxes: ReadonlyMap<string, Box>): Bounds => {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const box of boxes.values()) {
    left = Math.min(left, box.x)
    top = Math.min(top, box.y)
    right = Math.max(right, box.x + box.w)
    bottom = Math.max(bottom, box.y + box.h)
  }
  return boxes.size === 0 ? { left: 0, top: 0, right: 0, bottom: 0 } : { left, top, right, bottom }
}
