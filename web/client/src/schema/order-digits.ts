/** The digits of order keys, ascending bytewise, and the shape of integer parts. */
export const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
export const ZERO = '0'
export const LAST = 'z'
/** The lowest integer part. It is no key by itself, so that there is room below every key. */
export const INTEGER_MIN = 'A00000000000000000000000000'

/** The value of a digit, -1 for anything else. */
export const digit = (character: string): number => character === '' ? -1 : DIGITS.indexOf(character)

/** How long the integer part is that `key` starts with, its head included; null when the head is no letter. */
export const integerLength = (key: string): number | null => {
  const head = key.charCodeAt(0)
  if (head >= 0x61 && head <= 0x7A) return head - 0x61 + 2
  if (head >= 0x41 && head <= 0x5A) return 0x5A - head + 2
  return null
}

/** The integer part that starts with `head` and otherwise repeats one digit. */
export const integerOf = (head: string, fill: string): string => head + fill.repeat((integerLength(head) ?? 1) - 1)
