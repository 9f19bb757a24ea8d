/** A node as the page reads it, of which a test says what matters to it. */
import type { NodeData } from '../client/src/schema/schema.ts'

export const nodeData = (id: string, parent: string | null, more: Partial<NodeData> = {}): NodeData => ({
  id,
  title: id,
  hasSummary: false,
  parent,
  order: 'a0',
  color: null,
  collapsed: false,
  expandable: true,
  source: 'human',
  run: null,
  proposed: false,
  relationship: '',
  strength: null,
  ...more
})
