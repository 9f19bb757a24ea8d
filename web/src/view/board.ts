/**
 * One open map on the screen. Data flows one way: the document changes, at the next frame the mirror reads it, it is
 * laid out, and what is in sight is drawn. Commands (`commands.ts`) change the document or the selection and nothing else.
 */
import { batch, computed, effect, type ReadonlySignal, signal } from '@preact/signals'
import * as Y from 'yjs'
import type { Other } from '../live/presence.ts'
import type { Session } from '../live/session.ts'
import { colorsOf } from '../model/color.ts'
import { Local } from '../../client/src/schema/edits.ts'
import { type MapModel, Mirror } from '../../client/src/schema/mirror.ts'
import type { Tree } from '../../client/src/schema/tree.ts'
import { Camera } from './camera.ts'
import type { Drop } from './drop.ts'
import { Folds } from './folds.ts'
import { Growth } from './growth.ts'
import { History } from './history.ts'
import { type Holders, holdersOf } from './holders.ts'
import { type Bounds, type Box, grip, type Layout, layOut } from './layout.ts'
import { Measure } from './measure.ts'
import { drawnOf, type Drawn, roomAround, reaches } from './sight.ts'
import { Tween } from './tween.ts'

/** Edits of one kind that follow each other within this time are undone together. */
const UNDO_TOGETHER_MS = 600
/** How long it is shown to somebody who tries to edit that they may not. */
const HINT_FOR_MS = 6000

const NOBODY: readonly Other[] = []

export interface Editing {
  readonly id: string
  /** Typed already: replaces the title. */
  readonly initial: string | null
  /** Made just now: goes away again when it is left without a title. */
  readonly isNew: boolean
  /** The title before. */
  readonly before: string
}

export interface Dragging {
  readonly id: string
  /** The pointer, in map coordinates. */
  readonly x: number
  readonly y: number
  readonly drop: Drop | null
}

export interface Question {
  readonly title: string
  readonly text: string
  readonly action: string
  readonly onYes: () => void
  /** Nothing is lost by a yes. */
  readonly isSafe?: boolean
}

export class Board {
  readonly model: ReadonlySignal<MapModel>
  readonly layout = signal<Layout>({ boxes: new Map(), bounds: { left: 0, top: 0, right: 0, bottom: 0 } })
  readonly boxes = signal<ReadonlyMap<string, Box>>(new Map())
  readonly sight = signal<Bounds>({ left: 0, top: 0, right: 0, bottom: 0 })
  readonly scale = signal(1)
  readonly selected = signal<string | null>(null)
  readonly editing = signal<Editing | null>(null)
  readonly dragging = signal<Dragging | null>(null)
  readonly isPanelOpen = signal(false)
  readonly isHelpOpen = signal(false)
  readonly question = signal<Question | null>(null)
  readonly history = new History(this)
  readonly growth: Growth
  /** How the map was, when that is shown instead of how it is. */
  readonly past = signal<MapModel | null>(null)
  readonly isEditable: ReadonlySignal<boolean>
  /** Nothing of this map can be edited by this person; they open and close branches for themselves. */
  readonly isReadOnly: ReadonlySignal<boolean>
  readonly folds = new Folds()
  /** Whether it is being said that this person may only read. */
  readonly isHinting = signal(false)
  /** For screen readers: what just happened. */
  readonly news = signal('')
  readonly undo: Y.UndoManager
  readonly colors: ReadonlySignal<ReadonlyMap<string, string>>
  readonly drawn: ReadonlySignal<Drawn>
  readonly others: ReadonlySignal<readonly Other[]>
  readonly holders: ReadonlySignal<Holders>
  /** Each node's place among its siblings, from 1, and how many they are. */
  readonly ranks: ReadonlySignal<ReadonlyMap<string, readonly [position: number, of: number]>>
  camera: Camera | null = null
  /** The card under the pointer: it stays there when others change the map. */
  hovered: string | null = null
  /** What stays in place while a command of this page changes the map: what the change hangs on, not what it moves. */
  held: string | null = null

  private readonly mirror: Mirror
  private readonly seen = signal<MapModel>({ topic: '', language: null, nodes: new Map(), edges: [], tree: { root: null, topics: [], places: new Map(), preorder: [] } })
  private readonly tween = new Tween(boxes => { this.boxes.value = boxes })
  private measure: Measure | null = null
  private frame = 0
  private hasFitted = false
  private hasHinted = false
  private hintTimer: ReturnType<typeof setTimeout> | undefined
  /** What was selected before the look at how the map was. */
  private selectedBefore: string | null = null
  private readonly stops: Array<() => void>

  constructor (readonly session: Session) {
    this.model = this.seen
    this.isEditable = computed(() => session.isEditable.value && this.past.value === null)
    this.isReadOnly = computed(() => session.rights.isReadOnly.value && this.past.value === null)
    // Where others are on the map as it is says nothing on the map as it was.
    this.others = computed(() => this.past.value === null ? session.presence.others.value : NOBODY)
    this.mirror = new Mirror(session.doc, () => { if (this.past.value === null) this.refreshSoon() })
    const { meta, nodes, edges } = this.mirror.roots
    this.undo = new Y.UndoManager([meta, nodes, edges], { trackedOrigins: new Set([Local]), captureTimeout: UNDO_TOGETHER_MS })
    this.colors = computed(() => colorsOf(this.seen.value.tree, this.seen.value.nodes))
    this.ranks = computed(() => ranksOf(this.seen.value.tree))
    let holders: Holders = new Map()
    this.holders = computed(() => { holders = holdersOf(this.others.value, holders); return holders })
    this.drawn = computed(() => drawnOf(this.boxes.value, this.seen.value, this.sight.value, this.selected.value))
    this.stops = [
      effect(() => { if (!this.isEditable.value) this.editing.value = null }),
      effect(() => { if (this.editing.value === null) session.presence.edit(null) }),
      session.rights.isReadOnly.subscribe(() => this.foldAsAll())
    ]
    this.growth = new Growth(this)
    this.refresh()
  }

  /** The page is there to draw on. */
  attach (frame: HTMLElement, layer: HTMLElement, room: HTMLElement): void {
    this.measure = new Measure(room)
    this.camera = new Camera(frame, layer, () => this.look(), () => this.resized())
    this.refresh()
  }

  destroy (): void {
    cancelAnimationFrame(this.frame)
    clearTimeout(this.hintTimer)
    this.tween.stop()
    for (const stop of this.stops) stop()
    this.camera?.destroy()
    this.growth.destroy()
    this.undo.destroy()
    this.mirror.destroy()
  }

  /** At the next frame, however many edits come until then. */
  refreshSoon (): void {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.refresh())
  }

  /** What has changed is read now: a command must not decide by what was true a frame ago. */
  catchUp (): void {
    if (this.frame !== 0) this.refresh()
  }

  refresh (): void {
    cancelAnimationFrame(this.frame)
    this.frame = 0
    const model = this.past.value ?? this.folds.over(this.mirror.read())
    batch(() => {
      this.seen.value = model
      if (this.editing.value !== null && !model.nodes.has(this.editing.value.id)) this.editing.value = null
      if (this.selected.value !== null && !model.nodes.has(this.selected.value)) this.selectInstead(this.selected.value)
      if (this.measure !== null) this.arrange(layOut(model.tree, model.nodes, this.measure.sizes(model, this.editing.value?.id ?? null)))
    })
  }

  select (id: string | null): void {
    if (this.selected.value === id) return
    this.selected.value = id
    if (this.past.value === null) this.session.presence.select(id)
  }

  selectAndReveal (id: string | null): void {
    this.select(id)
    const box = id === null ? undefined : this.layout.value.boxes.get(id)
    if (box !== undefined) this.camera?.reveal(box)
  }

  /**
   * Shows how the map was; null shows how it is again. The map goes on meanwhile, but nothing of it is drawn, nothing
   * can be edited, and others do not see what is looked at.
   */
  show (past: MapModel | null): void {
    if (this.past.value === null) this.selectedBefore = this.selected.value
    batch(() => {
      this.past.value = past
      if (past === null) this.selected.value = this.selectedBefore
      this.refresh()
      this.session.presence.point(null)
      this.session.presence.select(past === null ? this.selected.value : null)
    })
    if (![...this.layout.value.boxes.values()].some(box => this.isInView(box))) this.fit()
  }

  /** Somebody tries to edit. Who may only read is told so, once. */
  deny (): void {
    if (!this.isReadOnly.value || this.hasHinted) return
    this.hasHinted = this.isHinting.value = true
    this.hintTimer = setTimeout(() => { this.isHinting.value = false }, HINT_FOR_MS)
  }

  fit (): void {
    this.camera?.fit(this.layout.value.bounds, false)
  }

  /** Rights have changed: what is open is again what the map says. */
  private foldAsAll (): void {
    this.folds.clear()
    this.refreshSoon()
  }

  /** The selected node is gone: its parent, or what is nearest above it, is what people were looking at. */
  private selectInstead (gone: string): void {
    if (this.past.value !== null) return this.select(null)
    const next = this.layout.value.boxes.get(gone)?.parent ?? null
    this.select(next !== null && this.seen.value.nodes.has(next) ? next : this.seen.value.tree.root)
  }

  private arrange (layout: Layout): void {
    const before = this.layout.value
    this.layout.value = layout
    this.leaveHidden(layout)
    const shift = this.hasFitted ? this.keepAnchor(before, layout) : { x: 0, y: 0 }
    if (!this.hasFitted && layout.boxes.size > 0) {
      this.hasFitted = true
      this.camera?.fit(layout.bounds, true)
    }
    const isWatched = this.growth.isFresh.value && this.hovered === null && this.selected.value === null
    if (isWatched) this.camera?.widen(layout.bounds)
    this.tween.go(this.boxes.value, layout.boxes, shift, this.sight.value)
  }

  /** The card that somebody here works with stays where it is on the screen, whatever others do around it. */
  private keepAnchor (before: Layout, after: Layout): { x: number, y: number } {
    const none = { x: 0, y: 0 }
    if (this.camera === null || this.camera.isHeld) return none
    const candidates = [this.held, this.editing.value?.id, this.hovered, this.selected.value]
    const anchor = candidates.find(id => id != null && before.boxes.has(id) && after.boxes.has(id) && this.isInView(before.boxes.get(id)))
    const [from, to] = [before.boxes.get(anchor ?? ''), after.boxes.get(anchor ?? '')]
    if (from === undefined || to === undefined) return none
    const [a, b] = [grip(from), grip(to)]
    const shift = { x: b.x - a.x, y: b.y - a.y }
    if (shift.x !== 0 || shift.y !== 0) this.camera.follow(shift.x, shift.y)
    return shift
  }

  /** Somebody has closed the branch: what is selected or being typed into is out of sight now. */
  private leaveHidden ({ boxes }: Layout): void {
    if (this.editing.value !== null && !boxes.has(this.editing.value.id)) this.editing.value = null
    let shown = this.selected.value
    while (shown !== null && !boxes.has(shown)) shown = this.seen.value.tree.places.get(shown)?.parent ?? null
    this.select(shown)
  }

  private resized (): void {
    this.look()
    // On a phone the keyboard takes half of the screen, perhaps the half with the title in it.
    const box = this.layout.value.boxes.get(this.editing.value?.id ?? '')
    if (box !== undefined) this.camera?.reveal(box)
  }

  private isInView (box: Box | undefined): boolean {
    const view = this.camera?.view()
    return box !== undefined && view !== undefined && reaches(box, view)
  }

  /** The camera has moved. What is drawn changes only when it leaves the room around what was drawn. */
  private look (): void {
    if (this.camera === null) return
    const room = roomAround(this.camera.view(), this.sight.value)
    batch(() => {
      if (room !== null) this.sight.value = room
      this.scale.value = this.camera?.scale ?? 1
    })
  }
}

const ranksOf = (tree: Tree): ReadonlyMap<string, readonly [position: number, of: number]> => {
  const lists = [tree.topics, ...[...tree.places.values()].map(place => place.children)]
  return new Map(lists.flatMap(ids => ids.map((id, at) => [id, [at + 1, ids.length] as const])))
}
