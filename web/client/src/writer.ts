/**
 * Writes over HTTP: edits and presence of one link, in one request at a time. What comes meanwhile goes with the next.
 *
 * Edits are counted as they are given, and acknowledged by that count. When the server does not have all of a request on
 * disk, nothing is acknowledged until the whole difference, which the link is asked for, has been.
 */
import { Backoff } from './backoff.ts'
import { endFrom, sync } from './http.ts'
import { isStep1, isStep2, STEP1, syncMessage } from './message.ts'
import { Timers } from './timers.ts'
import { type End, isBusy, type Listener, LOST, type Route } from './transport.ts'

/** A request is well below what servers and proxies take; one edit may be larger. */
const BATCH_BYTES_MAX = 256 * 1024
const BATCH_EDITS_MAX = 500
/** Presence alone is sent this often at most. */
const PRESENCE_EVERY_MS = 150
/** The server holds an edit for ten seconds at most. */
const ANSWER_WITHIN_MS = 20_000
const PAUSE_MS_MAX = 10_000
/** What browsers carry on with when the page is gone. */
const KEEPALIVE_BYTES_MAX = 60 * 1024

const EMPTY_STATE_VECTOR = new Uint8Array([0])
const EDITS_REFUSED = 4403

export class Writer {
  cursor: string | null = null
  private edits: Uint8Array[] = []
  /** What the request under way has taken of them. */
  private underWay: Uint8Array[] = []
  private shown: Uint8Array | null = null
  /** Edits given so far. */
  private given = 0
  /** Edits were lost on the way; those that follow wait for the whole difference. */
  private isBroken = false
  private isUnderWay = false
  private isClosed = false
  /** Requests in a row that came to nothing. */
  private failures = 0
  private posted_ms = -Infinity
  private readonly timers = new Timers()
  private readonly pauses: Backoff

  constructor (private readonly route: Route, private readonly listener: Listener, private readonly onEnd: (end: End) => void) {
    this.pauses = new Backoff(PAUSE_MS_MAX, route.random, 500)
  }

  edit (message: Uint8Array): void {
    this.given++
    // A whole difference holds everything that was not sent before it.
    if (isStep2(message)) {
      this.edits = [message]
      this.isBroken = false
    } else if (!this.isBroken) this.edits.push(message)
    void this.run()
  }

  presence (message: Uint8Array): void {
    this.shown = message
    void this.run()
  }

  farewell (message: Uint8Array | null): void {
    // The browser gives up the request under way with the page; what arrives twice does no harm.
    const messages = [...this.underWay, ...this.edits, ...message === null ? [] : [message]]
    if (messages.length === 0) return
    const bytes = messages.reduce((sum, { length }) => sum + length, 0)
    const question = { messages: [this.ask(), ...messages], cursor: this.cursor, keepalive: bytes < KEEPALIVE_BYTES_MAX }
    this.edits = []
    this.underWay = []
    this.shown = null
    sync(this.route, question).catch(() => { /* Nobody is left to be told. */ })
  }

  close (): void {
    this.isClosed = true
    this.timers.clearAll()
  }

  private ask (): Uint8Array {
    return syncMessage(STEP1, this.route.stateVector())
  }

  private async run (): Promise<void> {
    if (this.isUnderWay) return
    this.isUnderWay = true
    while (!this.isClosed && (this.edits.length > 0 || this.shown !== null)) {
      const early_ms = this.posted_ms + PRESENCE_EVERY_MS - Date.now()
      if (this.edits.length === 0 && early_ms > 0) {
        // An edit that comes meanwhile does not wait.
        this.isUnderWay = false
        this.timers.set('presence', early_ms, () => { void this.run() })
        return
      }
      await this.post()
    }
    this.isUnderWay = false
  }

  private async post (): Promise<void> {
    this.timers.clear('presence')
    this.posted_ms = Date.now()
    const edits = this.take()
    this.underWay = edits
    const end = this.given - this.edits.length
    const shown = this.shown
    this.shown = null
    const messages = [this.ask(), ...edits, ...shown === null ? [] : [shown]]
    const abort = new AbortController()
    this.timers.set('answer', ANSWER_WITHIN_MS, () => abort.abort(new Error('the server does not answer')))
    try {
      const answer = await sync(this.route, { messages, cursor: this.cursor, signal: abort.signal })
      this.timers.clear('answer')
      this.underWay = []
      this.failures = 0
      if (this.isClosed) return
      this.cursor = answer.cursor
      this.listener.behind(answer.isBehind)
      for (const message of answer.messages) if (!isStep1(message)) this.listener.message(message)
      if (edits.length > 0) await this.count(edits.length, end, answer.durable, answer.messages.find(isStep1))
    } catch (error) {
      this.timers.clear('answer')
      this.underWay = []
      if (!this.isClosed) await this.refused(endFrom(error), edits, shown, abort.signal.aborted)
    }
  }

  private take (): Uint8Array[] {
    let bytes = 0
    let count = 0
    while (count < this.edits.length && count < BATCH_EDITS_MAX) {
      bytes += (this.edits[count] as Uint8Array).length
      if (count > 0 && bytes > BATCH_BYTES_MAX) break
      count++
    }
    return this.edits.splice(0, count)
  }

  /** `end`: how many edits had been given up to the last one of the request. */
  private async count (edits: number, end: number, durable: number, question: Uint8Array | undefined): Promise<void> {
    // What was given while the difference is on its way is counted when the difference is.
    if (this.isBroken) return
    if (durable >= edits) {
      this.pauses.reset()
      this.listener.acknowledged(end)
      return
    }
    this.listener.acknowledged(end - edits + durable)
    if (this.edits.some(isStep2)) return
    this.isBroken = true
    this.edits = []
    await this.pause(0)
    if (!this.isClosed) this.listener.message(question ?? syncMessage(STEP1, EMPTY_STATE_VECTOR))
  }

  private async refused (end: End, edits: Uint8Array[], shown: Uint8Array | null, isLate: boolean): Promise<void> {
    this.shown ??= shown
    this.failures++
    // A kept connection may be closed by the other side just when it is used again. Taking an edit twice does no harm.
    const mayBeChance = end.code === LOST && this.failures === 1 && !isLate
    if (edits.length > 0 && end.code === EDITS_REFUSED) {
      this.isBroken = true
      this.edits = []
      this.listener.denied(end.reason)
    } else if (isBusy(end.code) || mayBeChance) {
      if (!this.isBroken && !this.edits.some(isStep2)) this.edits.unshift(...edits)
      if (!mayBeChance) await this.pause(end.retryAfter_ms ?? 0)
    } else this.onEnd(end)
  }

  private async pause (least_ms: number): Promise<void> {
    await new Promise<void>(resolve => this.timers.set('pause', this.pauses.next(least_ms), resolve))
  }
}
