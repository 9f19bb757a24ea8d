/** The mouse on the map: select, drag, and tell others where the pointer is. */
import type { Board } from './board.ts'
import { moveTo, stopEditing } from './commands.ts'
import { dropAt } from './drop.ts'
import { type Box, middleOf } from './layout.ts'

/** A press becomes a drag when the pointer has gone this far, in pixels. */
const DRAG_FROM = 5

const nodeAt = (target: EventTarget | null): string | null =>
  target instanceof Element ? target.closest('[data-node]')?.getAttribute('data-node') ?? null : null

const isControl = (target: EventTarget | null): boolean =>
  target instanceof Element && target.closest('button, textarea, input') !== null

/** Listens on the frame; returns a function that stops it. */
export const watchPointer = (board: Board, frame: HTMLElement): (() => void) => {
  let press: { id: string, x: number, y: number, pointer: number } | null = null

  const onDown = (event: PointerEvent) => {
    if (isControl(event.target)) return
    const id = nodeAt(event.target)
    if (board.editing.value !== null && board.editing.value.id !== id) stopEditing(board)
    if (event.button !== 0) return
    // A finger that comes down may be about to move the map: it selects by tapping.
    if (event.pointerType !== 'mouse') return
    if (id === null) return
    board.select(id)
    press = { id, x: event.clientX, y: event.clientY, pointer: event.pointerId }
  }

  const onMove = (event: PointerEvent) => {
    if (board.camera === null) return
    const point = board.camera.toMap(event.clientX, event.clientY)
    if (event.pointerType === 'mouse' && board.past.value === null) board.session.presence.point(pointerOf(board, point))
    if (press === null) return
    const isFar = Math.hypot(event.clientX - press.x, event.clientY - press.y) >= DRAG_FROM
    const { tree } = board.model.value
    if (board.dragging.value === null && (!isFar || press.id === tree.root || !board.isEditable.value)) return
    if (board.dragging.value === null) {
      // From here on the frame gets all of it, also from outside the window.
      frame.setPointerCapture(press.pointer)
      board.session.presence.drag(press.id)
    }
    board.dragging.value = { id: press.id, ...point, drop: dropAt(tree, board.layout.value, press.id, point) }
  }

  const end = (isDrop: boolean) => {
    const { value } = board.dragging
    press = null
    if (value === null) return
    board.dragging.value = null
    board.session.presence.drag(null)
    if (isDrop && value.drop !== null) moveTo(board, value.id, value.drop.spot)
  }

  const onUp = () => end(true)
  const onCancel = () => end(false)
  const onLeave = () => board.session.presence.point(null)
  const onEscape = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || board.dragging.value === null) return
    event.stopPropagation()
    end(false)
  }
  const onClick = (event: MouseEvent) => {
    if (isControl(event.target)) return
    const id = nodeAt(event.target)
    if (board.editing.value !== null && board.editing.value.id === id) return
    board.select(id)
    frame.focus({ preventScroll: true })
  }

  const listeners: Array<[string, EventListener, boolean]> = [
    ['pointerdown', onDown as EventListener, true],
    ['pointermove', onMove as EventListener, false],
    ['pointerup', onUp, false],
    ['pointercancel', onCancel, false],
    ['pointerleave', onLeave, false],
    ['click', onClick as EventListener, false]
  ]
  for (const [name, listener, capture] of listeners) frame.addEventListener(name, listener, capture)
  addEventListener('keydown', onEscape, true)
  return () => {
    for (const [name, listener, capture] of listeners) frame.removeEventListener(name, listener, capture)
    removeEventListener('keydown', onEscape, true)
  }
}

/** A place on the map as it is told to others: where, and how far from the nearest card. */
const pointerOf = (board: Board, point: { x: number, y: number }) => {
  let near: Box | null = null
  let nearest = Infinity
  for (const box of board.drawn.peek().cards) {
    const middle = middleOf(box)
    const distance = Math.hypot(middle.x - point.x, middle.y - point.y)
    if (distance < nearest) [near, nearest] = [box, distance]
  }
  const middle = near === null ? { x: 0, y: 0 } : middleOf(near)
  const whole = (value: number) => Math.round(value * 10) / 10
  return { x: whole(point.x), y: whole(point.y), node: near?.id ?? null, dx: whole(point.x - middle.x), dy: whole(point.y - middle.y) }
}
