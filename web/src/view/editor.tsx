/** The field in which a title is typed. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import type * as Y from 'yjs'
import { editableText } from '../../client/src/schema/edits.ts'
import { TITLE_LENGTH_MAX } from '../../client/src/schema/schema.ts'
import { bindText } from './bind.ts'
import type { Board } from './board.ts'
import { redo, stopEditing, undo } from './commands.ts'
import { onTitleKey } from './keys.ts'

export const Editor = ({ board, id, title }: { board: Board, id: string, title: string }) => {
  const field = useRef<HTMLTextAreaElement>(null)
  const bound = useRef<{ text: Y.Text, untie: () => void } | null>(null)

  // Somebody may put another text in the place of this one; so at each change it is made sure that it is the same.
  useLayoutEffect(() => {
    if (field.current === null) return
    const text = editableText(board.session.doc, id, 'title')
    if (text === null || text === bound.current?.text) return
    bound.current?.untie()
    const onCaret = (caret: unknown) => board.session.presence.edit({ node: id, caret })
    bound.current = { text, untie: bindText(field.current, text, { isOneLine: true, onCaret }) }
  }, [board, id, title])

  useLayoutEffect(() => {
    const element = field.current
    if (element === null) return
    const initial = board.editing.value?.initial ?? null
    element.focus({ preventScroll: true })
    element.select()
    if (initial !== null) {
      element.setRangeText(initial, 0, element.value.length, 'end')
      element.dispatchEvent(new Event('input'))
    }
    return () => {
      bound.current?.untie()
      bound.current = null
    }
  }, [board, id])

  const onBeforeInput = (event: InputEvent) => {
    // The browser's own undo knows nothing of what others typed.
    if (event.inputType !== 'historyUndo' && event.inputType !== 'historyRedo') return
    event.preventDefault()
    if (event.inputType === 'historyUndo') undo(board)
    else redo(board)
  }

  return (
    <textarea
      ref={field} class='title' rows={1} maxLength={TITLE_LENGTH_MAX} aria-label='Title' dir='auto' spellcheck={false}
      onKeyDown={event => onTitleKey(board, event)}
      onBeforeInput={event => onBeforeInput(event as unknown as InputEvent)}
      onBlur={() => { if (document.hasFocus() && board.editing.value?.id === id) stopEditing(board) }}
    />
  )
}
