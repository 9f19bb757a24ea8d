/** The page of one map. */
import { useEffect, useMemo, useState } from 'preact/hooks'
import { demand } from '../live/access.ts'
import type { Ending } from '../live/close.ts'
import { TOPIC_LENGTH_MAX } from '../live/jobs.ts'
import { Session } from '../live/session.ts'
import { TITLE_LENGTH_MAX } from '../../client/src/schema/schema.ts'
import { go } from '../route.ts'
import { MapAccess } from '../view/access.tsx'
import { Bar } from '../view/bar.tsx'
import { Board } from '../view/board.ts'
import { Coherence } from '../view/coherence.tsx'
import { begin } from '../view/commands.ts'
import { Details } from '../view/details.tsx'
import { Confirm, Dialog } from '../view/dialog.tsx'
import { useFocus } from '../view/focus.ts'
import { KEYS } from '../view/keys.ts'
import { Preview, PreviewEdge } from '../view/preview.tsx'
import { Runs } from '../view/runs.tsx'
import { Scene } from '../view/scene.tsx'
import { DiskBanner, ReadOnlyHint, RefusedBanner, WaitBanner } from '../view/strips.tsx'
import { TokenForm } from '../view/token-form.tsx'
import { Tools } from '../view/tools.tsx'
import { Versions } from '../view/versions.tsx'

const Bare = () => <div class='welcome'><h2>This map is empty</h2><p>You may only read it. What others write appears here.</p></div>

const Welcome = ({ board }: { board: Board }) => {
  const [topic, setTopic] = useState('')
  const field = useFocus()
  const why = board.growth.whyNot.value
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
        <button
          type='button' class='button grow' title={why ?? undefined} disabled={why !== null || topic.trim() === '' || topic.trim().length > TOPIC_LENGTH_MAX}
          onClick={() => board.growth.generate(topic.trim())}
        >Grow with AI
        </button>
      </div>
    </form>
  )
}

/** A map that nobody has written to yet, or that is not there yet. */
const Empty = ({ board }: { board: Board }) => {
  const { link, hasSynced } = board.session
  if (board.past.value !== null || board.model.value.tree.root !== null || link.value.kind === 'ended') return null
  if (board.growth.isFresh.value || board.growth.running.value.size > 0) return <div class='cover'><p>The first ideas are on their way…</p></div>
  if (hasSynced.value) return <div class='cover'>{board.isReadOnly.value ? <Bare /> : <Welcome board={board} />}</div>
  if (demand.value.kind !== 'none' || link.value.kind === 'busy') return null
  return <div class='cover'><p>{link.value.kind === 'lost' ? `This map cannot be loaded now: ${link.value.why}…` : 'Loading…'}</p></div>
}

/** Another token may be a way in. */
const MAY_BE_LET_IN: ReadonlySet<number> = new Set([4403, 4404])

const Ended = ({ board, ending }: { board: Board, ending: Ending }) => {
  const [isAsking, setAsking] = useState(false)
  return (
    <div class='ended panel'>
      <div role='alert'>
        <h2>{ending.title}</h2>
        <p class='hint'>{board.model.value.topic.slice(0, 100)} <code>/m/{board.session.graphId}</code></p>
        <p>{ending.advice}</p>
      </div>
      {isAsking
        ? <TokenForm isFirst other={{ label: 'Cancel', onClick: () => setAsking(false) }} />
        : (
          <div class='choices'>
            {MAY_BE_LET_IN.has(ending.code) && <button type='button' class='button' onClick={() => setAsking(true)}>Use another token</button>}
            {ending.canRetry && <button type='button' class='button' onClick={() => board.session.retry()}>Try again</button>}
            <a class='button primary' href='/' onClick={event => go(event, '/')}>Back to the list</a>
          </div>
          )}
    </div>
  )
}

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
      {link.kind === 'ended' && link.ending.code !== 4401 && <Ended board={board} ending={link.ending} />}
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
      {/* What the map asks for comes next by keyboard. */}
      <div class='strips'>
        <MapAccess board={board} />
        <DiskBanner session={board.session} />
        <WaitBanner board={board} />
        <RefusedBanner board={board} />
        <ReadOnlyHint board={board} />
        <Preview board={board} />
        <Runs board={board} />
      </div>
      <Bar board={board} />
      <PreviewEdge board={board} />
      <Empty board={board} />
      <Tools board={board} />
      <Details board={board} />
      <Versions board={board} />
      <Coherence board={board} />
      <Overlays board={board} />
    </main>
  )
}
