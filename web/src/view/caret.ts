/** Where somebody else's caret is in a title. */
import * as Y from 'yjs'
import { nodeMap, rootsOf } from '../../client/src/schema/schema.ts'

/** Null when what they sent is no place in this title. */
export const caretIn = (doc: Y.Doc, node: string, caret: unknown): number | null => {
  const text = nodeMap(rootsOf(doc), node)?.get('title')
  if (!(text instanceof Y.Text) || typeof caret !== 'object' || caret === null) return null
  try {
    const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(caret), doc)
    return found?.type === text ? found.index : null
  } catch {
    return null
  }
}
