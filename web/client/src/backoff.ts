/** How long to stay away. Everybody draws lots, so that not all come back at once. */

const FIRST_MS = 250
/** A network that comes and goes is worth a try every second or so. */
const EASED_FAILURES = 2
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

  /** It worked, though not for long: the next pauses are short ones. */
  ease (): void {
    this.failures = Math.min(this.failures, EASED_FAILURES)
  }
}

/** Growing intervals around a middle, for tries that nobody waits for. */
export class Intervals {
  private failures = 0

  constructor (private readonly first_ms: number, private readonly most_ms: number, private readonly random: () => number) {}

  next (): number {
    const middle_ms = Math.min(this.most_ms, this.first_ms * 2 ** Math.min(this.failures, DOUBLINGS_MAX))
    return Math.round(middle_ms * (0.75 + this.random() / 2))
  }

  failed (): void {
    this.failures++
  }

  reset (): void {
    this.failures = 0
  }
}
