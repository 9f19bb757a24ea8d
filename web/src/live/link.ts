/** How the page is connected, and what follows from the loss of a connection. */
import { type Ending, lossOf } from './close.ts'
import type { Notices } from './notices.ts'
import type { Pauses } from './pause.ts'

export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** The server said that it goes and when to come back: no reason to worry. */
  | { readonly kind: 'moving' }
  /** The server has too much to do. `at` is when it is asked again. */
  | { readonly kind: 'busy', readonly at: Date }
  /** `at`: when it is tried again, if that is long enough to be told. */
  | { readonly kind: 'lost', readonly why: string, readonly at?: Date }
  | { readonly kind: 'ended', readonly ending: Ending }

export interface Loss {
  readonly code: number
  readonly reason: string
  /** How long the connection was good for. */
  readonly lived_ms: number
  readonly now_ms: number
}

/** The longest pause after which a server that is only full is tried again is shorter. */
const TOLD_FROM_MS = 3000

/** `wait_ms`: when to connect again; null leaves it to the provider, which tries again within seconds. */
export const afterLoss = ({ code, reason, lived_ms, now_ms }: Loss, notices: Notices, pauses: Pauses): { link: Link, wait_ms: number | null } => {
  const { comeBackAfter_ms, busy } = notices
  // The server has spread its clients over a time of its choice.
  if (comeBackAfter_ms !== null) return { link: { kind: 'moving' }, wait_ms: comeBackAfter_ms }
  if (busy !== null || code === 4503) {
    const wait_ms = pauses.whenBusy(busy?.retry_after_ms ?? null)
    return { link: { kind: 'busy', at: new Date(now_ms + wait_ms) }, wait_ms }
  }
  const why = lossOf(code, notices.reasonOf(code), reason)
  const wait_ms = pauses.after(code, lived_ms)
  const isLong = wait_ms !== null && wait_ms >= TOLD_FROM_MS
  return { link: { kind: 'lost', why, ...isLong ? { at: new Date(now_ms + wait_ms) } : {} }, wait_ms }
}
