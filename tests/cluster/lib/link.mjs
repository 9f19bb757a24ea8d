/**
 * The network between one node and what it needs: a TCP proxy that passes, delays, throttles, swallows, cuts and refuses.
 */
import { connect, createServer } from 'node:net'
import { once } from 'node:events'
import { reservedPort } from '../../clients/lib/server.mjs'

/** What may wait in the proxy before it stops reading, as a router's queue does. */
const QUEUE_BYTES_MAX = 64 * 1024

/** How soon a change of speed counts for what waits. */
const LOOK_MS = 20

export class Link {
  /** A proxy to `port` on this machine, gone after the test (or the suite) `t`. */
  static async open (t, port) {
    const link = new Link(port, await reservedPort())
    t.after(() => link.close())
    await link.accept()
    return link
  }

  constructor (target, port) {
    this.target = target
    this.port = port
    this.delay_ms = 0
    this.bytesPerSecond = Infinity
    this.isSwallowing = false
    /** How many connections there have been. */
    this.accepted = 0
    this.pairs = new Set()
  }

  get url () {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Every byte comes that much later, in both directions. */
  delay (milliseconds) {
    this.delay_ms = milliseconds
  }

  /** So many bytes pass per second, in each direction of each connection. */
  throttle (bytesPerSecond) {
    this.bytesPerSecond = bytesPerSecond
  }

  /**
   * From now on nothing passes, and nobody is told: connections stay open, new ones too. Those that were swallowed once
   * stay so after `pass()`, as with a router that has forgotten them.
   */
  swallow () {
    this.isSwallowing = true
    for (const pair of this.pairs) pair.isSwallowed = true
  }

  /** New connections pass at once and at full speed. */
  pass () {
    this.isSwallowing = false
    this.delay_ms = 0
    this.bytesPerSecond = Infinity
  }

  /** Resets all connections. New ones are taken. */
  cut () {
    for (const { near, far } of this.pairs) {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
    this.pairs.clear()
  }

  /** Resets all connections, and refuses new ones until `accept()`. */
  async refuse () {
    const closed = once(this.server, 'close')
    this.close()
    await closed
  }

  async accept () {
    if (this.server?.listening) return
    this.server = createServer(near => this.#join(near))
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
  }

  close () {
    this.server.close()
    this.cut()
  }

  #join (near) {
    this.accepted += 1
    const far = connect({ port: this.target, host: '127.0.0.1' })
    const pair = { near, far, isSwallowed: this.isSwallowing }
    this.pairs.add(pair)
    for (const [from, to] of [[near, far], [far, near]]) {
      from.setNoDelay(true)
      from.on('error', () => {})
      this.#carry(from, to, pair)
      from.on('close', () => {
        if (pair.isSwallowed) return
        this.pairs.delete(pair)
        to.destroy()
      })
    }
  }

  #carry (from, to, pair) {
    const queue = []
    let [waiting, free, timer] = [0, 0, undefined]
    const pump = () => {
      timer = undefined
      while (queue.length > 0) {
        const [{ bytes, came }, now] = [queue[0], performance.now()]
        const due = Math.max(came + this.delay_ms, free)
        if (due > now) {
          timer = setTimeout(pump, Math.min(due - now, LOOK_MS))
          return
        }
        queue.shift()
        waiting -= bytes.length
        if (waiting <= QUEUE_BYTES_MAX) from.resume()
        free = now + 1000 * bytes.length / this.bytesPerSecond
        if (!pair.isSwallowed && !to.destroyed) to.write(bytes)
      }
    }
    from.on('data', bytes => {
      queue.push({ bytes, came: performance.now() })
      waiting += bytes.length
      if (waiting > QUEUE_BYTES_MAX) from.pause()
      if (timer === undefined) pump()
    })
    from.on('close', () => clearTimeout(timer))
  }
}
