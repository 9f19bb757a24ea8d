/** Order keys for a newcomer among siblings, and the side of the root that a key stands for. */
import { tryBetween, tryManyBetween } from './order.ts'

/** The longest order key that is written. Beyond it, all siblings get fresh keys. */
const ORDER_LENGTH_MAX = 128

/** How many keys are tried for one that stands for the wanted side. */
const SIDE_TRIES_MAX = 6

export type Side = 'left' | 'right'

/**
 * The side of the root on which a child with this key is drawn: the parity of the key's last digit. Keys that are
 * appended alternate, so both sides fill evenly; everybody sees the same; and a branch changes its side only when
 * somebody moves it.
 */
export const sideOf = (order: string): Side => order.charCodeAt(order.length - 1) % 2 === 1 ? 'left' : 'right'

export interface Slot {
  /** The newcomer's key. */
  readonly key: string
  /** New keys for siblings that had to make room, by their place among the siblings. */
  readonly rekeyed: ReadonlyArray<readonly [at: number, key: string]>
}

/**
 * A key for a newcomer at place `at` among siblings with these keys.
 *
 * Siblings may share a key (two people appended at once) or hold foreign strings that leave no room. Then as few of
 * those behind the gap as possible get new keys, and only when that is of no use, all of them.
 */
export const placeAmong = (orders: readonly string[], at: number, side?: Side): Slot => {
  const keyAt = (index: number): string | null => orders[index] ?? null
  const lower = at > 0 ? keyAt(at - 1) : null
  let end = at
  while (end <= orders.length && tryBetween(lower, keyAt(end)) === null) end++
  const keys = end > orders.length ? null : tryManyBetween(lower, keyAt(end), 1 + end - at)
  if (keys === null || keys.some(key => key.length > ORDER_LENGTH_MAX)) {
    const fresh = tryManyBetween(null, null, orders.length + 1) ?? []
    const [key = 'a0'] = fresh.splice(at, 1)
    return { key, rekeyed: fresh.map((other, index) => [index, other] as const) }
  }
  const [key = 'a0', ...rest] = keys
  const wanted = side === undefined || rest.length > 0 ? key : onSide(key, lower, keyAt(at), side)
  return { key: wanted, rekeyed: rest.map((other, index) => [at + index, other] as const) }
}

/** A key near `key`, between the same bounds, that stands for `side` if one is found soon. */
const onSide = (key: string, lower: string | null, upper: string | null, side: Side): string => {
  let [below, above] = [key, key]
  for (let tries = 0; tries < SIDE_TRIES_MAX; tries++) {
    if (sideOf(above) === side) return above
    if (sideOf(below) === side) return below
    above = tryBetween(above, upper) ?? above
    below = tryBetween(lower, below) ?? below
  }
  return key
}
