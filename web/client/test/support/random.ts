/** A seeded source of chance (mulberry32), so that a failure can be repeated. */
export class Random {
  constructor (private state: number) {}

  next (): number {
    this.state = (this.state + 0x6D2B79F5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below (end: number): number {
    return Math.floor(this.next() * end)
  }

  pick<T> (list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
}
