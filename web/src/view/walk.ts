/** Where the arrow keys lead: by what one sees, not by the order in which the map is stored. */
import { siblingsUnder, type Tree } from '../../client/src/schema/tree.ts'
import type { Side } from '../../client/src/schema/place.ts'
import type { Spot } from '../../client/src/schema/edits.ts'
import { type Box, type Layout, middleOf } from './layout.ts'

export type Direction = 'up' | 'down' | 'left' | 'right'

export const walk = (tree: Tree, layout: Layout, from: string | null, direction: Direction): string | null => {
  const box = from === null ? undefined : layout.boxes.get(from)
  if (box === undefined) return tree.root
  if (direction === 'up' || direction === 'down') return neighbour(layout, box, direction)
  const isOutwards = box.id === tree.root || direction === box.side
  return isOutwards ? nearestChild(layout, tree, box, direction) : box.parent
}

/** The child on that side that is most level with its parent. */
const nearestChild = (layout: Layout, tree: Tree, box: Box, side: Side): string | null => {
  const y = middleOf(box).y
  const distance = (child: Box) => Math.abs(middleOf(child).y - y)
  const children = siblingsUnder(tree, box.id)
    .flatMap(id => layout.boxes.get(id) ?? [])
    .filter(child => child.side === side)
  return children.reduce<Box | null>((best, child) => best === null || distance(child) < distance(best) ? child : best, null)?.id ?? null
}

/** The next card above or below: among those of the same depth and side, else the nearest in that direction. */
const neighbour = (layout: Layout, box: Box, direction: 'up' | 'down'): string | null => {
  const sign = direction === 'down' ? 1 : -1
  const from = middleOf(box)
  let best: Box | null = null
  let bestScore = Infinity
  for (const other of layout.boxes.values()) {
    const to = middleOf(other)
    const along = (to.y - from.y) * sign
    if (other.id === box.id || along <= 0) continue
    const isColumn = other.depth === box.depth && other.side === box.side
    const overlap = other.x < box.x + box.w && box.x < other.x + other.w
    if (!isColumn && !overlap) continue
    const score = along + (isColumn ? 0 : 1e6 + Math.abs(to.x - from.x))
    if (score < bestScore) [best, bestScore] = [other, score]
  }
  return best?.id ?? null
}

/**
 * Where Alt with an arrow moves a node: up and down among those it is seen with, towards the root out of its parent
 * (from beside the root to the root's other side), away from the root under the one above it. Null: nowhere.
 */
export const shift = (tree: Tree, layout: Layout, id: string, direction: Direction): Spot | null => {
  const box = layout.boxes.get(id)
  const place = tree.places.get(id)
  if (box === undefined || place === undefined || id === tree.root) return null
  const siblings = siblingsUnder(tree, place.parent)
  const isBranch = place.parent !== null && place.parent === tree.root
  const seen = siblings.filter(sibling => !isBranch || layout.boxes.get(sibling)?.side === box.side)
  const at = seen.indexOf(id)
  const side = isBranch ? { side: box.side } : {}
  // Places count among the siblings without the node itself.
  const others = siblings.filter(sibling => sibling !== id)
  const beside = (sibling: string, after: boolean): Spot =>
    ({ parent: place.parent, at: others.indexOf(sibling) + (after ? 1 : 0), ...side })
  if (direction === 'up' || direction === 'down') {
    const sibling = seen[direction === 'up' ? at - 1 : at + 1]
    return sibling === undefined ? null : beside(sibling, direction === 'down')
  }
  if (direction === box.side) {
    const above = seen[at - 1]
    return above === undefined ? null : { parent: above, at: siblingsUnder(tree, above).length }
  }
  return isBranch ? { parent: tree.root, at: others.length, side: direction } : outwards(tree, layout, place.parent)
}

/** Beside the parent, right behind it. */
const outwards = (tree: Tree, layout: Layout, parent: string | null): Spot | null => {
  const place = parent === null ? undefined : tree.places.get(parent)
  if (place === undefined || parent === null || parent === tree.root) return null
  const side = layout.boxes.get(parent)?.side
  const at = siblingsUnder(tree, place.parent).indexOf(parent) + 1
  return { parent: place.parent, at, ...(place.parent === tree.root && side !== undefined ? { side } : {}) }
}
