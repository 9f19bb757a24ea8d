/** What part of the map is on the screen: d3-zoom on the frame, its transform on the layer. */
import { select, type Selection } from 'd3-selection'
import { zoom, type ZoomBehavior, zoomIdentity, type ZoomTransform, zoomTransform } from 'd3-zoom'
import type { Bounds, Box } from './layout.ts'
import { calm } from './tween.ts'

const SCALE_MIN = 0.01
const SCALE_MAX = 3
/** A map that is just opened is not shown smaller or larger than this; it may then reach beyond the frame. */
const FIRST_SCALE_MIN = 0.45
const FIRST_SCALE_MAX = 1.1
/** Pixels kept free around what is fitted or brought into view: the bars lie over the edges of the frame. */
const MARGIN = { x: 40, top: 80, bottom: 100 }
const GLIDE_MS = 160
/** How much room a growing map is given on each side, as a share of its size. */
const ROOM_SHARE = 0.2

export class Camera {
  private readonly frame: Selection<HTMLElement, unknown, null, undefined>
  private readonly behaviour: ZoomBehavior<HTMLElement, unknown>
  private gliding = 0
  /** A hand is on the map: it moves with that and with nothing else. */
  isHeld = false
  /** Nobody has moved the map by hand so far. */
  private isUntouched = true

  private readonly resizes: ResizeObserver

  constructor (
    private readonly element: HTMLElement, private readonly layer: HTMLElement,
    private readonly onMove: () => void, onResize: () => void
  ) {
    this.behaviour = zoom<HTMLElement, unknown>()
      .scaleExtent([SCALE_MIN, SCALE_MAX])
      .filter(isForCamera)
      .clickDistance(4)
      .on('start', ({ sourceEvent }: { sourceEvent?: unknown }) => {
        this.isHeld = true
        if (sourceEvent != null) this.touch()
      })
      .on('end', () => { this.isHeld = false })
      .on('zoom', ({ transform }: { transform: ZoomTransform }) => this.show(transform))
    this.frame = select(element)
    this.frame.call(this.behaviour).on('dblclick.zoom', null)
    element.addEventListener('wheel', this.pan, { passive: false })
    this.show(zoomTransform(element))
    this.resizes = new ResizeObserver(onResize)
    this.resizes.observe(element)
  }

  destroy (): void {
    cancelAnimationFrame(this.gliding)
    this.resizes.disconnect()
    this.frame.on('.zoom', null)
    this.element.removeEventListener('wheel', this.pan)
  }

  get scale (): number {
    return zoomTransform(this.element).k
  }

  toMap (clientX: number, clientY: number): { x: number, y: number } {
    const { left, top } = this.element.getBoundingClientRect()
    const [x, y] = zoomTransform(this.element).invert([clientX - left, clientY - top])
    return { x, y }
  }

  /** The part of the map that the frame shows. */
  view (): Bounds {
    const { clientWidth, clientHeight } = this.element
    const [left, top] = zoomTransform(this.element).invert([0, 0])
    const [right, bottom] = zoomTransform(this.element).invert([clientWidth, clientHeight])
    return { left, top, right, bottom }
  }

  /** Moves along with something that moved on the map, so that it stays where it is on the screen. */
  follow (dx: number, dy: number): void {
    const { k, x, y } = zoomTransform(this.element)
    this.set(zoomIdentity.translate(x - dx * k, y - dy * k).scale(k))
  }

  zoomBy (factor: number): void {
    this.touch()
    this.behaviour.scaleBy(this.frame, factor)
  }

  /** Shows all of it, or, when the map is just opened and too large for that, its middle. */
  fit (bounds: Bounds, isFirst: boolean): void {
    const { clientHeight } = this.element
    const { freeWidth } = this
    const [width, height] = [bounds.right - bounds.left || 1, bounds.bottom - bounds.top || 1]
    const whole = Math.min((freeWidth - 2 * MARGIN.x) / width, (clientHeight - MARGIN.top - MARGIN.bottom) / height)
    const k = Math.min(Math.max(whole, isFirst ? FIRST_SCALE_MIN : SCALE_MIN), FIRST_SCALE_MAX)
    const middle = k > whole ? { x: 0, y: 0 } : { x: (bounds.left + bounds.right) / 2, y: (bounds.top + bounds.bottom) / 2 }
    const y = (clientHeight + MARGIN.top - MARGIN.bottom) / 2
    this.set(zoomIdentity.translate(freeWidth / 2, y).scale(k).translate(-middle.x, -middle.y))
  }

  /** Makes room for a new map that outgrows the frame, in few and gentle steps, until somebody moves it by hand. */
  widen (bounds: Bounds): void {
    const { left, top, right, bottom } = this.view()
    const isInView = bounds.left >= left && bounds.right <= right && bounds.top >= top && bounds.bottom <= bottom
    if (!this.isUntouched || isInView) return
    const [x, y] = [(bounds.right - bounds.left) * ROOM_SHARE, (bounds.bottom - bounds.top) * ROOM_SHARE]
    this.layer.classList.add('gliding')
    this.fit({ left: bounds.left - x, top: bounds.top - y, right: bounds.right + x, bottom: bounds.bottom + y }, true)
  }

  /** Moves just as far as needed to have a card in the frame. */
  reveal (box: Box): void {
    const { k, x, y } = zoomTransform(this.element)
    const { clientHeight } = this.element
    const dx = push(box.x * k + x, (box.x + box.w) * k + x, MARGIN.x, this.freeWidth - MARGIN.x)
    const dy = push(box.y * k + y, (box.y + box.h) * k + y, MARGIN.top, clientHeight - MARGIN.bottom)
    if (dx !== 0 || dy !== 0) this.glide(dx, dy)
  }

  /** A panel at the side lies over the map; on a phone it lies at the bottom, as wide as the map. */
  private get freeWidth (): number {
    const left = document.querySelector('.details')?.getBoundingClientRect().left ?? 0
    return left > 0 ? left : this.element.clientWidth
  }

  private glide (dx: number, dy: number): void {
    cancelAnimationFrame(this.gliding)
    const begin = performance.now()
    let done = 0
    const step = () => {
      const share = calm() ? 1 : Math.min((performance.now() - begin) / GLIDE_MS, 1)
      const { k, x, y } = zoomTransform(this.element)
      this.set(zoomIdentity.translate(x + dx * (share - done), y + dy * (share - done)).scale(k))
      done = share
      if (share < 1 && !this.isHeld) this.gliding = requestAnimationFrame(step)
    }
    step()
  }

  private touch (): void {
    this.isUntouched = false
    this.layer.classList.remove('gliding')
  }

  private set (transform: ZoomTransform): void {
    const held = this.isHeld
    this.behaviour.transform(this.frame, transform)
    this.isHeld = held
  }

  private show ({ k, x, y }: ZoomTransform): void {
    this.layer.style.transform = `translate(${x}px, ${y}px) scale(${k})`
    this.onMove()
  }

  /** A wheel moves the map; with Ctrl, which is also what pinching a touchpad reports, d3 zooms. */
  private readonly pan = (event: WheelEvent): void => {
    if (event.ctrlKey || event.metaKey || isOverControl(event)) return
    event.preventDefault()
    this.touch()
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1
    const [dx, dy] = event.shiftKey && event.deltaX === 0 ? [event.deltaY, 0] : [event.deltaX, event.deltaY]
    const { k, x, y } = zoomTransform(this.element)
    this.set(zoomIdentity.translate(x - dx * unit, y - dy * unit).scale(k))
  }
}

const isOverControl = (event: Event): boolean =>
  event.target instanceof Element && event.target.closest('textarea, input, button, .panel') !== null

/** With a mouse, cards are dragged rather than the map. Fingers always move the map. */
const isForCamera = (event: MouseEvent | TouchEvent | WheelEvent): boolean => {
  if (isOverControl(event)) return false
  if (event instanceof WheelEvent) return event.ctrlKey || event.metaKey
  if (!(event instanceof MouseEvent)) return true
  const isOnCard = event.target instanceof Element && event.target.closest('.card') !== null
  return event.button === 1 || (event.button === 0 && !isOnCard)
}

/** How far a range must be pushed to lie within another; when it does not fit, its beginning counts. */
const push = (from: number, to: number, low: number, high: number): number => {
  if (from < low || to - from > high - low) return low - from
  return to > high ? high - to : 0
}
