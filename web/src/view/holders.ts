/**
 * Who else is at which node. Pointers move many times a second and change nothing here, so what is the same stays the
 * same object, and no card is drawn again for it.
 */
import type { Other } from '../live/presence.ts'

export interface Holder {
  readonly id: number
  readonly name: string
  readonly color: string
  /** Where they type: a relative position as JSON. Undefined when they do not. */
  readonly caret: unknown
}

export type Holders = ReadonlyMap<string, readonly Holder[]>

export const holdersOf = (others: readonly Other[], before: Holders): Holders => {
  const found = new Map<string, Holder[]>()
  for (const { id, name, color, selected, editing } of others) {
    const node = editing?.node ?? selected
    if (node === null) continue
    const holder = { id, name, color, caret: editing?.caret }
    const list = found.get(node)
    if (list === undefined) found.set(node, [holder])
    else list.push(holder)
  }
  const holders = new Map([...found].map(([node, list]) => [node, keep(before.get(node), list)]))
  const isSame = holders.size === before.size && [...holders].every(([node, list]) => before.get(node) === list)
  return isSame ? before : holders
}

const keep = (before: readonly Holder[] | undefined, after: readonly Holder[]): readonly Holder[] =>
  before !== undefined && JSON.stringify(before) === JSON.stringify(after) ? before : after
