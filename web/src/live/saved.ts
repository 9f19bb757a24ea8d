/**
 * Knows whether what was changed here is on the server's disk.
 *
 * The server counts the edits of a connection (each Update and each SyncStep2) and acknowledges that the first so many
 * are on disk. So does this side, and when the numbers meet, and nothing is left that was not sent, all is saved. An
 * open socket proves nothing, nor does an answer.
 */
import type { SentEdit } from './socket.ts'

/** A saving that takes longer than this is worth a word. */
export const SLOW_AFTER_MS = 4000

/** `refused`: the server has said that it does not take what was changed here. */
export type SavedState = 'unknown' | 'saving' | 'slow' | 'saved' | 'refused'

/** What the tracker needs of the world. */
export interface SavedPort {
  readonly onState: (state: SavedState) => void
  readonly later: (run: () => void, delay_ms: number) => unknown
  readonly cancel: (timer: never) => void
}

export class Saved {
  state: SavedState = 'unknown'
  private isOpen = false
  /** Edits sent on this connection, and how many of them are on disk. */
  private sent = 0
  private acked = 0
  /** The map may hold something that was not sent on this connection. Only the answer to the server's question brings it. */
  private hasUnsent = true
  private isRefused = false
  private slow: unknown = null

  constructor (private readonly port: SavedPort) {}

  /** The connection is open. What the server has is not known before it has asked for the rest. */
  opened (): void {
    this.isOpen = true
    this.isRefused = false
    this.sent = this.acked = 0
    this.hasUnsent = true
    this.update()
  }

  /** Edits without an acknowledgement may be lost: they are sent again on the next connection. */
  closed (): void {
    this.hasUnsent ||= this.isRefused || this.acked < this.sent
    this.isOpen = false
    this.update()
  }

  /** Something was changed here that no connection took along. */
  missed (): void {
    this.hasUnsent = true
    this.update()
  }

  gave (edit: SentEdit): void {
    this.sent++
    if (edit === 'all') this.hasUnsent = false
    this.update()
  }

  /** The first `edits` of this connection are on disk. */
  acknowledged (edits: number): void {
    this.acked = Math.max(this.acked, Math.min(edits, this.sent))
    this.update()
  }

  /** Edits of this connection were refused. Nothing proves on it any more that all is saved. */
  refused (): void {
    this.isRefused = true
    this.update()
  }

  destroy (): void {
    this.closed()
  }

  private update (): void {
    const isDone = !this.isRefused && !this.hasUnsent && (!this.isOpen || this.acked === this.sent)
    const isPending = this.isOpen && !isDone && !this.isRefused
    if (!isPending && this.slow !== null) {
      this.port.cancel(this.slow as never)
      this.slow = null
    }
    if (isPending && this.slow === null) this.slow = this.port.later(() => this.set('slow'), SLOW_AFTER_MS)
    if (this.isRefused) this.set('refused')
    else if (isDone) this.set('saved')
    else if (!this.isOpen) this.set('unknown')
    else if (this.state !== 'slow') this.set('saving')
  }

  private set (state: SavedState): void {
    if (state === this.state) return
    this.state = state
    this.port.onState(state)
  }
}
