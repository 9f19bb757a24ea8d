/** What the connector works on and whom it tells, and its times. */
import type { Access } from './access.ts'
import type { Link, LinkHost } from './link.ts'
import type { End, Open, Route, TransportName } from './transport.ts'

export interface ConnectorHost extends Omit<LinkHost, 'onOpened' | 'onAlive' | 'onSynced' | 'onEnded'> {
  readonly route: Omit<Route, 'token'>
  readonly access: Access
  readonly openers: Readonly<Record<TransportName, Open>>
  /** Best first. */
  readonly transports: readonly TransportName[]
  readonly maxBackoff_ms: number
  readonly isOnline: () => boolean
  readonly onConnecting: () => void
  /** `link` is in step and carries everything from now on. */
  readonly onCurrent: (link: Link) => void
  /** There is no connection any more. */
  readonly onLost: () => void
  readonly onClose: (name: TransportName, end: End) => void
  readonly onError: (error: unknown) => void
  readonly onStopped: (end: End) => void
}

/** How long a transport may be silent before the next one starts beside it. */
export const HEAD_START_MS: Record<TransportName, number> = { ws: 1200, sse: 1000, poll: 5000 }
/** A socket that opened and says nothing: somebody on the way takes it and passes nothing on. */
export const FIRST_WORD_MS = 1200
/** A connection that is not in step by then is given up. An open one may be waiting for its turn. */
export const OPEN_WITHIN_MS = 10_000
export const SYNC_WITHIN_MS = 30_000
/** A connection that lived this long was no failure; after the other, all is as it should be. */
export const GOOD_AFTER_MS = 10_000
export const STEADY_AFTER_MS = 60_000
export const CLIMB_FIRST_MS = 15_000
export const CLIMB_MS_MAX = 300_000
/** Where the better way has worked before, it is tried again sooner. */
export const KNOWN_SHARE = 0.2
export const BUSY_MS = 15_000
/** Who did too much, or has too many connections, stays away for this long at least. */
export const TOO_MUCH_MS = 4000
/** Timers take no more than this. */
export const RENEW_MS_MAX = 86_400_000
