/** What stands around a map that is shown as it was: nobody should take it for the map as it is. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import type { Version } from '../live/versions.ts'
import type { Board } from './board.ts'
import { labelOf, timeOf } from './history.ts'
import { READ_ONLY } from './strips.tsx'

const Shown = ({ board, version }: { board: Board, version: Version }) => {
  const { history } = board
  const back = useRef<HTMLButtonElement>(null)
  // On a phone the list makes room for the map, and takes the focus with it.
  useLayoutEffect(() => {
    if (document.activeElement === document.body || isHidden(document.activeElement)) back.current?.focus({ preventScroll: true })
  }, [])
  const leave = () => {
    history.back()
    focusVersion(version.id)
  }
  return (
    <div class='strip panel' onKeyDown={event => { if (event.key === 'Escape') leave() }}>
      <p>
        This is how the map was on <b>{timeOf(version)}</b> (<span dir='auto'>{labelOf(version)}</span>).{board.model.value.tree.root === null && ' It was empty.'}
      </p>
      <div class='line'>
        <button
          type='button' class='button primary' disabled={history.isBusy.value || !history.mayChange.value} title={history.mayChange.value ? undefined : READ_ONLY}
          onClick={() => history.restore(version)}
        >{history.isBusy.value ? 'Restoring…' : 'Restore'}
        </button>
        <button type='button' class='button' ref={back} onClick={leave}>Back</button>
      </div>
      {history.failure.value !== null && <p class='failed'>{history.failure.value}</p>}
    </div>
  )
}

const isHidden = (element: Element | null): boolean => element instanceof HTMLElement && element.getClientRects().length === 0

/** Where the look began; when that is not there any more, the map. */
const focusVersion = (id: string): void => {
  requestAnimationFrame(() => {
    const button = document.querySelector<HTMLElement>(`[data-version="${CSS.escape(id)}"]`)
    const target = button ?? document.querySelector<HTMLElement>('.frame')
    target?.focus({ preventScroll: true })
  })
}

export const Preview = ({ board }: { board: Board }) => {
  const version = board.history.shown.value
  return version === null ? null : <Shown board={board} version={version} />
}

/** The edge around an old map. */
export const PreviewEdge = ({ board }: { board: Board }) =>
  board.history.shown.value === null ? null : <div class='edge' aria-hidden='true' />
