/** Where a dragged card would land. */
import type { Spot } from '../../client/src/schema/edits.ts'
import { isInBranch, siblingsUnder, type Tree } from '../../client/src/schema/tree.ts'
import type { Side } from '../../client/src/schema/place.ts'
import { type Box, GAP_X, type Layout, middleOf } from './layout.ts'

/** How near, in map pixels, the pointer must be to a card. */
const REACH = GAP_X
/** The upper and lower share of a card that means "before it" and "after it". */
const EDGE_SHARE = 0.3

export interface Drop {
  readonly spot: Spot
  /** The card that the mark is drawn at, and on which of its sides. */
  readonly target: string
  readonly mark: 'inside' | 'above' | 'below'
}

interface Point {
  readonly x: number
  readonly y: number
}

export const dropAt = (tree: Tree, layout: Layout, dragged: string, point: Point): Drop | null => {
  const target = nearest(tree, layout, dragged, point)
  if (target === null) return null
  const others = (parent: string | null) => siblingsUnder(tree, parent).filter(id => id !== dragged)
  const isRoot = target.id === tree.root
  const side: Side = point.x < middleOf(target).x ? 'left' : 'right'
  const isBeyond = target.side === 'right' ? point.x > target.x + target.w : point.x < target.x
  const share = (point.y - target.y) / target.h
  if (isRoot || isBeyond || (share > EDGE_SHARE && share < 1 - EDGE_SHARE)) {
    const spot = { parent: target.id, at: others(target.id).length }
    return { spot: isRoot ? { ...spot, side } : spot, target: target.id, mark: 'inside' }
  }
  const parent = tree.places.get(target.id)?.parent ?? null
  const isAbove = share <= 0.5
  const at = others(parent).indexOf(target.id) + (isAbove ? 0 : 1)
  const spot = { parent, at, ...(parent !== null && parent === tree.root ? { side: target.side } : {}) }
  return { spot, target: target.id, mark: isAbove ? 'above' : 'below' }
}

/** The nearest card within reach that is not part of the dragged branch. */
const nearest = (tree: Tree, layout: Layout, dragged: string, point: Point): Box | null => {
  let best: Box | null = null
  let bestDistance = REACH
  for (const box of layout.boxes.values()) {
    const dx = Math.max(box.x - point.x, 0, point.x - box.x - box.w)
    const dy = Math.max(box.y - point.y, 0, point.y - box.y - box.h)
    const distance = Math.hypot(dx, dy)
    if (distance < bestDistance && !isInBranch(tree, dragged, box.id)) [best, bestDistance] = [box, distance]
  }
  return best
}
