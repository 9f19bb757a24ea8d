/** The bar over the map: back to the list, what the map is called, whether it is saved, who is here. */
import { useState } from 'preact/hooks'
import { held } from '../live/access.ts'
import { NAME_LENGTH_MAX, person, rename } from '../live/person.ts'
import type { Link } from '../live/link.ts'
import type { Session } from '../live/session.ts'
import { go } from '../route.ts'
import type { Board } from './board.ts'
import { READ_ONLY } from './strips.tsx'

/** More people than this are a number. */
const FACES_MAX = 5

type Tone = 'good' | 'busy' | 'bad'

/** What takes longer is said below the bar. */
const whyOf = (link: Link & { kind: 'lost' }): string => link.at === undefined ? ` (${link.why})` : ''

/** The truth about the last change, in words. */
export const savedText = (session: Session): { tone: Tone, text: string } => {
  const link = session.link.value
  if (link.kind === 'ended' && link.ending.code !== 4401) return { tone: 'bad', text: link.ending.title }
  if (link.kind === 'connecting') return { tone: 'busy', text: 'Connecting…' }
  if (session.rights.isReadOnly.value) return watchedText(session)
  const place = session.isKept.value ? 'in this browser' : 'while this tab is open'
  // The panels say more of these.
  if (link.kind === 'ended') return { tone: 'bad', text: session.hasChanges.value ? 'No access – your changes are not saved yet' : 'No access' }
  if (link.kind === 'busy') return { tone: 'busy', text: session.hasChanges.value ? 'Not saved yet' : 'The server is busy' }
  if (link.kind === 'moving') return { tone: 'busy', text: `The server restarts – your changes are kept ${place}` }
  if (link.kind === 'lost') return { tone: 'bad', text: `Not connected – your changes are kept ${place} and will be sent${whyOf(link)}` }
  if (session.notices.disk.value === 'failing') return { tone: 'busy', text: 'Not saved yet' }
  switch (session.saved.value) {
    case 'saved': return { tone: 'good', text: 'Saved' }
    case 'slow': return { tone: 'busy', text: 'Saving… the server is slow to answer' }
    default: return { tone: 'busy', text: 'Saving…' }
  }
}

/** Who may only read has nothing to save, unless it was changed before that was known. */
const watchedText = (session: Session): { tone: Tone, text: string } => {
  const link = session.link.value
  if (session.rights.refusal.value !== null) return { tone: 'bad', text: 'Not saved – your changes were refused' }
  switch (link.kind) {
    case 'live': return { tone: 'good', text: 'Live' }
    case 'lost': return { tone: 'bad', text: `Not connected${whyOf(link)}` }
    case 'busy': return { tone: 'busy', text: 'The server is busy' }
    case 'moving': return { tone: 'busy', text: 'The server restarts' }
    default: return { tone: 'bad', text: 'No access' }
  }
}

const SavedMark = ({ session }: { session: Session }) => {
  const { tone, text } = savedText(session)
  return <div class={`saved ${tone}`} role='status' aria-live={tone === 'bad' ? 'polite' : 'off'} data-saved={tone} title={text}><span class='dot' aria-hidden='true' /><span class='text'>{text}</span></div>
}

const initials = (name: string): string =>
  name.split(/\s+/).slice(0, 2).map(word => [...word][0] ?? '').join('').toUpperCase()

const Face = ({ name, color, isSelf = false }: { name: string, color: string, isSelf?: boolean }) =>
  <span class='face' style={{ '--person': color }} title={isSelf ? `${name} (you)` : name}>{initials(name)}</span>

const People = ({ board }: { board: Board }) => {
  const [isOpen, setOpen] = useState(false)
  const others = board.others.value
  const shown = others.slice(0, FACES_MAX)
  return (
    <div class='people'>
      <button
        type='button' class='faces' aria-expanded={isOpen} aria-label={`People here: you${others.map(other => `, ${other.name}`).join('')}`}
        onClick={() => setOpen(!isOpen)}
      >
        {shown.map(other => <Face key={other.id} name={other.name} color={other.color} />)}
        {others.length > shown.length && <span class='face more'>+{others.length - shown.length}</span>}
        <Face name={person.value.name} color={person.value.color} isSelf />
      </button>
      {isOpen && (
        <div class='panel popover'>
          <label>Your name
            <input
              type='text' value={person.value.name} maxLength={NAME_LENGTH_MAX} autoComplete='off'
              onChange={event => rename(event.currentTarget.value)}
              onKeyDown={event => {
                if (event.key !== 'Enter' && event.key !== 'Escape') return
                if (event.key === 'Enter') rename(event.currentTarget.value)
                setOpen(false)
              }}
            />
          </label>
          <ul>
            {others.map(other => <li key={other.id}><Face name={other.name} color={other.color} /> {other.name}</li>)}
            {others.length === 0 && <li class='hint'>Nobody else is here. {held.value.token === null ? 'Share the address of this page.' : 'Others need access of their own to open this address.'}</li>}
          </ul>
        </div>
      )}
    </div>
  )
}

export const Bar = ({ board }: { board: Board }) => {
  const { topic, nodes, tree } = board.model.value
  const title = topic || (tree.root === null ? '' : nodes.get(tree.root)?.title) || 'Untitled map'
  return (
    <header class='bar'>
      <a class='button quiet back' href='/' onClick={event => go(event, '/')} aria-label='Back to the list of maps'><span aria-hidden='true'>‹</span> Maps</a>
      <h1 dir='auto' title={title.slice(0, 200)}>{title.slice(0, 200)}</h1>
      {board.session.rights.isReadOnly.value && <span class='badge' title={READ_ONLY}>Read only</span>}
      <SavedMark session={board.session} />
      <People board={board} />
    </header>
  )
}
