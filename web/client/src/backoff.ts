/** How long to stay away. Everybody draws lots, so that not all come back at once. */

const FIRST_MS = 250
/** More doublings than this are of no use. */
const DOUBLINGS_MAX = 20

/** Full jitter: anything from nothing up to a limit that doubles with each failure. */
export class Backoff {
  private failures = 0

  constructor (private readonly most_ms: number, private readonly random: () => number, private readonly first_ms = FIRST_MS) {}

  /** `least_ms`: what the server asked for. It is kept, and lots are drawn for what is added to it. */
  next (least_ms = 0): number {
    const limit_ms = Math.min(this.most_ms, this.first_ms * 2 ** Math.min(this.failures, DOUBLINGS_MAX))
    this.failures++
    return Math.round(least_ms + this.random() * limit_ms)
  }

  reset (): void {
    this.failures = 0
  }
}

/** Growing intervals around a middle, for tries that nobody waits for. */
export class Intervals {
  private tries = 0

  constructor (private readonly first_ms: number, private readonly most_ms: number, private readonly random: () => number) {}

  next (): number {
    const middle_ms = Math.min(this.most_ms, this.first_ms * 2 ** Math.min(this.tries, DOUBLINGS_MAX))
    this.tries++
    return Math.round(middle_ms * (0.75 + this.random() / 2))
  }

  reset (): void {
    this.tries = 0
  }
}
