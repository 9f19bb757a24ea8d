/** Titles and summaries as a whole: what differs is spliced in, so that two people who change one text keep both changes. */
import type * as Y from 'yjs'
import { editableText, Local } from './edits.ts'
import { nodeMap, rootsOf, type TextField, textOf } from './schema.ts'
import { diff } from './text.ts'

const local = new Local()

/** The summary of a node; null when there is no such node. `readMap` says only whether there is one. */
export const readSummary = (doc: Y.Doc, id: string): string | null => {
  const node = nodeMap(rootsOf(doc), id)
  return node === null ? null : textOf(node.get('summary'))
}

/** False when there is no such node. */
export const renameNode = (doc: Y.Doc, id: string, title: string): boolean => write(doc, id, 'title', title)

/** False when there is no such node. */
export const setSummary = (doc: Y.Doc, id: string, summary: string): boolean => write(doc, id, 'summary', summary)

const write = (doc: Y.Doc, id: string, field: TextField, after: string): boolean => {
  const text = editableText(doc, id, field)
  if (text === null) return false
  const splice = diff(text.toString(), after)
  if (splice === null) return true
  doc.transact(() => {
    text.delete(splice.at, splice.remove)
    text.insert(splice.at, splice.insert)
  }, local)
  return true
}
