/** How the AI should expand the selected node. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { CHILDREN_MAX, DEPTH_MAX, FOCUS_AREA_LENGTH_MAX, FOCUS_AREAS_MAX } from '../live/jobs.ts'
import type { Board } from './board.ts'
import { titleOf } from './commands.ts'
import { Count } from './count.tsx'
import { type Choice, choice } from './growth.ts'

const focusMap = (): void => document.querySelector<HTMLElement>('.frame')?.focus({ preventScroll: true })

const choose = (what: Partial<Choice>): void => { choice.value = { ...choice.value, ...what } }

export const Expander = ({ board, id }: { board: Board, id: string }) => {
  const go = useRef<HTMLButtonElement>(null)
  useLayoutEffect(() => go.current?.focus({ preventScroll: true }), [])
  const { max_children, expansion_depth, focus } = choice.value
  const why = board.growth.whyNotExpand(id)
  const close = () => {
    board.growth.isChoosing.value = false
    focusMap()
  }
  return (
    <form
      class='expander panel' aria-label='Expand with AI'
      onSubmit={event => {
        event.preventDefault()
        close()
        board.growth.expand(id)
      }}
      onKeyDown={event => { if (event.key === 'Escape') close() }}
    >
      <h2 dir='auto'>Expand “{titleOf(board, id).slice(0, 60)}”</h2>
      <div class='line'>
        <Count label='Ideas, at most' max={CHILDREN_MAX} value={max_children} onCount={max_children => choose({ max_children })} />
        <Count label='Levels' max={DEPTH_MAX} value={expansion_depth} onCount={expansion_depth => choose({ expansion_depth })} />
      </div>
      <label>Look at, separated by commas
        <input
          type='text' placeholder='anything' autoComplete='off' maxLength={FOCUS_AREA_LENGTH_MAX * FOCUS_AREAS_MAX} value={focus}
          onInput={event => choose({ focus: event.currentTarget.value })}
        />
      </label>
      {why !== null && <p class='hint'>{why}.</p>}
      <div class='choices'>
        <button type='button' class='button' onClick={close}>Cancel</button>
        <button type='submit' class='button primary' ref={go} disabled={why !== null}>Expand</button>
      </div>
    </form>
  )
}
