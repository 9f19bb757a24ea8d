/** Who else is here, what they have selected, and where their pointers are. */
import { type ReadonlySignal, signal } from '@preact/signals'
import type { Awareness } from 'y-protocols/awareness'
import { asPerson, person, type Person } from './person.ts'
import { isAi, type LiveRun, runsIn } from './runs.ts'

/** At most 20 positions a second. */
const POINTER_EVERY_MS = 50
/** A pointer that rests this long is not shown. */
const POINTER_IDLE_MS = 10_000
/** Pointers farther out than any map are not believed. */
const FAR = 1e7

/**
 * A place on the map. Fonts differ between machines, so it is told relative to a card too: `node`, and the distance
 * from its middle.
 */
export interface Pointer {
  readonly x: number
  readonly y: number
  readonly node: string | null
  readonly dx: number
  readonly dy: number
}

export interface Other extends Person {
  readonly id: number
  readonly selected: string | null
  /** The node whose title they type into, and where: a relative position as JSON. */
  readonly editing: { readonly node: string, readonly caret: unknown } | null
  readonly cursor: Pointer | null
  /** The node that they drag; it is where their pointer is. */
  readonly drag: string | null
}

export class Presence {
  private readonly found = signal<readonly Other[]>([])
  readonly others: ReadonlySignal<readonly Other[]> = this.found
  private readonly heard = signal<readonly LiveRun[]>([])
  /** What the AI is doing in this map. */
  readonly runs: ReadonlySignal<readonly LiveRun[]> = this.heard
  private pointer: Pointer | null = null
  private sendTimer: ReturnType<typeof setTimeout> | undefined
  private idleTimer: ReturnType<typeof setTimeout> | undefined
  private sentAt = 0
  private frame = 0
  private readonly stopPerson: () => void

  constructor (private readonly awareness: Awareness) {
    awareness.setLocalState({ user: person.value, selected: null, editing: null, cursor: null, drag: null })
    this.stopPerson = person.subscribe(user => awareness.setLocalStateField('user', user))
    awareness.on('change', this.readSoon)
  }

  destroy (): void {
    clearTimeout(this.sendTimer)
    clearTimeout(this.idleTimer)
    this.stopPerson()
    cancelAnimationFrame(this.frame)
    this.awareness.off('change', this.readSoon)
  }

  select (node: string | null): void {
    if (this.awareness.getLocalState()?.['selected'] !== node) this.awareness.setLocalStateField('selected', node)
  }

  edit (editing: Other['editing']): void {
    if (JSON.stringify(this.awareness.getLocalState()?.['editing']) !== JSON.stringify(editing)) {
      this.awareness.setLocalStateField('editing', editing)
    }
  }

  drag (node: string | null): void {
    this.awareness.setLocalStateField('drag', node)
  }

  /** The own pointer moved, or left (null). */
  point (pointer: Pointer | null): void {
    this.pointer = pointer
    clearTimeout(this.idleTimer)
    if (pointer !== null) this.idleTimer = setTimeout(() => this.point(null), POINTER_IDLE_MS)
    if (this.sendTimer !== undefined) return
    const wait_ms = Math.max(0, this.sentAt + POINTER_EVERY_MS - performance.now())
    this.sendTimer = setTimeout(() => {
      this.sendTimer = undefined
      this.sentAt = performance.now()
      if (this.awareness.getLocalState()?.['cursor'] !== this.pointer) this.awareness.setLocalStateField('cursor', this.pointer)
    }, wait_ms)
  }

  /** Many pointers move many times between two frames. */
  private readonly readSoon = (): void => {
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.read())
  }

  private read (): void {
    this.frame = 0
    const others: Other[] = []
    for (const [id, state] of this.awareness.getStates()) {
      const other = id === this.awareness.clientID ? null : asOther(id, state)
      if (other !== null) others.push(other)
    }
    this.found.value = others.sort((a, b) => a.id - b.id)
    const runs = runsIn(this.awareness.getStates().values())
    // Pointers move much more often than runs go on.
    if (JSON.stringify(runs) !== JSON.stringify(this.heard.value)) this.heard.value = runs
  }
}

/** Others are programs of any kind: whatever does not fit counts as absent. */
const asOther = (id: number, state: Record<string, unknown>): Other | null => {
  const user = isAi(state) ? null : asPerson(state['user'])
  if (user === null) return null
  const { selected, editing, cursor, drag } = state
  return {
    id,
    ...user,
    selected: textOrNull(selected),
    editing: asEditing(editing),
    cursor: asPointer(cursor),
    drag: textOrNull(drag)
  }
}

const textOrNull = (value: unknown): string | null => typeof value === 'string' ? value : null

const asEditing = (value: unknown): Other['editing'] => {
  if (typeof value !== 'object' || value === null) return null
  const { node, caret } = value as Record<string, unknown>
  return typeof node === 'string' ? { node, caret } : null
}

const asPointer = (value: unknown): Pointer | null => {
  if (typeof value !== 'object' || value === null) return null
  const { x, y, node, dx, dy } = value as Record<string, unknown>
  const number = (candidate: unknown): number | null =>
    typeof candidate === 'number' && Math.abs(candidate) < FAR ? candidate : null
  const [px, py] = [number(x), number(y)]
  if (px === null || py === null) return null
  return { x: px, y: py, node: textOrNull(node), dx: number(dx) ?? 0, dy: number(dy) ?? 0 }
}
