/**
 * A plain copy of the map in a document. It notes what changes and, when asked, reads only that again: an edit of one
 * title in a map of thousands of nodes costs the reading of one node.
 */
import * as Y from 'yjs'
import { type EdgeData, type NodeData, readEdge, readLanguage, readNode, readRoot, readTopic, type Roots, rootsOf } from './schema.ts'
import { derive, type Tree } from './tree.ts'

export interface MapModel {
  readonly topic: string
  /** The language in which it is written (BCP 47), when it says so. */
  readonly language: string | null
  readonly nodes: ReadonlyMap<string, NodeData>
  /** Cross links whose ends both exist. */
  readonly edges: readonly EdgeData[]
  readonly tree: Tree
}

export class Mirror {
  readonly roots: Roots
  private readonly nodes = new Map<string, NodeData>()
  private readonly changed = new Set<string>()
  private tree: Tree | null = null
  private readonly stop: () => void

  /** `onChange` is called after each transaction that touched the map; `read` then gives the new state. */
  constructor (doc: Y.Doc, onChange: () => void) {
    this.roots = rootsOf(doc)
    const { meta, nodes, edges } = this.roots
    for (const id of nodes.keys()) this.changed.add(id)
    const onNodes = (events: Array<Y.YEvent<never>>) => {
      for (const event of events) {
        if (event.path.length > 0) this.changed.add(String(event.path[0]))
        else for (const id of event.changes.keys.keys()) this.changed.add(id)
      }
      onChange()
    }
    const onOthers = () => {
      this.tree = null
      onChange()
    }
    nodes.observeDeep(onNodes as never)
    meta.observeDeep(onOthers)
    edges.observeDeep(onChange)
    this.stop = () => {
      nodes.unobserveDeep(onNodes as never)
      meta.unobserveDeep(onOthers)
      edges.unobserveDeep(onChange)
    }
  }

  destroy (): void {
    this.stop()
  }

  read (): MapModel {
    for (const id of this.changed) this.readAgain(id)
    this.changed.clear()
    this.tree ??= derive([...this.nodes.values()], readRoot(this.roots))
    return {
      topic: readTopic(this.roots), language: readLanguage(this.roots), nodes: new Map(this.nodes), edges: this.readEdges(), tree: this.tree
    }
  }

  private readAgain (id: string): void {
    const node = this.roots.nodes.get(id)
    const before = this.nodes.get(id)
    if (!(node instanceof Y.Map)) {
      this.nodes.delete(id)
      if (before !== undefined) this.tree = null
      return
    }
    const after = readNode(id, node)
    if (before === undefined || before.parent !== after.parent || before.order !== after.order) this.tree = null
    this.nodes.set(id, after)
  }

  private readEdges (): EdgeData[] {
    const edges: EdgeData[] = []
    for (const [id, value] of this.roots.edges) {
      const edge = value instanceof Y.Map ? readEdge(id, value) : null
      if (edge !== null && this.nodes.has(edge.source) && this.nodes.has(edge.target)) edges.push(edge)
    }
    return edges
  }
}
