/** How long to stay away after a connection was lost. Everybody draws lots, so that not all come back at once. */

/** A connection that lived this long was none of those that follow each other too fast. */
const STEADY_AFTER_MS = 60_000

const BUSY_MS = 15_000
/** A server that is busy is believed up to this. */
const BUSY_MS_MAX = 300_000

/** After codes that ask for it: the first pause, and the longest; each is twice the one before. */
const DOUBLING: Record<number, readonly [first_ms: number, most_ms: number]> = {
  1008: [8000, 60_000],
  1013: [200, 2500]
}

export class Pauses {
  private tries = 0

  /** `random` gives numbers from 0 up to 1. */
  constructor (private readonly random: () => number = Math.random) {}

  /** Null leaves it to the provider. `lived_ms`: how long the connection was good for. */
  after (code: number, lived_ms: number): number | null {
    if (lived_ms >= STEADY_AFTER_MS) this.tries = 0
    const range = DOUBLING[code]
    if (range === undefined) return null
    const [first_ms, most_ms] = range
    const pause_ms = Math.min(first_ms * 2 ** this.tries, most_ms)
    this.tries++
    return Math.round(pause_ms * (0.5 + this.random() / 2))
  }

  /** Never before the server wants to be asked again. */
  whenBusy (asked_ms: number | null): number {
    const pause_ms = Math.min(asked_ms ?? BUSY_MS, BUSY_MS_MAX)
    return Math.round(pause_ms * (1 + this.random() / 4))
  }
}
