/** What somebody who may only read has opened and closed: for themselves, over what the map says. */
import type { MapModel } from '../../client/src/schema/mirror.ts'

export class Folds {
  private own = new Map<string, boolean>()

  set (id: string, isCollapsed: boolean): void {
    this.own.set(id, isCollapsed)
  }

  clear (): void {
    this.own = new Map()
  }

  over (model: MapModel): MapModel {
    const differing = [...this.own].flatMap(([id, collapsed]) => {
      const node = model.nodes.get(id)
      return node === undefined || node.collapsed === collapsed ? [] : [[id, { ...node, collapsed }] as const]
    })
    return differing.length === 0 ? model : { ...model, nodes: new Map([...model.nodes, ...differing]) }
  }
}
