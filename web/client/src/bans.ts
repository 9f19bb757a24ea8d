/** Which transports are not to be tried for now: those the server is too busy for, and those that never last. */
import type { TransportName } from './transport.ts'

/** So many short lives in a row, and something on the way does not let it live. */
const SHORT_LIVES_MAX = 4

export class Bans {
  private readonly until_ms = new Map<TransportName, number>()
  private readonly shortLives = new Map<TransportName, number>()

  constructor (private readonly now_ms: () => number) {}

  set (name: TransportName, wait_ms: number): void {
    this.until_ms.set(name, Math.max(this.until_ms.get(name) ?? 0, this.now_ms() + wait_ms))
  }

  has (name: TransportName): boolean {
    return (this.until_ms.get(name) ?? 0) > this.now_ms()
  }

  /** In how many milliseconds the next ban ends; 0 without one. */
  get left_ms (): number {
    const left = [...this.until_ms.values()].map(until_ms => until_ms - this.now_ms()).filter(wait_ms => wait_ms > 0)
    return left.length === 0 ? 0 : Math.min(...left)
  }

  /** A connection was lost. True when its transport is banned for that. */
  lived (name: TransportName, isLong: boolean, wait_ms: number): boolean {
    const lives = isLong ? 0 : (this.shortLives.get(name) ?? 0) + 1
    this.shortLives.set(name, lives % SHORT_LIVES_MAX)
    if (lives < SHORT_LIVES_MAX) return false
    this.set(name, wait_ms)
    return true
  }
}
