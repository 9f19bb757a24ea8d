/** What this client shows of itself, and what it forgets of others. */
import { type Awareness, encodeAwarenessUpdate, removeAwarenessStates } from 'y-protocols/awareness'
import { awarenessMessage } from './message.ts'

interface Change {
  readonly added: number[]
  readonly updated: number[]
  readonly removed: number[]
}

export class Presence {
  constructor (readonly awareness: Awareness, private readonly send: (message: Uint8Array) => void) {
    awareness.on('update', this.onUpdate)
  }

  destroy (): void {
    this.awareness.off('update', this.onUpdate)
  }

  get isAlone (): boolean {
    const { states } = this.awareness
    return states.size === 0 || (states.size === 1 && states.has(this.awareness.clientID))
  }

  /** Raises the own clock: on a new connection others believe only what is newer than what they have. */
  renew (): void {
    const state = this.awareness.getLocalState()
    if (state !== null) this.awareness.setLocalState(state)
  }

  /**
   * Tells others that this client goes; null when it did not show itself. Its clock is a newer one, because the server
   * believes somebody who comes with a request of its own only then.
   */
  farewell (): Uint8Array | null {
    const { awareness } = this
    const meta = awareness.meta.get(awareness.clientID)
    if (awareness.getLocalState() === null || meta === undefined) return null
    awareness.meta.set(awareness.clientID, { ...meta, clock: meta.clock + 1 })
    return awarenessMessage(encodeAwarenessUpdate(awareness, [awareness.clientID], new Map()))
  }

  /** Forgets others, clocks included: what they have shown is news again when it comes the next time. */
  forgetOthers (origin: unknown): void {
    const { awareness } = this
    const others = [...awareness.meta.keys()].filter(id => id !== awareness.clientID)
    removeAwarenessStates(awareness, others, origin)
    for (const id of others) awareness.meta.delete(id)
  }

  /** Only what is one's own: the server tells the others of the others. */
  private readonly onUpdate = ({ added, updated, removed }: Change): void => {
    const { awareness } = this
    if (![...added, ...updated, ...removed].includes(awareness.clientID)) return
    this.send(awarenessMessage(encodeAwarenessUpdate(awareness, [awareness.clientID])))
  }
}
