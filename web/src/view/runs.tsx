/** What the AI does in this map, what came of it, and what to make of that: strips under the bar. */
import { useEffect } from 'preact/hooks'
import type { Board } from './board.ts'
import type { Row } from './run-rows.ts'

/** More than this at once would hide the map. */
const ROWS_MAX = 3

const Action = ({ label, onClick, isMain = false, isOff = false }: { label: string, onClick: () => void, isMain?: boolean, isOff?: boolean }) => (
  // The map keeps the keyboard.
  <button type='button' class={isMain ? 'button primary' : 'button'} disabled={isOff} onMouseDown={event => event.preventDefault()} onClick={onClick}>{label}</button>
)

const Actions = ({ board, row }: { board: Board, row: Row }) => {
  const { growth } = board
  const { id } = row
  if (row.phase === 'running') return <Action label={row.isStopping ? 'Stopping…' : 'Stop'} isOff={row.isStopping} onClick={() => growth.stop(row)} />
  const isBusy = growth.judging.value.size > 0
  return (
    <>
      {row.canRetry && <Action label='Try again' isMain onClick={() => growth.again(row)} />}
      {id !== null && row.proposed > 0 && (
        <>
          <Action label='Accept all' isMain={!row.canRetry} isOff={isBusy} onClick={() => growth.judge('accept', id)} />
          <Action label='Reject all' isOff={isBusy} onClick={() => growth.judge('reject', id)} />
        </>
      )}
      {id !== null && row.canUndo && <Action label='Undo' isOff={isBusy} onClick={() => growth.undo(id)} />}
    </>
  )
}

const Close = ({ label, onClick }: { label: string, onClick: () => void }) =>
  <button type='button' class='button quiet' aria-label={label} title='Dismiss' onMouseDown={event => event.preventDefault()} onClick={onClick}>×</button>

const RunRow = ({ board, row }: { board: Board, row: Row }) => (
  <section class={`strip run panel ${row.phase}`} aria-label='Run of the AI' data-run={row.id}>
    <p dir='auto'>{row.text}</p>
    <div class='line'>
      {board.isEditable.value && <Actions board={board} row={row} />}
      <Close label={`Dismiss: ${row.text}`} onClick={() => board.growth.dismiss(row)} />
    </div>
    {row.phase === 'running' && <progress value={row.progress} aria-label='Progress' />}
  </section>
)

export const Runs = ({ board }: { board: Board }) => {
  const { growth } = board
  const rows = growth.rows.value
  const failure = growth.failure.value
  const chosen = board.model.value.nodes.get(board.selected.value ?? '')
  const run = chosen?.proposed === true ? chosen.run : null
  useEffect(() => { if (run !== null) growth.learn(run) }, [run])
  return (
    <div class='runs'>
      {failure !== null && (
        <section class='strip run panel failed' role='alert'>
          <p>{failure}</p><div class='line'><Close label='Dismiss' onClick={() => { growth.failure.value = null }} /></div>
        </section>
      )}
      {rows.slice(-ROWS_MAX).map(row => <RunRow key={row.key} board={board} row={row} />)}
      {rows.length > ROWS_MAX && <p class='strip panel'>and {rows.length - ROWS_MAX} more</p>}
    </div>
  )
}
