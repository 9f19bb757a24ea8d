/**
 * A seeded source of randomness, so that a failing run can be repeated from the seed that it printed.
 *
 * The generator is mulberry32: 32 bits of state are plenty for test data, and it is the same on every machine.
 */
export class Random {
  /** @param {number} seed */
  constructor (seed) {
    this.seed = seed
    this.state = seed | 0
  }

  /** A number in [0, 1). */
  next () {
    this.state = (this.state + 0x6D2B79F5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  /** An integer in [0, below). */
  int (below) {
    return Math.floor(this.next() * below)
  }

  /** True with the given probability. */
  chance (probability) {
    return this.next() < probability
  }

  /**
   * @template T
   * @param {T[]} items
   * @returns {T}
   */
  pick (items) {
    return items[this.int(items.length)]
  }

  /**
   * A shuffled copy (Fisher-Yates).
   *
   * @template T
   * @param {T[]} items
   * @returns {T[]}
   */
  shuffle (items) {
    const copy = items.slice()
    for (let i = copy.length - 1; i > 0; i--) {
      const j = this.int(i + 1)
      const held = copy[i]
      copy[i] = copy[j]
      copy[j] = held
    }
    return copy
  }
}

/** A seed for a fresh run, or the one that `TEST_SEED` names. */
export const freshSeed = () => {
  const given = process.env.TEST_SEED
  if (given === undefined || given === '') return (Math.random() * 0x7FFFFFFF) | 0
  const seed = Number(given)
  if (!Number.isInteger(seed)) throw new Error(`TEST_SEED must be an integer, not ${given}`)
  return seed
}
