/** Edits of a text, in UTF-16 units as Yjs counts them. */

/** Replace `remove` units at `at` by `insert`. */
export interface Splice {
  readonly at: number
  readonly remove: number
  readonly insert: string
}

/** What Yjs reports of a change. */
export type Delta = ReadonlyArray<{ retain?: number | undefined, delete?: number | undefined, insert?: unknown }>

const isHigh = (unit: number): boolean => unit >= 0xD800 && unit <= 0xDBFF
const isLow = (unit: number): boolean => unit >= 0xDC00 && unit <= 0xDFFF

/**
 * The smallest splice that turns `before` into `after`, null when they are equal. It never cuts a surrogate pair.
 *
 * `caret` is where the caret stands in `after`; what is behind it was not typed just now. Without it, an `a` typed into
 * `aaa` would always seem to have been put at the end.
 */
export const diff = (before: string, after: string, caret = after.length): Splice | null => {
  if (before === after) return null
  const shorter = Math.min(before.length, after.length)
  const same = (back: number) => before.charCodeAt(before.length - back - 1) === after.charCodeAt(after.length - back - 1)
  let suffix = 0
  while (suffix < Math.min(shorter, after.length - caret) && same(suffix)) suffix++
  let prefix = 0
  while (prefix < shorter - suffix && before.charCodeAt(prefix) === after.charCodeAt(prefix)) prefix++
  while (suffix < shorter - prefix && same(suffix)) suffix++
  if (prefix > 0 && isHigh(before.charCodeAt(prefix - 1))) prefix--
  if (suffix > 0 && isLow(before.charCodeAt(before.length - suffix))) suffix--
  return { at: prefix, remove: before.length - prefix - suffix, insert: after.slice(prefix, after.length - suffix) }
}

/**
 * What a field shows while others change the text behind it: during a composition (IME) the field must not be
 * touched, so it falls behind. For each unit of the field this knows where it is in the text now, or that it is gone.
 */
export class Shadow {
  value: string
  /** For each unit its place in the text, -1 when others deleted it. */
  private units: number[]
  /** The length of the text. */
  private length: number

  constructor (value: string) {
    this.value = value
    this.units = Array.from({ length: value.length }, (_, at) => at)
    this.length = value.length
  }

  /** Somebody else changed the text. */
  remote (delta: Delta): void {
    let at = 0
    for (const change of delta) {
      if (change.retain !== undefined) at += change.retain
      else if (change.delete !== undefined) {
        const end = at + change.delete
        const removed = change.delete
        this.units = this.units.map(unit => unit < at ? unit : unit < end ? -1 : unit - removed)
        this.length -= removed
      } else {
        const added = typeof change.insert === 'string' ? change.insert.length : 1
        const from = at
        this.units = this.units.map(unit => unit < from ? unit : unit + added)
        this.length += added
        at += added
      }
    }
  }

  /** Where a place in the field is in the text: behind the unit before it that is still there. */
  place (index: number): number {
    for (let at = index - 1; at >= 0; at--) {
      const unit = this.units[at] as number
      if (unit >= 0) return unit + 1
    }
    return this.units.find(unit => unit >= 0) ?? this.length
  }

  /**
   * The field was changed to `after`. Returns the splices that do the same to the text, to be made one after another;
   * what others wrote in between stays.
   */
  local (after: string, caret: number): Splice[] {
    const edit = diff(this.value, after, caret)
    if (edit === null) return []
    const gone = this.units.slice(edit.at, edit.at + edit.remove).filter(unit => unit >= 0)
    const at = this.place(edit.at)
    const splices: Splice[] = runs(gone).reverse().map(([from, remove]) => ({ at: from, remove, insert: '' }))
    const removedBefore = gone.filter(unit => unit < at).length
    const insertAt = at - removedBefore
    const first = splices.at(-1)
    if (splices.length === 1 && first !== undefined && first.at === insertAt) splices[0] = { ...first, insert: edit.insert }
    else if (edit.insert !== '') splices.push({ at: insertAt, remove: 0, insert: edit.insert })
    this.follow(after, edit, gone, insertAt)
    return splices
  }

  private follow (after: string, edit: Splice, gone: readonly number[], insertAt: number): void {
    const added = edit.insert.length
    const moved = (unit: number): number => {
      if (unit < 0) return unit
      const shrunk = unit - gone.filter(other => other < unit).length
      return shrunk >= insertAt ? shrunk + added : shrunk
    }
    this.units = [
      ...this.units.slice(0, edit.at).map(moved),
      ...Array.from({ length: added }, (_, at) => insertAt + at),
      ...this.units.slice(edit.at + edit.remove).map(moved)
    ]
    this.length += added - gone.length
    this.value = after
  }
}

/** Ascending numbers as runs: where each begins and how long it is. */
const runs = (numbers: readonly number[]): Array<[from: number, length: number]> => {
  const found: Array<[number, number]> = []
  for (const number of numbers) {
    const last = found.at(-1)
    if (last !== undefined && last[0] + last[1] === number) last[1]++
    else found.push([number, 1])
  }
  return found
}
