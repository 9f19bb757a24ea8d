/** The keyboard, as a table from keys to commands; the help page shows the same keys. */
import type { Board } from './board.ts'
import * as commands from './commands.ts'
import type { Direction } from './walk.ts'

export const KEYS: ReadonlyArray<readonly [keys: string, what: string]> = [
  ['Arrows', 'Go to the next node in that direction'],
  ['Tab', 'Add a child'],
  ['Enter', 'Add a sibling below'],
  ['F2, double click, or just type', 'Rename'],
  ['Esc', 'Leave the title, then the selection'],
  ['Delete', 'Delete the node with everything below it'],
  ['Space', 'Open or close the branch'],
  ['Alt + ↑ ↓', 'Move among its siblings'],
  ['Alt + ← →', 'Move out of, or into, the neighbour; from one side of the root to the other'],
  ['Ctrl + E, Ctrl + Shift + E', 'Expand with AI; say how first'],
  ['Ctrl + Enter, Ctrl + Delete', 'Accept, reject an idea of the AI'],
  ['Alt + Enter', 'Details: summary and colour'],
  ['Alt + H', 'History: keep, see and restore versions'],
  ['Ctrl + Z, Ctrl + Shift + Z', 'Undo, redo what you did'],
  ['+  −  0', 'Zoom in, zoom out, show the whole map'],
  ['?', 'These keys']
]

const ARROWS: Record<string, Direction> = { ArrowUp: 'up', ArrowDown: 'down', ArrowLeft: 'left', ArrowRight: 'right' }
const ZOOM_STEP = 1.25

type Command = (board: Board) => void

const PLAIN: Record<string, Command> = {
  Tab: board => commands.addChild(board),
  Enter: board => commands.addSibling(board),
  F2: board => commands.rename(board),
  Delete: board => commands.remove(board),
  Backspace: board => commands.remove(board),
  ' ': board => commands.toggle(board),
  Escape: board => board.select(null),
  '+': board => board.camera?.zoomBy(ZOOM_STEP),
  '-': board => board.camera?.zoomBy(1 / ZOOM_STEP),
  0: board => board.fit(),
  '?': board => { board.isHelpOpen.value = true }
}

/** By its place on the keyboard: on a Mac, Alt makes another letter of it. */
export const isHistoryKey = ({ altKey, ctrlKey, metaKey, code }: KeyboardEvent): boolean => altKey && !ctrlKey && !metaKey && code === 'KeyH'

/** These would leave the map when nothing is selected: then Tab goes to the next control, as everywhere. */
const NEED_SELECTION = new Set(['Tab', 'Enter', ' ', 'Delete', 'Backspace', 'Escape', 'F2'])

const commandOf = (event: KeyboardEvent, hasSelection: boolean): Command | null => {
  const { key } = event
  const arrow = ARROWS[key]
  if (event.ctrlKey || event.metaKey) {
    if (key.toLowerCase() === 'z') return event.shiftKey ? commands.redo : commands.undo
    if (key.toLowerCase() === 'e') return event.shiftKey ? commands.toggleExpander : commands.expand
    if (key === 'Enter') return board => commands.judge(board, 'accept')
    if (key === 'Delete' || key === 'Backspace') return board => commands.judge(board, 'reject')
    return key.toLowerCase() === 'y' ? commands.redo : null
  }
  if (event.altKey) {
    if (arrow !== undefined) return board => commands.move(board, arrow)
    if (isHistoryKey(event)) return board => board.history.toggle()
    return key === 'Enter' && hasSelection ? commands.toggleDetails : null
  }
  if (arrow !== undefined) return board => commands.go(board, arrow)
  if (event.shiftKey && key === 'Tab') return null
  if (NEED_SELECTION.has(key) && !hasSelection) return null
  return PLAIN[key] ?? null
}

/** A key on the map itself, not in a text field. */
export const onMapKey = (board: Board, event: KeyboardEvent): void => {
  if (event.key === 'Escape' && board.past.value !== null) return board.history.back()
  const { key } = event
  const hasSelection = board.selected.value !== null
  const command = commandOf(event, hasSelection)
  if (command !== null) {
    // Where nothing can be added, Tab goes on to the next control, as everywhere.
    if (key !== 'Tab' || !board.isReadOnly.value) event.preventDefault()
    command(board)
    return
  }
  if (event.ctrlKey || event.metaKey || event.altKey || !hasSelection) return
  // An input method begins: the field must have the focus before it goes on.
  if (key === 'Process' || event.isComposing) commands.rename(board)
  else if ([...key].length === 1) {
    event.preventDefault()
    commands.rename(board, board.selected.value, key)
  }
}

/** A key in a title that is open. */
export const onTitleKey = (board: Board, event: KeyboardEvent): void => {
  event.stopPropagation()
  // Enter and Esc belong to the input method while it composes; Safari reports the last of them after its end, as 229.
  if (event.isComposing || event.keyCode === 229) return
  const isUndo = (event.ctrlKey || event.metaKey) && ['z', 'y'].includes(event.key.toLowerCase())
  if (isUndo) {
    event.preventDefault()
    commandOf(event, true)?.(board)
  } else if (event.key === 'Enter' || event.key === 'Escape' || event.key === 'F2') {
    event.preventDefault()
    commands.stopEditing(board)
  } else if (event.key === 'Tab' && !event.shiftKey) {
    event.preventDefault()
    commands.stopEditing(board)
    commands.addChild(board)
  }
}
