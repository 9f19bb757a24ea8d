/** Which transports may be tried now, and in which order. */
import { BUSY_MS, CLIMB_FIRST_MS } from './connector-host.ts'
import type { TransportName } from './transport.ts'

/** So many short lives in a row, and something on the way does not let it live. */
const SHORT_LIVES_MAX = 4

export interface Fallback {
  readonly transport: string
  readonly retryAfter_ms: number | null
}

export class Choice {
  /** What was in step last; it goes first. */
  remembered: TransportName | null = null
  private readonly until_ms = new Map<TransportName, number>()
  private readonly shortLives = new Map<TransportName, number>()

  /** `transports`: best first. */
  constructor (
    private readonly transports: readonly TransportName[],
    private readonly now_ms: () => number,
    private readonly random: () => number
  ) {}

  /** 0 is the best. */
  rank (name: TransportName): number {
    return this.transports.indexOf(name)
  }

  order (): TransportName[] {
    const open = this.transports.filter(name => this.isOpen(name))
    return open.filter(name => name === this.remembered).concat(open.filter(name => name !== this.remembered))
  }

  better (name: TransportName): readonly TransportName[] {
    return this.transports.slice(0, this.rank(name))
  }

  isOpen (name: TransportName): boolean {
    return (this.until_ms.get(name) ?? 0) <= this.now_ms()
  }

  /** In how many milliseconds the next closed one opens; 0 when none is closed. */
  get opensIn_ms (): number {
    const left = [...this.until_ms.values()].map(until_ms => until_ms - this.now_ms()).filter(wait_ms => wait_ms > 0)
    return left.length === 0 ? 0 : Math.min(...left)
  }

  /** An overloaded server wants to be asked in a cheaper way for a while. */
  overloaded (name: TransportName, fallback: Fallback | null): void {
    const wait_ms = fallback?.retryAfter_ms ?? BUSY_MS
    const named = this.transports.findIndex(other => other === fallback?.transport)
    const cheapest = named < 0 ? this.transports.length - 1 : named
    for (const other of this.transports.slice(0, cheapest)) this.close(other, wait_ms * (1 + this.random() / 4))
    if (cheapest === 0) this.close(name, wait_ms)
  }

  /** Where there is no place for one kind of connection, there may be one for a cheaper kind. */
  full (name: TransportName, wait_ms: number): void {
    if (!this.isLast(name)) this.close(name, wait_ms + BUSY_MS)
  }

  /** A connection was lost. A way whose connections never last is left for a while. */
  lived (name: TransportName, isLong: boolean): void {
    const lives = isLong ? 0 : (this.shortLives.get(name) ?? 0) + 1
    this.shortLives.set(name, lives % SHORT_LIVES_MAX)
    if (lives === SHORT_LIVES_MAX && !this.isLast(name)) this.close(name, CLIMB_FIRST_MS)
  }

  private isLast (name: TransportName): boolean {
    return this.rank(name) === this.transports.length - 1
  }

  private close (name: TransportName, wait_ms: number): void {
    this.until_ms.set(name, Math.max(this.until_ms.get(name) ?? 0, this.now_ms() + wait_ms))
    if (this.remembered === name) this.remembered = null
  }
}
