/** The side panel: the whole title, the summary that people write together, and the colour. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { PALETTE } from '../model/color.ts'
import { editableText, setColor } from '../../client/src/schema/edits.ts'
import { nodeMap, rootsOf, SUMMARY_LENGTH_MAX, textOf } from '../../client/src/schema/schema.ts'
import { bindText } from './bind.ts'
import type { Board } from './board.ts'
import { redo, undo } from './commands.ts'
import { READ_ONLY } from './strips.tsx'

const Summary = ({ board, id }: { board: Board, id: string }) => {
  const field = useRef<HTMLTextAreaElement>(null)
  const isEditable = board.isEditable.value
  // Read here so that the panel is drawn again, and tied anew, when somebody replaces the text.
  const text = nodeMap(rootsOf(board.session.doc), id)?.get('summary')
  useLayoutEffect(() => {
    const element = field.current
    if (element === null) return
    element.value = textOf(text)
    if (!isEditable) return
    let untie: (() => void) | null = null
    // Only who begins to write makes a shared text of what is none.
    const tie = () => {
      const shared = untie === null ? editableText(board.session.doc, id, 'summary') : null
      if (shared !== null) untie = bindText(element, shared, { isOneLine: false })
    }
    if (text !== undefined && typeof text === 'object') tie()
    element.addEventListener('focus', tie)
    return () => {
      element.removeEventListener('focus', tie)
      untie?.()
    }
  }, [board, id, text, isEditable])
  return (
    <textarea
      ref={field} class='summary' rows={8} dir='auto' aria-label='Summary' maxLength={SUMMARY_LENGTH_MAX} readOnly={!isEditable}
      placeholder={board.isReadOnly.value ? 'There is none.' : 'What is it about? Everybody writes here together.'}
      onKeyDown={event => {
        const isUndo = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'z'
        if (isUndo) {
          event.preventDefault()
          if (event.shiftKey) redo(board)
          else undo(board)
        } else if (event.key === 'Escape') board.isPanelOpen.value = false
      }}
    />
  )
}

const Colors = ({ board, id }: { board: Board, id: string }) => {
  const own = board.model.value.nodes.get(id)?.color ?? null
  const choose = (color: string | null) => {
    board.undo.stopCapturing()
    setColor(board.session.doc, id, color)
  }
  return (
    <div class='swatches' role='radiogroup' aria-label='Colour'>
      <button type='button' role='radio' class='swatch automatic' aria-checked={own === null} onClick={() => choose(null)}>Auto</button>
      {PALETTE.map(color => (
        <button
          key={color} type='button' role='radio' class='swatch' aria-label={color} aria-checked={own?.toUpperCase() === color}
          style={{ '--node': color }} onClick={() => choose(color)}
        />
      ))}
      <input type='color' aria-label='Another colour' value={own ?? board.colors.value.get(id) ?? '#6b7280'} onChange={event => choose(event.currentTarget.value.toUpperCase())} />
    </div>
  )
}

export const Details = ({ board }: { board: Board }) => {
  const id = board.selected.value
  if (!board.isPanelOpen.value || board.past.value !== null || id === null) return null
  const node = board.model.value.nodes.get(id)
  if (node === undefined) return null
  return (
    <aside class='details panel' aria-label='Details'>
      <div class='head'>
        <h2 dir='auto'>{node.title || 'Untitled'}</h2>
        <button type='button' class='button quiet' aria-label='Close details' onClick={() => { board.isPanelOpen.value = false }}>×</button>
      </div>
      <h3>Summary</h3>
      <Summary key={id} board={board} id={id} />
      <h3>Colour</h3>
      <fieldset disabled={!board.isEditable.value} title={board.isReadOnly.value ? READ_ONLY : undefined}><Colors board={board} id={id} /></fieldset>
    </aside>
  )
}
