/**
 * Fractional indices: strings between which there is always room for another one.
 *
 * The keys are those of the `fractional-indexing` scheme in base 62, and this is the same as the server's
 * `crdt/src/map/order.rs`. A key is an integer part, whose first letter says how long it is (`a0` … `az`, `b00` …), and
 * a fraction that never ends in the lowest digit. Keys compare bytewise.
 */
import { compareBytes } from './tree.ts'
import { foreignBetween } from './order-foreign.ts'
import { DIGITS, digit, integerLength, integerOf, INTEGER_MIN, LAST, ZERO } from './order-digits.ts'

/** The key of a first sibling. */
const FIRST = 'a0'

type Bound = string | null

/**
 * A key above `lower` and below `upper`; null is no bound. Where there is none (bounds that are equal or the wrong way
 * round, some foreign strings), the answer is a key above `lower`.
 */
export const between = (lower: Bound, upper: Bound): string => tryBetween(lower, upper) ?? tryBetween(lower, null) ?? FIRST

/** A key strictly between the bounds, when there is one. */
export const tryBetween = (lower: Bound, upper: Bound): string | null => {
  const low = lower === '' ? null : lower
  if (low !== null && upper !== null && compareBytes(low, upper) >= 0) return null
  const ours = (low === null || isKey(low)) && (upper === null || isKey(upper))
  return ours ? keyBetween(low, upper) : foreignBetween(low ?? '', upper)
}

/** `count` ascending keys strictly between the bounds, when there is room. They are spread so that none is long. */
export const tryManyBetween = (lower: Bound, upper: Bound, count: number): string[] | null => {
  const keys: string[] = []
  if (lower !== null && upper !== null) return spread(lower, upper, count, keys) ? keys : null
  for (let made = 0; made < count; made++) {
    const last = keys.at(-1) ?? null
    const key = upper === null ? tryBetween(last ?? lower, null) : tryBetween(null, last ?? upper)
    if (key === null) return null
    keys.push(key)
  }
  return upper === null ? keys : keys.reverse()
}

/** Halves the room again and again; the recursion is as deep as `count` has bits. */
const spread = (lower: Bound, upper: Bound, count: number, keys: string[]): boolean => {
  if (count === 0) return true
  const middle = tryBetween(lower, upper)
  if (middle === null) return false
  const before = Math.floor(count / 2)
  if (!spread(lower, middle, before, keys)) return false
  keys.push(middle)
  return spread(middle, upper, count - before - 1, keys)
}

/** Whether `key` is a well-formed key of the scheme. */
export const isKey = (key: string): boolean => {
  const length = integerLength(key)
  if (length === null || key.length < length || key === INTEGER_MIN) return false
  for (const character of key) if (digit(character) < 0) return false
  return !(key.length > length && key.endsWith(ZERO))
}

const split = (key: string): [integer: string, fraction: string] => {
  const length = integerLength(key) ?? 0
  return [key.slice(0, length), key.slice(length)]
}

/** A key between two keys, the lower of which is below the upper. */
const keyBetween = (lower: Bound, upper: Bound): string | null => {
  if (lower === null && upper === null) return FIRST
  if (lower === null) return keyBelow(upper as string)
  const [integer, fraction] = split(lower)
  if (upper === null) return increment(integer) ?? integer + midpoint(fraction, null)
  const [upperInteger, upperFraction] = split(upper)
  if (integer === upperInteger) return integer + midpoint(fraction, upperFraction)
  const next = increment(integer)
  if (next === null) return null
  return next < upper ? next : integer + midpoint(fraction, null)
}

const keyBelow = (upper: string): string | null => {
  const [integer, fraction] = split(upper)
  if (integer === INTEGER_MIN) return integer + midpoint('', fraction)
  if (fraction !== '') return integer
  const below = decrement(integer)
  // The lowest integer is no key: below the one above it, the fraction has to make the difference.
  return below === INTEGER_MIN ? below + midpoint('', null) : below
}

/** A fraction between two fractions that do not end in zero; no upper fraction means one. */
const midpoint = (lower: string, upper: Bound): string => {
  let middle = ''
  let open = upper === null
  for (let at = 0; ; at++) {
    const low = Math.max(digit(lower.charAt(at)), 0)
    const found = open || upper === null ? -1 : digit(upper.charAt(at))
    const high = found < 0 ? DIGITS.length : found
    if (high > low + 1) return middle + DIGITS[Math.ceil((low + high) / 2)]
    if (high === low + 1) {
      // The digits are neighbours: the upper one alone will do if more follows it, else go on below it.
      if (!open && upper !== null && upper.length > at + 1) return middle + upper.charAt(at)
      open = true
    }
    middle += DIGITS[low]
  }
}

/** The next integer part; null above the highest. */
const increment = (integer: string): string | null => {
  const digits = [...integer]
  for (let at = digits.length - 1; at > 0; at--) {
    const value = digit(digits[at] as string)
    if (value + 1 < DIGITS.length) {
      digits[at] = DIGITS.charAt(value + 1)
      return digits.join('')
    }
    digits[at] = ZERO
  }
  const head = integer.charAt(0)
  if (head === 'z') return null
  return head === 'Z' ? FIRST : integerOf(String.fromCharCode(head.charCodeAt(0) + 1), ZERO)
}

/** The integer part before; null below the lowest. */
const decrement = (integer: string): string | null => {
  const digits = [...integer]
  for (let at = digits.length - 1; at > 0; at--) {
    const value = digit(digits[at] as string)
    if (value > 0) {
      digits[at] = DIGITS.charAt(value - 1)
      return digits.join('')
    }
    digits[at] = LAST
  }
  const head = integer.charAt(0)
  if (head === 'A') return null
  return head === 'a' ? integerOf('Z', LAST) : integerOf(String.fromCharCode(head.charCodeAt(0) - 1), LAST)
}
