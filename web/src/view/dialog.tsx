/** A question or a text above everything else. */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'

export const Dialog = ({ title, onClose, children }: { title: string, onClose: () => void, children: ComponentChildren }) => {
  const dialog = useRef<HTMLDialogElement>(null)
  useLayoutEffect(() => {
    const element = dialog.current
    element?.showModal()
    // Closing gives the focus back to where it was; an element that is just removed would not.
    return () => element?.close()
  }, [])
  return (
    <dialog
      ref={dialog} class='dialog' aria-label={title} onClose={onClose}
      // By itself it would close before this page knows, and who then opens it again at once would be told too late that it has closed.
      onCancel={event => { event.preventDefault(); onClose() }}
      onClick={event => { if (event.target === dialog.current) onClose() }}
    >
      <div class='content'><h2>{title}</h2>{children}</div>
    </dialog>
  )
}

export interface ConfirmProps {
  readonly title: string
  readonly text: string
  readonly action: string
  readonly onYes: () => void
  /** Nothing is lost by a yes. */
  readonly isSafe?: boolean
  readonly onClose: () => void
}

export const Confirm = ({ title, text, action, onYes, isSafe = false, onClose }: ConfirmProps) => (
  <Dialog title={title} onClose={onClose}>
    <p>{text}</p>
    <div class='choices'>
      <button type='button' class='button' onClick={onClose}>Cancel</button>
      <button
        type='button' class={isSafe ? 'button primary' : 'button danger'} autofocus onClick={() => {
          onClose()
          onYes()
        }}
      >{action}
      </button>
    </div>
  </Dialog>
)
