/**
 * People who type and add nodes, one after the other, without a break.
 */
import { until } from '../../clients/lib/wait.mjs'

/** Of what somebody does, one in so many adds a node; the rest is typing. */
const ADDS_SHARE = 0.4

export class Load {
  constructor (people, random, { perSecond = 20 } = {}) {
    this.people = people
    this.random = random
    this.pause_ms = 1000 / perSecond
    this.edits = 0
    /** When a node was added, and by whom. */
    this.born = new Map()
    /** How long it took until somebody on another node had it. */
    this.delays_ms = []
    for (const person of people) this.watch(person)
  }

  watch (person) {
    person.doc.getMap('nodes').observe(({ keysChanged }) => {
      for (const id of keysChanged) {
        const birth = this.born.get(id)
        if (birth !== undefined && birth.node !== person.node) this.delays_ms.push(performance.now() - birth.at)
      }
    })
  }

  start () {
    this.timer = setInterval(() => this.edit(), this.pause_ms)
    return this
  }

  edit () {
    // Who is between two nodes has nothing to type into.
    const person = this.random.pick(this.people.filter(person => !person.isMoving))
    if (person === undefined) return
    this.edits += 1
    if (!this.random.chance(ADDS_SHARE)) return person.type(this.random)
    const at = performance.now()
    this.born.set(person.add(), { node: person.node, at })
  }

  stop () {
    clearInterval(this.timer)
  }

  /** Waits until so many more edits have been made. */
  async more (edits) {
    const goal = this.edits + edits
    return until(`${edits} more edits are made`, () => this.edits >= goal)
  }

  /** Forgets the delays so far. */
  measureAnew () {
    this.delays_ms = []
  }

  /** In milliseconds: the median, the 99th percentile and the longest. */
  get delays () {
    const sorted = this.delays_ms.toSorted((a, b) => a - b)
    const at = share => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN)
    return { count: sorted.length, median: at(0.5), p99: at(0.99), max: at(1) }
  }
}
