/** Buttons for all that the keyboard can do; on a phone they are the only way. */
import type { Board } from './board.ts'
import {
  addChild, addSibling, judge, judgedRun, move, redo, remove, rename, toggle, toggleCheck, toggleDetails, toggleExpander, undo
} from './commands.ts'
import { Expander } from './expander.tsx'
import { READ_ONLY } from './strips.tsx'
import { VERDICT_ICONS } from './verdict.tsx'
import type { Direction } from './walk.ts'

const ZOOM_STEP = 1.25

interface ToolProps {
  readonly label: string
  readonly keys?: string
  readonly icon: string
  readonly onClick: () => void
  readonly isOff?: boolean
  /** Why it is off, when that is not to be seen. */
  readonly why?: string | undefined
  /** For what is switched on and off. */
  readonly isOn?: boolean
}

const Tool = ({ label, keys, icon, onClick, isOff = false, why, isOn }: ToolProps) => (
  <button
    type='button' class='tool' title={why !== undefined ? `${label}: ${why}` : keys === undefined ? label : `${label} (${keys})`}
    aria-label={label} aria-pressed={isOn} disabled={isOff || why !== undefined}
    // The map keeps the keyboard.
    onMouseDown={event => event.preventDefault()} onClick={onClick}
  ><svg viewBox='0 0 24 24' aria-hidden='true'><path d={icon} /></svg><span>{label}</span>
  </button>
)

const ICONS = {
  child: 'M2 8h8v8H2zM10 12h3M18 8.5v7M14.5 12h7',
  sibling: 'M4 4h13v6H4zM10.5 13.5v7M7 17h7',
  expand: 'M11 4l1.9 5.1L18 11l-5.1 1.9L11 18l-1.9-5.1L4 11l5.1-1.9zM19 15v5M16.5 17.5h5',
  check: 'M4 6h16M4 11h9M4 16h6M13 17l3 3 5-6',
  rename: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3',
  details: 'M6 4h12v16H6zM9 9h6M9 13h6M9 17h3',
  fold: 'M5 12h5M19 6l-5 6 5 6',
  remove: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  up: 'M12 19V6M6 11l6-6 6 6',
  down: 'M12 5v13M6 13l6 6 6-6',
  left: 'M19 12H6M11 6l-6 6 6 6',
  right: 'M5 12h13M13 6l6 6-6 6',
  undo: 'M9 7L4 11l5 4M4 11h10a5 5 0 0 1 0 10h-3',
  redo: 'M15 7l5 4-5 4M20 11H10a5 5 0 0 0 0 10h3',
  plus: 'M12 5v14M5 12h14',
  minus: 'M5 12h14',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  history: 'M4 12a8 8 0 1 0 2.5-5.8M4 4v4h4M12 8v4.5l3 2',
  help: 'M9 9a3 3 0 1 1 4 3c-1 .5-1 1-1 2M12 18v0'
}

const NodeTools = ({ board, id }: { board: Board, id: string }) => {
  const { tree, nodes } = board.model.value
  const isRoot = id === tree.root
  const hasChildren = (tree.places.get(id)?.children.length ?? 0) > 0
  const why = board.isReadOnly.value ? READ_ONLY : undefined
  const mover = (direction: Direction, keys: string) =>
    <Tool label={`Move ${direction}`} keys={keys} icon={ICONS[direction]} why={why} isOff={isRoot} onClick={() => move(board, direction)} />
  return (
    <div class='tools node-tools panel' role='toolbar' aria-label='Selected node'>
      <Tool label='Add child' keys='Tab' icon={ICONS.child} why={why} onClick={() => addChild(board)} />
      <Tool label='Add sibling' keys='Enter' icon={ICONS.sibling} why={why} isOff={isRoot} onClick={() => addSibling(board)} />
      {!board.isReadOnly.value && <Tool label='Expand with AI' keys='Ctrl+E' icon={ICONS.expand} why={board.growth.whyNotExpand(id) ?? undefined} isOn={board.growth.isChoosing.value} onClick={() => toggleExpander(board)} />}
      {judgedRun(board, id) !== null && (
        <>
          <Tool label='Accept' keys='Ctrl+Enter' icon={VERDICT_ICONS.accept} onClick={() => judge(board, 'accept')} />
          <Tool label='Reject' keys='Ctrl+Del' icon={VERDICT_ICONS.reject} onClick={() => judge(board, 'reject')} />
        </>
      )}
      <Tool label='Rename' keys='F2' icon={ICONS.rename} why={why} onClick={() => rename(board)} />
      <Tool label='Details' keys='Alt+Enter' icon={ICONS.details} onClick={() => toggleDetails(board)} />
      <Tool label={nodes.get(id)?.collapsed === true ? 'Open' : 'Close'} keys='Space' icon={ICONS.fold} isOff={isRoot || !hasChildren} onClick={() => toggle(board)} />
      <Tool label='Delete' keys='Del' icon={ICONS.remove} why={why} isOff={isRoot} onClick={() => remove(board)} />
      <span class='rule' />
      {mover('up', 'Alt+↑')}{mover('down', 'Alt+↓')}{mover('left', 'Alt+←')}{mover('right', 'Alt+→')}
    </div>
  )
}

export const Tools = ({ board }: { board: Board }) => {
  const selected = board.selected.value
  const isEditable = board.isEditable.value
  const isReadOnly = board.isReadOnly.value
  const why = isReadOnly ? READ_ONLY : undefined
  return (
    <>
      {(isEditable || isReadOnly) && selected !== null && board.editing.value === null && <NodeTools board={board} id={selected} />}
      {isEditable && selected !== null && board.growth.isChoosing.value && <Expander key={selected} board={board} id={selected} />}
      <div class='tools view-tools panel' role='toolbar' aria-label='View'>
        <Tool label='Undo' keys='Ctrl+Z' icon={ICONS.undo} why={why} isOff={!isEditable} onClick={() => undo(board)} />
        <Tool label='Redo' keys='Ctrl+Shift+Z' icon={ICONS.redo} why={why} isOff={!isEditable} onClick={() => redo(board)} />
        <Tool label='Zoom out' keys='−' icon={ICONS.minus} onClick={() => board.camera?.zoomBy(1 / ZOOM_STEP)} />
        <Tool label='Zoom in' keys='+' icon={ICONS.plus} onClick={() => board.camera?.zoomBy(ZOOM_STEP)} />
        <Tool label='Whole map' keys='0' icon={ICONS.fit} onClick={() => board.fit()} />
        <Tool label='History' keys='Alt+H' icon={ICONS.history} isOn={board.history.isOpen.value} onClick={() => board.history.toggle()} />
        {!isReadOnly && <Tool label='Check coherence' icon={ICONS.check} isOn={board.growth.isCheckOpen.value} onClick={() => toggleCheck(board)} />}
        <Tool label='Keys' keys='?' icon={ICONS.help} onClick={() => { board.isHelpOpen.value = true }} />
      </div>
    </>
  )
}
