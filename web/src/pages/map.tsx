/** The page of one map. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import type { Ending } from '../live/close.ts'
import { Session } from '../live/session.ts'
import { TITLE_LENGTH_MAX } from '../model/schema.ts'
import { go } from '../route.ts'
import { Bar, DiskBanner } from '../view/bar.tsx'
import { Board } from '../view/board.ts'
import { begin } from '../view/commands.ts'
import { Details } from '../view/details.tsx'
import { Confirm, Dialog } from '../view/dialog.tsx'
import { useFocus } from '../view/focus.ts'
import { KEYS } from '../view/keys.ts'
import { Preview, PreviewEdge } from '../view/preview.tsx'
import { Scene } from '../view/scene.tsx'
import { Tools } from '../view/tools.tsx'
import { Versions } from '../view/versions.tsx'

const Welcome = ({ board }: { board: Board }) => {
  const [topic, setTopic] = useState('')
  const field = useFocus()
  return (
    <form
      class='welcome' onSubmit={event => {
        event.preventDefault()
        if (topic.trim() !== '') begin(board, topic.trim())
      }}
    >
      <h2>This map is empty</h2>
      <p>Give it a topic. Whoever opens this address sees it.</p>
      <div class='line'>
        <input type='text' ref={field} aria-label='Topic' placeholder='Topic' maxLength={TITLE_LENGTH_MAX} value={topic} onInput={event => setTopic(event.currentTarget.value)} />
        <button type='submit' class='button primary' disabled={topic.trim() === ''}>Begin</button>
      </div>
    </form>
  )
}

/** A map that nobody has written to yet, or that is not there yet. */
const Empty = ({ board }: { board: Board }) => {
  const { link, hasSynced } = board.session
  if (board.past.value !== null || board.model.value.tree.root !== null || link.value.kind === 'ended') return null
  const text = link.value.kind === 'lost' ? `This map cannot be loaded now: ${link.value.why}…` : 'Loading…'
  return <div class='cover'>{hasSynced.value ? <Welcome board={board} /> : <p>{text}</p>}</div>
}

const Ended = ({ board, ending }: { board: Board, ending: Ending }) => (
  <div class='ended panel' role='alert'>
    <h2>{ending.title}</h2>
    <p>{ending.advice}</p>
    <div class='choices'>
      {ending.canRetry && <button type='button' class='button' onClick={() => board.session.retry()}>Try again</button>}
      <a class='button primary' href='/' onClick={event => go(event, '/')}>Back to the list</a>
    </div>
  </div>
)

const Help = ({ onClose }: { onClose: () => void }) => (
  <Dialog title='Keys' onClose={onClose}>
    <dl class='keys'>{KEYS.map(([keys, what]) => <div key={keys}><dt>{keys}</dt><dd>{what}</dd></div>)}</dl>
    <p class='hint'>The mouse: drag a card to move it, drag the background to move the map, Ctrl and the wheel to zoom.</p>
    <div class='choices'><button type='button' class='button primary' autofocus onClick={onClose}>Close</button></div>
  </Dialog>
)

const Overlays = ({ board }: { board: Board }) => {
  const question = board.question.value
  const link = board.session.link.value
  return (
    <>
      {link.kind === 'ended' && <Ended board={board} ending={link.ending} />}
      {question !== null && <Confirm {...question} onClose={() => { board.question.value = null }} />}
      {board.isHelpOpen.value && <Help onClose={() => { board.isHelpOpen.value = false }} />}
      <div class='unseen' aria-live='polite'>{board.news.value}</div>
    </>
  )
}

const Title = ({ board }: { board: Board }) => {
  const { topic } = board.model.value
  useEffect(() => { document.title = `${topic.slice(0, 100) || 'Map'} – Synapti` }, [topic])
  return null
}

export const MapPage = ({ id }: { id: string }) => {
  const board = useMemo(() => new Board(new Session(id)), [id])
  useEffect(() => () => {
    board.destroy()
    board.session.destroy()
  }, [board])
  return (
    <main class='map'>
      <Title board={board} />
      <Scene key={id} board={board} />
      <Bar board={board} />
      <PreviewEdge board={board} />
      <div class='strips'>
        <DiskBanner session={board.session} />
        <Preview board={board} />
      </div>
      <Empty board={board} />
      <Tools board={board} />
      <Details board={board} />
      <Versions board={board} />
      <Overlays board={board} />
    </main>
  )
}
