/**
 * Finds a way to the server and keeps the best one.
 *
 * A *race* is run while there is no connection: transports start one after another, the next when the one before has failed
 * or has not been heard for a moment, and the first that is in step with the server becomes the *current* one. The others
 * go on: whatever is better takes over when it is in step, and only then is the current one closed. Later the better ones are
 * tried again and again, one after another, ever less often (*climbing*).
 */
import { isShowable } from './access.ts'
import { Backoff, Intervals } from './backoff.ts'
import { Choice } from './choice.ts'
import {
  CLIMB_FIRST_MS, CLIMB_MS_MAX, type ConnectorHost, FIRST_WORD_MS, GOOD_AFTER_MS, HEAD_START_MS, KNOWN_SHARE, OPEN_WITHIN_MS,
  RENEW_MS_MAX, STEADY_AFTER_MS, SYNC_WITHIN_MS, TOO_MUCH_MS
} from './connector-host.ts'
import { Link } from './link.ts'
import { Timers } from './timers.ts'
import { type End, isBusy, isFinal, LOST, OVERLOADED, TOO_MUCH, type TransportName, UNAUTHENTICATED } from './transport.ts'

export class Connector {
  current: Link | null = null
  private rising: Link[] = []
  private queue: TransportName[] = []
  private isWanted = false
  /** Not wanted any more, but by the server. */
  private isStopped = false
  /** Better ways are being tried beside the current one. */
  private isClimbing = false
  private readonly worked = new Set<TransportName>()
  private readonly choice: Choice
  private readonly timers = new Timers()
  private readonly backoff: Backoff
  private readonly climbs: Intervals
  /** Makes answers to earlier questions for a token stale. */
  private race = 0

  constructor (private readonly host: ConnectorHost) {
    const { random } = host.route
    this.backoff = new Backoff(host.maxBackoff_ms, random)
    this.climbs = new Intervals(CLIMB_FIRST_MS, CLIMB_MS_MAX, random)
    this.choice = new Choice(host.transports, host.now_ms, random)
  }

  get wanted (): boolean {
    return this.isWanted
  }

  /** Connections that are in step or on their way to it. */
  get links (): readonly Link[] {
    return this.current === null ? this.rising : [this.current, ...this.rising]
  }

  connect (): void {
    this.isWanted = true
    this.isStopped = false
    if (this.current === null && this.rising.length === 0) this.begin()
  }

  disconnect (): void {
    this.isWanted = this.isStopped = false
    this.closeAll()
  }

  /** Another token: whoever was connected with the one before is so no longer. */
  restart (): void {
    this.closeAll()
    this.backoff.reset()
    if (this.isWanted || this.isStopped) this.connect()
  }

  /** The network is back: what failed without it is no measure. */
  online (): void {
    this.backoff.reset()
    this.climbs.reset()
    if (!this.isWanted) return
    if (this.current === null && this.rising.length === 0) this.begin()
    else if (this.timers.has('climb')) this.timers.set('climb', this.backoff.next(), () => this.climb())
  }

  private begin (): void {
    this.timers.clear('again')
    if (!this.isWanted || this.current !== null || !this.host.isOnline()) return
    this.host.onConnecting()
    const race = ++this.race
    const { access } = this.host
    access.get().then(token => {
      if (race !== this.race) return
      if (access.isRefusedAgain) return this.stop({ code: UNAUTHENTICATED, reason: 'the token was refused, and there is no other', isServer: true })
      if (token !== null && !isShowable(token)) return this.refused({ code: UNAUTHENTICATED, reason: 'the token is empty or has characters in it that no token has', token })
      this.queue = this.choice.order()
      if (this.queue.length === 0) return this.later(this.choice.opensIn_ms)
      this.next()
    }, (error: unknown) => {
      if (race !== this.race) return
      this.host.onError(error)
      this.later(this.backoff.next())
    })
  }

  private next (): void {
    this.timers.clear('head start')
    if (this.current !== null || !this.isWanted) return
    const name = this.queue.shift()
    if (name === undefined) {
      if (this.rising.length === 0) this.later(this.backoff.next())
    } else if (!this.choice.isOpen(name) || this.rising.some(link => link.name === name)) this.next()
    else {
      this.timers.set('head start', HEAD_START_MS[name], () => this.next())
      this.open(name)
    }
  }

  private open (name: TransportName): void {
    const { host } = this
    const { access } = host
    const held = access.token
    // A stream shows one token all its life; requests show the newest.
    const token = name === 'poll' ? () => access.token : () => access.token ?? held
    let link: Link
    try {
      link = new Link(name, host.openers[name], { ...host.route, token }, {
        ...host,
        onOpened: opened => this.opened(opened),
        onAlive: () => this.timers.clear('head start'),
        onSynced: synced => this.synced(synced),
        onEnded: (ended, end) => this.ended(ended, end)
      })
    } catch (error) {
      host.onError(error)
      return this.current === null ? this.next() : this.climbOn()
    }
    this.rising.push(link)
    this.timers.set(`deadline of ${name}`, OPEN_WITHIN_MS, () => this.giveUp(link))
  }

  private giveUp (link: Link): void {
    link.close()
    this.ended(link, { code: LOST, reason: 'the server does not answer' })
  }

  private opened (link: Link): void {
    this.timers.set(`deadline of ${link.name}`, SYNC_WITHIN_MS, () => this.giveUp(link))
    if (this.timers.has('head start')) this.timers.set('head start', FIRST_WORD_MS, () => this.next())
  }

  private synced (link: Link): void {
    const before = this.current
    this.timers.clear('head start')
    this.drop(link)
    if (before !== null && this.choice.rank(before.name) < this.choice.rank(link.name)) return link.close()
    this.current = link
    this.queue = []
    this.isClimbing = false
    this.choice.remembered = link.name
    this.worked.add(link.name)
    this.host.access.granted()
    for (const other of this.rising.filter(({ name }) => this.choice.rank(name) >= this.choice.rank(link.name))) {
      this.drop(other)
      other.close()
    }
    this.host.onCurrent(link)
    before?.close()
    this.climbLater()
    this.renewLater()
  }

  private drop (link: Link): void {
    this.rising = this.rising.filter(other => other !== link)
    if (!this.rising.some(({ name }) => name === link.name)) this.timers.clear(`deadline of ${link.name}`)
  }

  private ended (link: Link, end: End): void {
    const wasCurrent = link === this.current
    const wasRacing = this.timers.has('head start') && this.rising.at(-1) === link
    this.drop(link)
    if (wasCurrent) this.lose(link)
    this.host.onClose(link.name, end)
    if (!this.isWanted) return
    if (end.code === OVERLOADED || link.fallback !== null) this.choice.overloaded(link.name, link.fallback)
    if (this.current !== null) {
      // The current one hears for itself whether it may stay.
      if (end.code === UNAUTHENTICATED) this.host.access.refuse(end.token ?? null)
      if (this.rising.length === 0) this.climbOn()
      return
    }
    if (wasCurrent) this.queue = []
    const isLast = this.queue.length === 0 && this.rising.length === 0
    // Where the server was reached before, a refusal that is not its own comes from something on the way, and passes.
    if (isFinal(end.code) && (end.isServer === true || (isLast && this.worked.size === 0))) return this.stop(end)
    if (end.code === UNAUTHENTICATED) return this.refused(end)
    if (wasCurrent) return this.later(this.pauseAfter(link, end))
    if (isBusy(end.code)) {
      this.queue = []
      const wait_ms = this.busyPause(end)
      if (this.rising.length === 0) this.later(wait_ms)
      this.choice.full(link.name, wait_ms)
    } else if (wasRacing || this.isIdle) this.next()
  }

  /** Nothing is waited for that would lead on. */
  private get isIdle (): boolean {
    return !this.timers.has('head start') && !this.timers.has('again') && !this.rising.some(({ isHeard }) => isHeard)
  }

  private lose (link: Link): void {
    this.current = null
    this.timers.clear('climb')
    this.timers.clear('renew')
    const lived_ms = this.host.now_ms() - link.synced_ms
    if (lived_ms >= GOOD_AFTER_MS) this.backoff.reset()
    else this.backoff.ease()
    if (lived_ms >= STEADY_AFTER_MS && this.choice.rank(link.name) === 0) this.climbs.reset()
    this.choice.lived(link.name, lived_ms >= GOOD_AFTER_MS)
    this.host.onLost()
  }

  /** How long to wait after a connection that was good. */
  private pauseAfter (link: Link, end: End): number {
    // The server has spread its clients over a time of its choice.
    if (link.away_ms !== null) return link.away_ms
    return isBusy(end.code) ? this.busyPause(end) : this.backoff.next()
  }

  private busyPause ({ code, retryAfter_ms }: End): number {
    return this.backoff.next(retryAfter_ms ?? (code === TOO_MUCH ? TOO_MUCH_MS : 0))
  }

  private refused (end: End): void {
    for (const link of this.rising.filter(({ token }) => token === end.token)) {
      this.drop(link)
      link.close()
    }
    this.queue = []
    if (this.host.access.refuse(end.token ?? null)) this.later(this.backoff.next())
    else this.stop(end)
  }

  private later (delay_ms: number): void {
    this.timers.clear('head start')
    this.timers.set('again', delay_ms, () => this.begin())
  }

  private climbLater (): void {
    this.timers.clear('climb')
    const { current } = this
    if (current === null || this.choice.rank(current.name) === 0) return
    const isKnown = this.choice.better(current.name).some(name => this.worked.has(name))
    const delay_ms = this.climbs.next() * (isKnown ? KNOWN_SHARE : 1)
    this.timers.set('climb', Math.max(delay_ms, this.choice.opensIn_ms), () => this.climb())
  }

  private climb (): void {
    const { current } = this
    if (current === null) return
    const better = this.choice.better(current.name)
      .filter(name => this.choice.isOpen(name) && !this.rising.some(link => link.name === name))
    if (better.length === 0 || !this.host.isOnline()) return this.climbLater()
    this.isClimbing = true
    this.queue = [...better]
    this.climbOn()
  }

  /** One after another, best first: at once they could take the last free place from each other. */
  private climbOn (): void {
    const name = this.queue.shift()
    if (name !== undefined) return this.choice.isOpen(name) ? this.open(name) : this.climbOn()
    if (this.isClimbing) this.climbs.failed()
    this.isClimbing = false
    this.climbLater()
  }

  private renewLater (): void {
    const wait_ms = this.host.access.renewIn_ms
    this.timers.clear('renew')
    if (wait_ms !== null) this.timers.set('renew', Math.min(wait_ms, RENEW_MS_MAX), () => { void this.renew() })
  }

  /** The connection with the old token stays until the one with the new one is in step. */
  private async renew (): Promise<void> {
    const { access, onError } = this.host
    const race = this.race
    if (access.renewIn_ms === 0) await access.fresh().catch(onError)
    const { current } = this
    if (race !== this.race || current === null) return
    this.renewLater()
    const isStale = access.token !== current.token && current.name !== 'poll'
    if (isStale && !this.rising.some(({ name }) => name === current.name)) this.open(current.name)
  }

  private stop (end: End): void {
    this.isWanted = false
    this.isStopped = true
    this.closeAll()
    this.host.onStopped(end)
  }

  private closeAll (): void {
    this.race++
    this.queue = []
    this.timers.clearAll()
    const { current, links } = this
    this.current = null
    this.rising = []
    for (const link of links) link.close()
    if (current !== null) this.host.onLost()
  }
}
