/** How a map was: the server's JSON of a version, read as what is drawn. */
import type { MapModel } from '../../client/src/schema/mirror.ts'
import { derive } from '../../client/src/schema/tree.ts'

export interface NodeJson {
  readonly id: string
  readonly title: string
  readonly summary: string
  readonly color: string
  readonly parent_id: string | null
  readonly order: string
  readonly state?: string
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
  /** Depth first, from the root. */
  readonly nodes: readonly NodeJson[]
  readonly edges: readonly EdgeJson[]
}

/** Who looks at an old map wants to see all of it, and cannot open branches there: so all are open. */
export const modelOf = ({ topic, nodes: list, edges }: GraphJson): MapModel => {
  const read = list.map(({ id, title, summary, color, parent_id, order, state }) =>
    ({ id, title, hasSummary: summary !== '', parent: parent_id, order, color, collapsed: false, proposed: state === 'proposed' }))
  const nodes = new Map(read.map(node => [node.id, node]))
  const links = edges.filter(edge => edge.derived !== true && nodes.has(edge.source) && nodes.has(edge.target))
  return { topic, nodes, edges: links, tree: derive(read, list[0]?.id ?? null) }
}
