/**
 * How large cards are. The browser itself is asked, because only it knows how it breaks lines; all cards that are new
 * are asked for at once, which costs one layout, and answers are kept.
 */
import type { MapModel } from '../../client/src/schema/mirror.ts'
import type { Size } from './layout.ts'

/** The style of a card: the root, a branch of the root or floating topic, or anything below. */
export type Level = 'root' | 'main' | 'leaf'

/** Answers kept; beyond that all are asked again. */
const KEPT_MAX = 20_000
/** More of a title is not shown on its card; the side panel has all of it. */
export const TITLE_SHOWN_MAX = 400
/** What a node without a title shows. */
export const UNTITLED = 'Untitled'

export const levelOf = (model: MapModel, id: string): Level => {
  const place = model.tree.places.get(id)
  if (id === model.tree.root) return 'root'
  return place === undefined || place.parent === null || place.parent === model.tree.root ? 'main' : 'leaf'
}

export const shownTitle = (title: string): string =>
  title.trim() === '' ? UNTITLED : title.length > TITLE_SHOWN_MAX ? `${title.slice(0, TITLE_SHOWN_MAX)}…` : title

export class Measure {
  private readonly kept = new Map<string, Size>()

  /** `room` is an element that is laid out and not seen. */
  constructor (private readonly room: HTMLElement) {}

  /** The size of every card; the one that is being edited has room for a caret. */
  sizes (model: MapModel, editing: string | null): (id: string) => Size {
    if (this.kept.size > KEPT_MAX) this.kept.clear()
    const keys = new Map<string, string>()
    const unknown = new Map<string, { level: Level, text: string }>()
    for (const [id, node] of model.nodes) {
      const level = levelOf(model, id)
      const isEdited = id === editing
      // Behind the last letter there must be room for the next one, and an empty last line needs something in it.
      const text = isEdited ? `${node.title.slice(0, TITLE_SHOWN_MAX)}\u00A0` : shownTitle(node.title)
      const key = `${level}${isEdited ? '!' : ' '}${text}`
      keys.set(id, key)
      if (!this.kept.has(key)) unknown.set(key, { level, text })
    }
    if (unknown.size > 0) this.ask(unknown)
    const none = { w: 0, h: 0 }
    return id => this.kept.get(keys.get(id) ?? '') ?? none
  }

  /** Asks again from scratch: fonts or zoom of the text have changed. */
  forget (): void {
    this.kept.clear()
  }

  private ask (unknown: ReadonlyMap<string, { level: Level, text: string }>): void {
    const cards: Array<[key: string, card: HTMLElement]> = []
    for (const [key, { level, text }] of unknown) {
      const card = document.createElement('div')
      const title = document.createElement('div')
      card.className = `card ${level}`
      title.className = 'title'
      title.dir = 'auto'
      title.textContent = text
      card.append(title)
      cards.push([key, card])
    }
    this.room.replaceChildren(...cards.map(([, card]) => card))
    for (const [key, card] of cards) {
      const { width, height } = card.getBoundingClientRect()
      // A hair of slack, so that rounding never breaks a line that was measured as one.
      this.kept.set(key, { w: Math.ceil(width) + 1, h: Math.ceil(height) })
    }
    this.room.replaceChildren()
  }
}
