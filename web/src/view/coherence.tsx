/** The side panel that says how well a map hangs together, and what it lacks. */
import { useLayoutEffect, useRef } from 'preact/hooks'
import { coherenceOf } from '../model/coherence.ts'
import type { Board } from './board.ts'
import { addIdea } from './commands.ts'
import { isUnderWay } from './growth.ts'
import { failureOf } from './run-rows.ts'

const Points = ({ title, points }: { title: string, points: readonly string[] }) => points.length === 0
  ? null
  : <><h3>{title}</h3><ul class='points'>{points.map((point, at) => <li key={at} dir='auto'>{point}</li>)}</ul></>

/** What is there by now cannot be added again. */
const Missing = ({ board, concept }: { board: Board, concept: string }) => {
  const isThere = [...board.model.value.nodes.values()].some(node => node.title === concept)
  return (
    <li>
      <span dir='auto'>{concept}</span>
      {isThere && <span class='hint'>Added</span>}
      {!isThere && board.isEditable.value && (
        <button
          type='button' class='button' aria-label={`Add ${concept}`} onClick={({ currentTarget }) => {
            // The button goes, and the keyboard would go with it.
            currentTarget.closest<HTMLElement>('.coherence')?.focus({ preventScroll: true })
            addIdea(board, concept)
          }}
        >Add
        </button>
      )}
    </li>
  )
}

const Found = ({ board, result, author }: { board: Board, result: unknown, author: string }) => {
  const found = coherenceOf(result)
  if (found === null) return <p class='hint'>The server has no answer to this.</p>
  return (
    <>
      <p class='score'><b>{Math.round(found.score * 100)}</b> of 100 <span class='hint'>{author}</span></p>
      <progress value={found.score} aria-hidden='true' />
      <Points title='Strengths' points={found.strengths} />
      <Points title='Could be better' points={found.improvements} />
      {found.missing.length > 0 && <><h3>Missing</h3><ul class='missing'>{found.missing.map(concept => <Missing key={concept} board={board} concept={concept} />)}</ul></>}
    </>
  )
}

const Panel = ({ board }: { board: Board }) => {
  const { growth } = board
  const panel = useRef<HTMLElement>(null)
  useLayoutEffect(() => panel.current?.focus({ preventScroll: true }), [])
  const close = () => {
    growth.isCheckOpen.value = false
    document.querySelector<HTMLElement>('.frame')?.focus({ preventScroll: true })
  }
  const run = growth.own.value.find(one => one.wish.kind === 'coherence')
  const failure = run?.failure ?? (run?.job?.status === 'failed' ? failureOf(run.job) : null)
  const isBusy = run !== undefined && isUnderWay(run)
  const why = growth.whyNot.value
  const author = run?.job?.source === 'template' ? 'by template' : `by ${run?.job?.model ?? 'AI'}`
  return (
    <aside ref={panel} class='details coherence panel' aria-label='Coherence' tabIndex={-1} onKeyDown={event => { if (event.key === 'Escape') close() }}>
      <div class='head'>
        <h2>Coherence</h2>
        <button type='button' class='button quiet' aria-label='Close coherence' onClick={close}>×</button>
      </div>
      <div aria-live='polite'>
        {why !== null && <p class='hint'>{why}.</p>}
        {isBusy && <p class='hint'>Checking…</p>}
        {run?.job?.status === 'cancelled' && <p class='hint'>Stopped.</p>}
        {failure !== null && <p class='notice'>{failure}</p>}
        {run?.job?.status === 'succeeded' && <Found key={run.key} board={board} result={run.job.result} author={author} />}
      </div>
      <div class='choices'>
        {isBusy
          ? <button type='button' class='button' disabled={run.isStopping} onClick={() => growth.stop(run)}>Stop</button>
          : <button type='button' class='button' disabled={why !== null} onClick={() => growth.check()}>{run === undefined ? 'Check' : 'Check again'}</button>}
      </div>
    </aside>
  )
}

export const Coherence = ({ board }: { board: Board }) => board.growth.isCheckOpen.value && board.past.value === null ? <Panel board={board} /> : null
