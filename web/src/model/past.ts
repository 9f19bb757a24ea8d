/** How a map was: the server's JSON of a version, read as what is drawn. */
import type { MapModel } from '../../client/src/schema/mirror.ts'
import { type NodeData, sourceOf, strengthOf } from '../../client/src/schema/schema.ts'
import { derive } from '../../client/src/schema/tree.ts'

export interface NodeJson {
  readonly id: string
  readonly title: string
  readonly summary: string
  readonly color: string
  readonly parent_id: string | null
  readonly order: string
  readonly state?: string
  readonly expandable?: boolean
  readonly source?: string
  readonly run?: string | null
  readonly relationship?: string
  readonly strength?: number
}

export interface EdgeJson {
  readonly id: string
  readonly source: string
  readonly target: string
  readonly relationship: string
  /** True for the edges of the tree. */
  readonly derived?: boolean
}

export interface GraphJson {
  readonly topic: string
  readonly language?: string | null
  /** Depth first, from the root. */
  readonly nodes: readonly NodeJson[]
  readonly edges: readonly EdgeJson[]
}

/** Who looks at an old map wants to see all of it, and cannot open branches there: so all are open. */
export const modelOf = ({ topic, language = null, nodes: list, edges }: GraphJson): MapModel => {
  const read = list.map(dataOf)
  const nodes = new Map(read.map(node => [node.id, node]))
  const links = edges.filter(edge => edge.derived !== true && nodes.has(edge.source) && nodes.has(edge.target))
  return { topic, language, nodes, edges: links, tree: derive(read, list[0]?.id ?? null) }
}

const dataOf = (node: NodeJson): NodeData => ({
  id: node.id,
  title: node.title,
  hasSummary: node.summary !== '',
  parent: node.parent_id,
  order: node.order,
  color: node.color,
  collapsed: false,
  expandable: node.expandable !== false,
  source: sourceOf(node.source),
  run: node.run ?? null,
  proposed: node.state === 'proposed',
  relationship: node.relationship ?? '',
  strength: strengthOf(node.strength)
})
