/** What people can do, whether by key, button or pointer. */
import { branchColor } from '../model/color.ts'
import { addNode, beginMap, followRootTitle, moveNode, removeBranch, setCollapsed, type Spot } from '../../client/src/schema/edits.ts'
import { TITLE_LENGTH_MAX } from '../../client/src/schema/schema.ts'
import { branch, siblingsUnder } from '../../client/src/schema/tree.ts'
import type { Board } from './board.ts'
import { shownTitle } from './measure.ts'
import { type Direction, shift, walk } from './walk.ts'

const mayEdit = (board: Board): boolean => board.isEditable.value

/** The same, for somebody who tries to: they are told when they may not. */
const wantsToEdit = (board: Board): boolean => {
  if (!mayEdit(board)) board.deny()
  return mayEdit(board)
}

/** Ends the step that undo takes back, does something, and shows it at once, with the card `held` where it is. */
const step = (board: Board, held: string | null, run: () => void): void => {
  if (!wantsToEdit(board)) return
  board.undo.stopCapturing()
  board.held = held
  run()
  board.refresh()
  board.held = null
  board.undo.stopCapturing()
}

const parentOf = (board: Board, id: string): string | null => board.model.value.tree.places.get(id)?.parent ?? board.model.value.tree.root

export const titleOf = (board: Board, id: string): string => shownTitle(board.model.value.nodes.get(id)?.title ?? '')

/** The first node of a map that has none. */
export const begin = (board: Board, topic: string): void =>
  step(board, null, () => board.selectAndReveal(beginMap(board.session.doc, topic, new Date())))

const add = (board: Board, spot: Spot, color: string | null): void => step(board, spot.parent, () => {
  const id = addNode(board.session.doc, spot, { color })
  if (id === null) return
  board.refresh()
  board.editing.value = { id, initial: null, isNew: true, before: '' }
  board.selectAndReveal(id)
})

export const addChild = (board: Board, parent: string | null = board.selected.value): void => {
  board.catchUp()
  if (parent === null) return
  const { tree } = board.model.value
  const at = siblingsUnder(tree, parent).length
  add(board, { parent, at }, parent === tree.root ? branchColor(at) : null)
}

/** Writes down what a map was found to lack. */
export const addIdea = (board: Board, title: string): void => {
  board.catchUp()
  const { tree } = board.model.value
  if (tree.root === null) return
  const spot = { parent: tree.root, at: siblingsUnder(tree, tree.root).length }
  step(board, tree.root, () => {
    addNode(board.session.doc, spot, { title: title.slice(0, TITLE_LENGTH_MAX), color: branchColor(spot.at) })
    board.news.value = `Added “${title}”`
  })
}

/** Below the selected node, on its side; beside the root there is no place, so there it is a child. */
export const addSibling = (board: Board): void => {
  board.catchUp()
  const id = board.selected.value
  const { tree } = board.model.value
  const place = id === null ? undefined : tree.places.get(id)
  if (id === null || place === undefined || id === tree.root) return addChild(board)
  const siblings = siblingsUnder(tree, place.parent)
  const isBranch = place.parent !== null && place.parent === tree.root
  const side = board.layout.value.boxes.get(id)?.side
  const spot = { parent: place.parent, at: siblings.indexOf(id) + 1 }
  add(board, isBranch && side !== undefined ? { ...spot, side } : spot, isBranch ? branchColor(siblings.length) : null)
}

/** Opens the title; `initial` was typed already and replaces it. */
export const rename = (board: Board, id = board.selected.value, initial: string | null = null): void => {
  if (id === null || board.editing.value?.id === id || !wantsToEdit(board)) return
  if (board.editing.value !== null) stopEditing(board)
  board.undo.stopCapturing()
  board.editing.value = { id, initial, isNew: false, before: board.model.value.nodes.get(id)?.title ?? '' }
  board.selectAndReveal(id)
  board.refresh()
}

/** Leaves the title. A node that was made just now and got none goes away again, unless somebody gave it children. */
export const stopEditing = (board: Board): void => {
  board.catchUp()
  const editing = board.editing.value
  if (editing === null) return
  board.editing.value = null
  const { nodes, tree } = board.model.value
  if (editing.id === tree.root) renameMap(board, editing.before)
  board.undo.stopCapturing()
  const isLeftEmpty = nodes.get(editing.id)?.title.trim() === '' && siblingsUnder(tree, editing.id).length === 0
  if (editing.isNew && isLeftEmpty && mayEdit(board)) removeBranch(board.session.doc, editing.id)
  board.refresh()
}

/** The map's name goes along with the title of its root, and both are undone together. */
const renameMap = (board: Board, before: string): void => {
  if (!mayEdit(board)) return
  const { captureTimeout } = board.undo
  board.undo.captureTimeout = Infinity
  followRootTitle(board.session.doc, before)
  board.undo.captureTimeout = captureTimeout
}

export const remove = (board: Board): void => {
  board.catchUp()
  const id = board.selected.value
  const { tree } = board.model.value
  if (id === null || !wantsToEdit(board)) return
  if (id === tree.root) {
    board.news.value = 'The root of a map stays. Rename it, or delete the map in the list.'
    return
  }
  const below = branch(tree, id).length - 1
  const doIt = () => step(board, parentOf(board, id), () => {
    removeBranch(board.session.doc, id)
    board.news.value = below === 0 ? `Deleted ${titleOf(board, id)}` : `Deleted ${titleOf(board, id)} and ${below} more`
  })
  if (below === 0) return doIt()
  board.question.value = {
    title: `Delete “${titleOf(board, id).slice(0, 60)}”?`,
    text: below === 1 ? 'The node below it goes too.' : `The ${below} nodes below it go too.`,
    action: `Delete ${below + 1} nodes`,
    onYes: doIt
  }
}

export const toggle = (board: Board, id = board.selected.value): void => {
  board.catchUp()
  const { tree, nodes } = board.model.value
  if (id === null || id === tree.root || siblingsUnder(tree, id).length === 0) return
  const isCollapsed = nodes.get(id)?.collapsed !== true
  if (!board.isReadOnly.value) return step(board, id, () => setCollapsed(board.session.doc, id, isCollapsed))
  board.folds.set(id, isCollapsed)
  board.held = id
  board.refresh()
  board.held = null
}

export const moveTo = (board: Board, id: string, spot: Spot): void => step(board, spot.parent ?? board.model.value.tree.root, () => {
  moveNode(board.session.doc, id, spot)
})

export const move = (board: Board, direction: Direction): void => {
  board.catchUp()
  const id = board.selected.value
  const spot = id === null ? null : shift(board.model.value.tree, board.layout.value, id, direction)
  if (id === null || spot === null) return
  moveTo(board, id, spot)
  board.selectAndReveal(id)
}

export const go = (board: Board, direction: Direction): void => {
  board.catchUp()
  const next = walk(board.model.value.tree, board.layout.value, board.selected.value, direction)
  if (next !== null) board.selectAndReveal(next)
}

export const toggleDetails = (board: Board): void => {
  board.history.close()
  board.growth.isCheckOpen.value = false
  board.isPanelOpen.value = !board.isPanelOpen.value
}

export const undo = (board: Board): void => {
  if (!wantsToEdit(board)) return
  board.undo.undo()
  board.refresh()
}

export const redo = (board: Board): void => {
  if (!wantsToEdit(board)) return
  board.undo.redo()
  board.refresh()
}

export const expand = (board: Board): void => {
  const { value: id } = board.selected
  if (id !== null) board.growth.expand(id)
}

/** The form in which one says how. */
export const toggleExpander = (board: Board): void => {
  board.growth.isChoosing.value = !board.growth.isChoosing.value && board.selected.value !== null && mayEdit(board)
}

/** The job whose idea a node is, when it waits for a yes or no that can be given now. */
export const judgedRun = (board: Board, id: string | null): string | null => {
  const node = board.model.value.nodes.get(id ?? '')
  const { running, judging } = board.growth
  if (node?.proposed !== true || node.run === null || !mayEdit(board)) return null
  return running.value.has(node.run) || judging.value.has(node.id) ? null : node.run
}

export const judge = (board: Board, how: 'accept' | 'reject'): void => {
  const { value: id } = board.selected
  const run = judgedRun(board, id)
  if (id !== null && run !== null) board.growth.judge(how, run, id)
}

export const toggleCheck = (board: Board): void => {
  const { isCheckOpen, own } = board.growth
  board.history.close()
  board.isPanelOpen.value = false
  isCheckOpen.value = !isCheckOpen.value
  if (isCheckOpen.value && !own.value.some(run => run.wish.kind === 'coherence')) board.growth.check()
}
