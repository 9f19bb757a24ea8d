/** Colours that nodes have when nobody chose one; the server's `crdt/src/map/color.rs` says the same. */
import type { NodeData } from '../../client/src/schema/schema.ts'
import type { Tree } from '../../client/src/schema/tree.ts'

const ROOT_COLOR = '#8B5CF6'
const GENERAL_COLOR = '#6B7280'
/** How far towards white a child's tone goes, in percent. */
const LIGHTER_PERCENT = 25
/** A tone whose brightness has reached this is not made lighter. */
const BRIGHTNESS_MAX = 215

/** What people choose from. A new branch of the root takes the next one. */
export const PALETTE = ['#3B82F6', '#10B981', '#F59E0B', '#EF4444', '#8B5CF6', '#EC4899', '#06B6D4', '#6B7280'] as const

/** How many of the palette new branches take in turn; grey is for those who choose it. */
const BRANCH_COLORS = 7

export const branchColor = (index: number): string => PALETTE[index % BRANCH_COLORS] ?? GENERAL_COLOR

export const channelsOf = (color: string): [red: number, green: number, blue: number] => {
  const value = Number.parseInt(color.slice(1), 16)
  return [value >> 16, value >> 8 & 255, value & 255]
}

export const lighter = (color: string): string => {
  const channels = channelsOf(color)
  const brightness = Math.floor((Math.max(...channels) + Math.min(...channels)) / 2)
  if (brightness >= BRIGHTNESS_MAX) return color.toUpperCase()
  const tones = channels.map(channel => channel + Math.floor((255 - channel) * LIGHTER_PERCENT / 100))
  return `#${tones.map(tone => tone.toString(16).padStart(2, '0')).join('').toUpperCase()}`
}

/** The colour of every node: its own, or a lighter tone of its parent's. */
export const colorsOf = (tree: Tree, nodes: ReadonlyMap<string, NodeData>): Map<string, string> => {
  const colors = new Map<string, string>()
  for (const id of tree.preorder) {
    const parent = tree.places.get(id)?.parent ?? null
    const above = parent === null ? null : colors.get(parent)
    const automatic = above != null ? lighter(above) : id === tree.root ? ROOT_COLOR : GENERAL_COLOR
    colors.set(id, nodes.get(id)?.color ?? automatic)
  }
  return colors
}

/** Whether dark letters are easier to read on it than white ones. */
export const isBright = (color: string): boolean => {
  const [red, green, blue] = channelsOf(color).map(channel => (channel / 255) ** 2.2) as [number, number, number]
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.36
}
