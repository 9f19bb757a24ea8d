/**
 * Ties a text field to a shared text: what is typed goes out letter by letter, what others type comes in, and the caret
 * stays with its letters. While an input method composes, the field is not touched; it catches up at the end.
 */
import * as Y from 'yjs'
import { Local } from '../../client/src/schema/edits.ts'
import { Shadow } from '../../client/src/schema/text.ts'

export interface BindOptions {
  /** A title: line breaks that are pasted become spaces. */
  readonly isOneLine: boolean
  /** Where the caret is, to show it to others: a relative position as JSON. */
  readonly onCaret?: (caret: unknown) => void
}

/** Returns a function that unties them again. */
export const bindText = (field: HTMLTextAreaElement, text: Y.Text, { isOneLine, onCaret }: BindOptions): (() => void) => {
  const origin = new Local()
  let isComposing = false
  let shadow: Shadow

  const transact = (run: () => void) => text.doc === null ? undefined : text.doc.transact(run, origin)

  const tell = () => {
    if (document.activeElement !== field) return
    const at = Math.min(shadow.place(field.selectionEnd), text.length)
    onCaret?.(Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, at, -1)))
  }

  /** Makes the field read what the text reads. */
  const catchUp = () => {
    transact(() => removeReturns(text))
    const [from, to] = [shadow.place(field.selectionStart), shadow.place(field.selectionEnd)]
    const hasFocus = document.activeElement === field
    shadow = new Shadow(text.toString())
    if (field.value === shadow.value) return
    field.value = shadow.value
    if (hasFocus) field.setSelectionRange(from, to, field.selectionDirection)
  }

  const onInput = () => {
    if (isOneLine && /[\r\n]/.test(field.value)) {
      const [from, to] = [field.selectionStart, field.selectionEnd]
      field.value = field.value.replace(/[\r\n]/g, ' ')
      field.setSelectionRange(from, to)
    }
    const splices = shadow.local(field.value, field.selectionEnd)
    transact(() => {
      for (const { at, remove, insert } of splices) {
        if (remove > 0) text.delete(at, remove)
        if (insert !== '') text.insert(at, insert)
      }
    })
    tell()
  }

  const onText = (event: Y.YTextEvent, transaction: Y.Transaction) => {
    if (transaction.origin === origin) return
    shadow.remote(event.delta)
    if (!isComposing) catchUp()
  }

  const onCompositionStart = () => { isComposing = true }
  const onCompositionEnd = () => {
    isComposing = false
    onInput()
    catchUp()
  }

  transact(() => removeReturns(text))
  shadow = new Shadow(text.toString())
  field.value = shadow.value
  text.observe(onText)
  field.addEventListener('input', onInput)
  field.addEventListener('compositionstart', onCompositionStart)
  field.addEventListener('compositionend', onCompositionEnd)
  document.addEventListener('selectionchange', tell)
  return () => {
    text.unobserve(onText)
    field.removeEventListener('input', onInput)
    field.removeEventListener('compositionstart', onCompositionStart)
    field.removeEventListener('compositionend', onCompositionEnd)
    document.removeEventListener('selectionchange', tell)
  }
}

/** Fields turn `\r\n` and `\r` into `\n`; offsets would not match, so the text is brought to the same form first. */
const removeReturns = (text: Y.Text): void => {
  const string = text.toString()
  for (let at = string.lastIndexOf('\r'); at >= 0; at = at === 0 ? -1 : string.lastIndexOf('\r', at - 1)) {
    text.delete(at, 1)
    if (string.charAt(at + 1) !== '\n') text.insert(at, '\n')
  }
}
