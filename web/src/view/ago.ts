/** How long ago something was, in words. */
const STEPS: ReadonlyArray<readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number]> = [
  ['year', 31_557_600], ['month', 2_629_800], ['week', 604_800], ['day', 86_400], ['hour', 3600], ['minute', 60]
]

const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' })

export const ago = (then: Date, now: Date): string => {
  const seconds = (now.getTime() - then.getTime()) / 1000
  for (const [unit, length] of STEPS) {
    if (seconds >= length) return words.format(-Math.floor(seconds / length), unit)
  }
  return 'just now'
}
