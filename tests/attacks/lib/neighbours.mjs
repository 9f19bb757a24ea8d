/**
 * People who work while somebody else misbehaves: each of their edits has to be on disk and with the other one, soon.
 */
import assert from 'node:assert/strict'
import { Extended } from '../../clients/lib/extended.mjs'
import { until } from '../../clients/lib/wait.mjs'

/** They think between two edits. */
const PAUSE_MS = 20

/** Far above what it takes, far below what somebody would put up with. */
const EDIT_WITHIN_MS = 5_000

/** Of the keys that they set. */
const PREFIX = 'neighbours-'

export class Neighbours {
  /** Two people join the room `id` and begin to edit, one after the other, until they `finish`. */
  static async begin (t, server, id) {
    const pair = [await Extended.join(t, server, id), await Extended.join(t, server, id)]
    return new Neighbours(id, pair)
  }

  constructor (id, pair) {
    this.id = id
    this.pair = pair
    this.edits = 0
    this.slowest_ms = 0
    this.isOver = false
    this.working = this.#work()
    // It is told by `finish`.
    this.working.catch(() => {})
  }

  async #work () {
    while (!this.isOver) {
      await this.edit()
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** One edit of each, which the other one sees and which is saved. */
  async edit () {
    for (const [author, reader] of [this.pair, this.pair.toReversed()]) {
      const [key, begun] = [`${PREFIX}${this.edits}`, performance.now()]
      author.set(key, this.edits)
      await until(`${key} in ${this.id} is with the other`, () => reader.map.get(key) === this.edits, { deadline_ms: EDIT_WITHIN_MS })
      await author.saved(author.sent, { deadline_ms: EDIT_WITHIN_MS })
      this.slowest_ms = Math.max(this.slowest_ms, performance.now() - begun)
      this.edits += 1
    }
  }

  /** Stops them; fails when anything went wrong for them. Answers how long the slowest edit took, in milliseconds. */
  async finish ({ edits_min: editsMin = 2 } = {}) {
    this.isOver = true
    await this.working
    for (const { socket, map } of this.pair) {
      assert.equal(socket.readyState, socket.OPEN, `${this.id}: they kept their connections`)
      const found = [...map.keys()].filter(key => key.startsWith(PREFIX)).length
      assert.equal(found, this.edits, `${this.id}: nothing is missing`)
    }
    assert.ok(this.edits >= editsMin, `${this.id}: only ${this.edits} edits`)
    return this.slowest_ms
  }
}
