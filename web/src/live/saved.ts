/**
 * Knows whether what was changed here is on the server's disk.
 *
 * The server answers a SyncStep1 only after all that came earlier on the same connection is on disk, and it answers in
 * order. So a SyncStep1 that is sent after the changes is a question, and the SyncStep2 that answers it is the proof.
 * An open socket proves nothing.
 */

/** At most one question in this time, so that typing does not become a flood of them. */
export const ASK_EVERY_MS = 300

/** A saving that takes longer than this is worth a word. */
export const SLOW_AFTER_MS = 4000

export type SavedState = 'unknown' | 'saving' | 'slow' | 'saved'

/** What the tracker needs of the world. */
export interface SavedPort {
  /** Sends a SyncStep1 on the open connection; false when there is none. */
  readonly ask: () => boolean
  readonly onState: (state: SavedState) => void
  readonly later: (run: () => void, delay_ms: number) => unknown
  readonly cancel: (timer: never) => void
}

export class Saved {
  state: SavedState = 'unknown'
  /** Counts changes; what a question covers is the count at its time. */
  private changes = 1
  private proven = 0
  /** What each SyncStep1 that is still to be answered covers, in order. The handshake's own covers nothing. */
  private asked: number[] = []
  private isOpen = false
  /** The server has asked for what it lacks, and got it: before that, a question would cover nothing. */
  private hasGiven = false
  private mayAsk = true
  private asking: unknown = null
  private slow: unknown = null

  constructor (private readonly port: SavedPort) {}

  /** The connection is open; the provider sends its own SyncStep1 first. */
  opened (): void {
    this.isOpen = true
    this.hasGiven = false
    this.asked = [0]
    this.update()
  }

  closed (): void {
    this.isOpen = false
    this.asked = []
    this.update()
  }

  /** Something was changed here, or is to be sent that was changed earlier. */
  changed (): void {
    this.changes++
    this.update()
  }

  /** The server asked for what it lacks (SyncStep1); the answer leaves before this task ends. */
  gave (): void {
    this.hasGiven = true
    this.changes++
    this.update()
  }

  /** A SyncStep2 came. */
  answered (): void {
    const covers = this.asked.shift()
    if (covers !== undefined) this.proven = Math.max(this.proven, covers)
    this.update()
  }

  destroy (): void {
    this.closed()
    for (const timer of [this.asking, this.slow]) if (timer !== null) this.port.cancel(timer as never)
    this.asking = this.slow = null
  }

  private get isDirty (): boolean {
    return this.proven < this.changes
  }

  private update (): void {
    const wants = this.isOpen && this.hasGiven && this.isDirty && this.asked.length === 0
    if (wants && this.mayAsk) {
      this.mayAsk = false
      // At the end of this task, behind what the provider is about to send.
      this.asking = this.port.later(() => this.ask(), 0)
    }
    this.show()
  }

  private ask (): void {
    const covers = this.changes
    if (this.isOpen && this.asked.length === 0 && this.port.ask()) this.asked.push(covers)
    this.asking = this.port.later(() => {
      this.asking = null
      this.mayAsk = true
      this.update()
    }, ASK_EVERY_MS)
  }

  private show (): void {
    const pending = this.isDirty && this.isOpen
    if (!pending && this.slow !== null) {
      this.port.cancel(this.slow as never)
      this.slow = null
    }
    if (pending && this.slow === null) this.slow = this.port.later(() => this.set('slow'), SLOW_AFTER_MS)
    if (!this.isOpen) this.set(this.isDirty ? 'unknown' : 'saved')
    else if (!this.isDirty) this.set('saved')
    else if (this.state !== 'slow') this.set('saving')
  }

  private set (state: SavedState): void {
    if (state === this.state) return
    this.state = state
    this.port.onState(state)
  }
}
