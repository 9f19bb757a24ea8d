/** Small moves are shown as moves, so that eyes can follow; large ones are just made. */
import { type Bounds, type Box, grip } from './layout.ts'
import { reaches } from './sight.ts'

const MOVE_MS = 180
/** More cards than this at once would stutter. */
const MOVING_MAX = 300

/** Whether the person asked for less motion. */
export const calm = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches

type Boxes = ReadonlyMap<string, Box>

export class Tween {
  private frame = 0

  constructor (private readonly onStep: (boxes: Boxes) => void) {}

  stop (): void {
    cancelAnimationFrame(this.frame)
  }

  /** Goes from what is drawn to `target`; cards out of sight jump. `shift` is how far the camera went along. */
  go (drawn: Boxes, target: Boxes, shift: { x: number, y: number }, sight: Bounds): void {
    this.stop()
    const from = new Map<string, { x: number, y: number }>()
    for (const box of target.values()) {
      const before = drawn.get(box.id)
      if (before === undefined || !(reaches(before, sight) || reaches(box, sight))) continue
      // A card that only grows stays at its parent's side.
      const [a, b] = [grip(before), grip(box)]
      const [x, y] = [a.x + shift.x - b.x, a.y + shift.y - b.y]
      if (Math.abs(x) > 0.5 || Math.abs(y) > 0.5) from.set(box.id, { x, y })
    }
    if (from.size === 0 || from.size > MOVING_MAX || calm()) return this.onStep(target)
    const begin = performance.now()
    const step = () => {
      const share = Math.min((performance.now() - begin) / MOVE_MS, 1)
      if (share >= 1) return this.onStep(target)
      const left = (1 - share) ** 3
      const boxes = new Map(target)
      for (const [id, { x, y }] of from) {
        const box = target.get(id)
        if (box !== undefined) boxes.set(id, { ...box, x: box.x + x * left, y: box.y + y * left })
      }
      this.onStep(boxes)
      this.frame = requestAnimationFrame(step)
    }
    step()
  }
}
