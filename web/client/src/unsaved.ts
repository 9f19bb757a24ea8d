/**
 * Knows whether what was changed here is on the server's disk.
 *
 * Changes are numbered as they are made. A link notes for each edit that it sends up to which number that edit brings the
 * server, once it is on disk; the server acknowledges edits by their count. An open connection proves nothing.
 */
export class Unsaved {
  private made = 0
  private saved = 0

  /** `hasContent`: the document is not empty, and nobody knows whether the server has it. */
  constructor (hasContent: boolean, private readonly onChange: (hasUnsaved: boolean) => void) {
    if (hasContent) this.made = 1
  }

  get hasUnsaved (): boolean {
    return this.saved < this.made
  }

  /** The number of the newest change. */
  get newest (): number {
    return this.made
  }

  changed (): void {
    const before = this.hasUnsaved
    this.made++
    if (!before) this.onChange(true)
  }

  /** Everything up to this change is on disk. */
  acknowledged (upTo: number): void {
    const before = this.hasUnsaved
    this.saved = Math.max(this.saved, upTo)
    if (before && !this.hasUnsaved) this.onChange(false)
  }
}

/** The edits of one link. */
export class Sent {
  /** For each edit that is not acknowledged: up to which change all is on disk when it is. */
  private readonly waiting: number[] = []
  private acked = 0

  constructor (private readonly unsaved: Unsaved) {}

  gave (): void {
    this.waiting.push(this.unsaved.newest)
  }

  /** The first `edits` of this link are on disk. */
  acknowledged (edits: number): void {
    const count = Math.min(edits - this.acked, this.waiting.length)
    if (count <= 0) return
    this.acked += count
    this.unsaved.acknowledged(this.waiting.splice(0, count).at(-1) ?? 0)
  }
}
