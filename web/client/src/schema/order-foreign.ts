/** Keys between strings that others wrote, which need not be keys of the scheme. */
import { compareBytes } from './tree.ts'
import { DIGITS, integerOf, INTEGER_MIN, LAST, ZERO } from './order-digits.ts'

const MIDDLE = DIGITS.charAt(31)

/**
 * A string above `lower` and below `upper`, made of digits as far as it is new. A plain integer key is preferred,
 * because from there on the scheme's own short keys are used.
 */
export const foreignBetween = (lower: string, upper: string | null): string | null => {
  const fits = (key: string) => compareBytes(key, lower) > 0 && (upper === null || compareBytes(key, upper) < 0)
  // `lower` with zeros behind it would leave no room between the two.
  const leavesRoom = (key: string) => lower === '' || /[^0]/.test(key.startsWith(lower) ? key.slice(lower.length) : key)
  const rung = rungs().find(key => fits(key) && leavesRoom(key))
  if (rung !== undefined) return rung
  const made = upper === null ? above(lower, 0) : below(lower, upper)
  return made !== null && fits(made) ? made : null
}

/** One integer key of each length: upwards from the first, then downwards. */
const rungs = (): string[] => {
  const heads = [...DIGITS.slice(10)]
  const up = heads.slice(26).map(head => integerOf(head, ZERO))
  const down = heads.slice(0, 26).reverse().map(head => integerOf(head, LAST))
  return [...up, ...down].filter(key => key !== INTEGER_MIN)
}

/** The shortest prefix of `lower`, at least `from` units long, with a digit behind it that lifts it above `lower`. */
const above = (lower: string, from: number): string => {
  let at = from
  for (const found of lower.slice(from)) {
    const digit = digitBetween(found, null)
    if (digit !== null) return lower.slice(0, at) + digit
    at += found.length
  }
  return lower + MIDDLE
}

const below = (lower: string, upper: string): string | null => {
  const lows = [...lower]
  const highs = [...upper]
  let shared = 0
  while (shared < lows.length && lows[shared] === highs[shared]) shared++
  const high = highs[shared]
  if (high === undefined) return null
  const prefix = highs.slice(0, shared).join('')
  const low = lows[shared]
  if (low !== undefined) {
    const digit = digitBetween(low, high)
    return digit === null ? above(lower, prefix.length + low.length) : prefix + digit
  }
  return belowAlong(highs, shared)
}

/** `lower` is the beginning of `upper`: go down along `upper` until a digit fits under one of its characters. */
const belowAlong = (highs: readonly string[], from: number): string | null => {
  for (let at = from; at < highs.length; at++) {
    const high = highs[at] as string
    const prefix = highs.slice(0, at).join('')
    const digit = digitBetween(null, high)
    if (digit !== null) return prefix + digit
    const side = compareBytes(high, ZERO)
    if (side > 0) return prefix + ZERO + MIDDLE
    if (side < 0) return null
  }
  return null
}

/** A digit other than zero, strictly between two characters. */
const digitBetween = (low: string | null, high: string | null): string | null => {
  const fits = [...DIGITS.slice(1)].filter(digit =>
    (low === null || compareBytes(digit, low) > 0) && (high === null || compareBytes(digit, high) < 0))
  return fits[Math.floor(fits.length / 2)] ?? null
}
