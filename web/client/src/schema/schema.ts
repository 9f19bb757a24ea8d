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
  /** Whether an AI may be asked to expand it. */
  readonly expandable: boolean
  /** Who made it; a source that is not known here counts as missing. */
  readonly source: NodeSource | null
  /** The id of the AI job that made it. */
  readonly run: string | null
  /** Proposed by that job and not accepted yet (`state`). */
  readonly proposed: boolean
  /** What it is to its parent, in a few words; empty when nobody said. */
  readonly relationship: string
  /** How strong that is, 0 to 1. */
  readonly strength: number | null
}

export type NodeSource = 'human' | 'ai' | 'template' | 'import'

const SOURCES: ReadonlySet<unknown> = new Set<NodeSource>(['human', 'ai', 'template', 'import'])

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
    expandable: node.get('expandable') !== false,
    source: sourceOf(node.get('source')),
    run: stringOf(node.get('run')),
    proposed: node.get('state') === 'proposed',
    relationship: textOf(node.get('relationship')),
    strength: strengthOf(node.get('strength'))
  }
}

export const sourceOf = (value: unknown): NodeSource | null => SOURCES.has(value) ? value as NodeSource : null

export const strengthOf = (value: unknown): number | null =>
  typeof value === 'number' && value >= 0 && value <= 1 ? value : null

export const readEdge = (id: string, edge: Y.Map<unknown>): EdgeData | null => {
  const source = stringOf(edge.get('source'))
  const target = stringOf(edge.get('target'))
  if (source === null || target === null) return null
  return { id, source, target, relationship: textOf(edge.get('relationship')) }
}

export const readTopic = (roots: Roots): string => textOf(roots.meta.get('topic'))
/** The language in which the map is written (BCP 47), when it says so. */
export const readLanguage = (roots: Roots): string | null => stringOf(roots.meta.get('language'))
export const readRoot = (roots: Roots): string | null => stringOf(roots.meta.get('root'))
