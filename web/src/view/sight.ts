/** What has to be drawn: cards and curves in sight, and some around it so that a small move draws nothing anew. */
import type { MapModel } from '../../client/src/schema/mirror.ts'
import { type Bounds, type Box, middleOf } from './layout.ts'

/** How much is drawn around the frame, as a share of its size. */
const ROOM_SHARE = 0.5
/** When the frame shows less than this share of what is drawn, it is time to draw less. */
const WASTE_SHARE = 0.12


export interface CrossLink {
  readonly id: string
  readonly path: string
  readonly label: string
  readonly x: number
  readonly y: number
}

export interface Drawn {
  readonly cards: readonly Box[]
  readonly curves: ReadonlyArray<{ readonly id: string, readonly path: string }>
  readonly links: readonly CrossLink[]
}

export const reaches = (box: Bounds | Box, bounds: Bounds): boolean => {
  const edges = 'w' in box ? { left: box.x, top: box.y, right: box.x + box.w, bottom: box.y + box.h } : box
  return edges.left < bounds.right && edges.right > bounds.left && edges.top < bounds.bottom && edges.bottom > bounds.top
}

/** The room to draw for a view, null when what is drawn will do. */
export const roomAround = (view: Bounds, drawn: Bounds): Bounds | null => {
  const [width, height] = [view.right - view.left, view.bottom - view.top]
  const isWithin = view.left >= drawn.left && view.right <= drawn.right && view.top >= drawn.top && view.bottom <= drawn.bottom
  const area = (drawn.right - drawn.left) * (drawn.bottom - drawn.top)
  if (isWithin && width * height > area * WASTE_SHARE) return null
  return {
    left: view.left - width * ROOM_SHARE,
    right: view.right + width * ROOM_SHARE,
    top: view.top - height * ROOM_SHARE,
    bottom: view.bottom + height * ROOM_SHARE
  }
}

/** The selected card is always there, because the keyboard's focus and a screen reader are on it. */
export const drawnOf = (boxes: ReadonlyMap<string, Box>, model: MapModel, sight: Bounds, selected: string | null): Drawn => {
  const cards: Box[] = []
  const curves: Array<{ id: string, path: string }> = []
  for (const box of boxes.values()) {
    if (box.id === selected || reaches(box, sight)) cards.push(box)
    const parent = box.parent === null ? undefined : boxes.get(box.parent)
    if (parent !== undefined && reaches(around(box, parent), sight)) curves.push({ id: box.id, path: curve(parent, box) })
  }
  const links = model.edges.flatMap(edge => {
    const [source, target] = [boxes.get(edge.source), boxes.get(edge.target)]
    if (source === undefined || target === undefined || source === target) return []
    const { x, y } = { x: (middleOf(source).x + middleOf(target).x) / 2, y: (middleOf(source).y + middleOf(target).y) / 2 }
    return reaches(around(source, target), sight) ? [{ id: edge.id, path: straight(source, target), label: edge.relationship, x, y }] : []
  })
  return { cards, curves, links }
}

const around = (a: Box, b: Box): Bounds => ({
  left: Math.min(a.x, b.x),
  top: Math.min(a.y, b.y),
  right: Math.max(a.x + a.w, b.x + b.w),
  bottom: Math.max(a.y + a.h, b.y + b.h)
})

/** From the parent's outer edge (the root's middle) to the child's inner edge. */
const curve = (parent: Box, child: Box): string => {
  const isRight = child.side === 'right'
  const x1 = isRight ? parent.x + parent.w : parent.x
  const x2 = isRight ? child.x : child.x + child.w
  const [y1, y2] = [parent.y + parent.h / 2, child.y + child.h / 2]
  const bend = x1 + (x2 - x1) * 0.55
  return `M${round(x1)} ${round(y1)}C${round(bend)} ${round(y1)} ${round(bend)} ${round(y2)} ${round(x2)} ${round(y2)}`
}

const straight = (a: Box, b: Box): string => {
  const [from, to] = [middleOf(a), middleOf(b)]
  return `M${round(from.x)} ${round(from.y)}L${round(to.x)} ${round(to.y)}`
}

const round = (value: number): number => Math.round(value * 10) / 10
