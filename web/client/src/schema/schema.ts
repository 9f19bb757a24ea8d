/** Reads a map out of a document (schema 1), whatever else it holds. A value of a wrong type counts as missing. */
import * as Y from 'yjs'
import type { ParentLink } from './tree.ts'

/** The schema that is written into `meta.schema`. */
export const SCHEMA = 1

/** What the server takes over HTTP is also what this page lets people type. */
export const TITLE_LENGTH_MAX = 1000
export const SUMMARY_LENGTH_MAX = 20_000

export interface NodeData {
  readonly id: string
  readonly title: string
  readonly hasSummary: boolean
  readonly parent: ParentLink
  readonly order: string
  /** `#RRGGBB`, null when nobody chose one. */
  readonly color: string | null
  readonly collapsed: boolean
  /** Proposed by an AI run and not accepted yet. */
  readonly proposed: boolean
}

export interface EdgeData {
  readonly id: string
  readonly source: string
  readonly target: string
  readonly relationship: string
}

export type TextField = 'title' | 'summary'

export interface Roots {
  readonly meta: Y.Map<unknown>
  readonly nodes: Y.Map<unknown>
  readonly edges: Y.Map<unknown>
}

export const rootsOf = (doc: Y.Doc): Roots =>
  ({ meta: doc.getMap('meta'), nodes: doc.getMap('nodes'), edges: doc.getMap('edges') })

/** The node's own map, when it is one. */
export const nodeMap = (roots: Roots, id: string): Y.Map<unknown> | null => {
  const node = roots.nodes.get(id)
  return node instanceof Y.Map ? node : null
}

const stringOf = (value: unknown): string | null => typeof value === 'string' ? value : null

/** A text that may be a `Y.Text` or a plain string. */
export const textOf = (value: unknown): string =>
  value instanceof Y.Text ? value.toString() : stringOf(value) ?? ''

const parentOf = (value: unknown): ParentLink =>
  value === undefined || value === null ? null : typeof value === 'string' ? value : false

export const readNode = (id: string, node: Y.Map<unknown>): NodeData => {
  const color = stringOf(node.get('color'))
  const summary = node.get('summary')
  return {
    id,
    title: textOf(node.get('title')),
    hasSummary: summary instanceof Y.Text ? summary.length > 0 : textOf(summary) !== '',
    parent: parentOf(node.get('parent')),
    order: stringOf(node.get('order')) ?? '',
    color: color !== null && /^#[0-9a-f]{6}$/i.test(color) ? color : null,
    collapsed: node.get('collapsed') === true,
    proposed: node.get('state') === 'proposed'
  }
}

export const readEdge = (id: string, edge: Y.Map<unknown>): EdgeData | null => {
  const source = stringOf(edge.get('source'))
  const target = stringOf(edge.get('target'))
  if (source === null || target === null) return null
  return { id, source, target, relationship: textOf(edge.get('relationship')) }
}

export const readTopic = (roots: Roots): string => textOf(roots.meta.get('topic'))
export const readRoot = (roots: Roots): string | null => stringOf(roots.meta.get('root'))
