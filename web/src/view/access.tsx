/** What the server wants to see before it shows a map or the list: a token. */
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { demand, held } from '../live/access.ts'
import { sentence } from '../live/close.ts'
import type { Session } from '../live/session.ts'
import type { Board } from './board.ts'
import { TokenForm } from './token-form.tsx'

const WANTS_TOKEN = 'This server wants a token'

/** `why`: what the server has against the token that it was shown; null when there was none. */
const Words = ({ title, why, children }: { title: string, why: string | null, children?: ComponentChildren }) => (
  <div role='alert'>
    <h2>{title}</h2>
    <p>{why === null ? 'Paste the access token that you were given, or open the link that you were sent. There is no sign-in by password yet.' : `${sentence(why)} Ask whoever gave it to you for another one.`}</p>
    {children}
  </div>
)

interface Said {
  readonly title: string
  readonly why: string | null
}

/** The server's last answer: while a token is being checked, its words stay. */
const useSaid = (): Said => {
  const { value } = demand
  const last = useRef<Said>({ title: WANTS_TOKEN, why: null })
  if (value.kind === 'wanted') last.current = { title: held.value.token === null ? WANTS_TOKEN : 'The server did not accept the token', why: value.why }
  return last.current
}

/** In the place of the list. */
export const ListAccess = () => {
  const said = useSaid()
  return (
    <section class='access panel' aria-label='Access'>
      <Words {...said} />
      <TokenForm isFirst />
    </section>
  )
}

/** What becomes of what was changed here. */
const unsavedOf = (session: Session): string => {
  const place = session.isKept.value ? 'in this browser' : 'in this tab (keep it open)'
  if (session.hasChanges.value) return `Your last changes are not saved yet. They stay ${place} and are sent when you have access again. You can go on.`
  const so = session.hasSynced.value ? 'All that you changed so far is saved.' : 'The map is shown as this browser has kept it.'
  return `${so} You can go on: what you change now stays ${place} and is sent when you have access again.`
}

/** Over the map, which can still be read. */
export const MapAccess = ({ board }: { board: Board }) => {
  const { value: link } = board.session.link
  const isOpen = demand.value.kind !== 'none' || (link.kind === 'ended' && link.ending.code === 4401)
  return isOpen ? <Asking board={board} /> : null
}

const focusMap = (): void => document.querySelector<HTMLElement>('.frame')?.focus({ preventScroll: true })

const Asking = ({ board }: { board: Board }) => {
  const { session } = board
  const said = useSaid()
  const [stage, setStage] = useState<'first' | 'put off' | 'again'>('first')
  const panel = useRef<HTMLElement>(null)
  const hasMap = session.hasSynced.value || board.model.value.tree.root !== null
  useLayoutEffect(() => () => { if (panel.current?.contains(document.activeElement) === true) focusMap() }, [])
  if (stage === 'put off') {
    return (
      <section ref={panel} class='strip panel' aria-label='Access'>
        <p>You have no access at the moment.</p>
        <button type='button' class='button' onClick={() => setStage('again')}>Enter a token</button>
      </section>
    )
  }
  const isReadOnly = session.rights.isReadOnly.value
  const putOff = () => {
    setStage('put off')
    focusMap()
  }
  return (
    <section ref={panel} class={hasMap ? 'access beside panel' : 'access panel'} aria-label='Access'>
      <Words title={session.hasSynced.value ? 'Your access has ended' : said.title} why={said.why}>
        {hasMap && !isReadOnly && <p class='unsaved'>{unsavedOf(session)}</p>}
      </Words>
      {/* Who types into the map when access ends types on. */}
      {hasMap
        ? <TokenForm isFirst={stage === 'again'} other={{ label: 'Not now', onClick: putOff }} />
        : <TokenForm isFirst />}
    </section>
  )
}
