/** What has to be known about the connection and about one's rights: strips under the bar, in words. */
import { useEffect, useState } from 'preact/hooks'
import { sentence } from '../live/close.ts'
import type { Session } from '../live/session.ts'
import type { Board } from './board.ts'

/** Why buttons are off. */
export const READ_ONLY = 'You may only read this map'

/** The server's own trouble concerns everybody, also those who only look on. Always there, so that screen readers hear it change. */
export const DiskBanner = ({ session }: { session: Session }) => {
  const disk = session.link.value.kind === 'live' ? session.notices.disk.value : 'well'
  const text = { well: '', failing: 'The server cannot save at the moment. Keep this page open.', recovered: 'Saved. The server can save again.' }[disk]
  return <div class={`trouble disk ${disk}`} role='status'>{text !== '' && <p class='strip panel'>{text}</p>}</div>
}

const secondsTo = (at: Date): number => Math.max(0, Math.ceil((at.getTime() - Date.now()) / 1000))

/** Counts down; screen readers are spared. */
const Countdown = ({ at }: { at: Date }) => {
  const [seconds, setSeconds] = useState(secondsTo(at))
  useEffect(() => {
    setSeconds(secondsTo(at))
    const timer = setInterval(() => setSeconds(secondsTo(at)), 500)
    return () => clearInterval(timer)
  }, [at])
  return <span class='countdown' aria-hidden='true'>{seconds === 0 ? ' now' : ` in\u00A0${seconds}\u00A0s`}</span>
}

const clockOf = (time: Date): string => time.toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })

/** A server with too much to do lets this page wait; so does one that had too much from here. */
export const WaitBanner = ({ board }: { board: Board }) => {
  const { link, asOf, hasChanges, isKept } = board.session
  const isThere = board.model.value.tree.root !== null
  const what = asOf.value !== null ? `This map is shown as of ${clockOf(asOf.value)}` : isThere ? 'This map is shown as this browser has kept it' : 'This map cannot be shown yet'
  return (
    <div class='trouble' role='status'>
      {link.value.kind === 'lost' && link.value.at !== undefined && <p class='strip panel'>{sentence(link.value.why).slice(0, -1)}<Countdown at={link.value.at} />.</p>}
      {link.value.kind === 'busy' && <p class='strip panel'>The server is busy. {what} and is tried again<Countdown at={link.value.at} />.{hasChanges.value && ` Your changes are kept ${isKept.value ? 'in this browser' : 'in this tab'} and will be sent.`}</p>}
    </div>
  )
}

/** Said once, to somebody who tries to edit. */
export const ReadOnlyHint = ({ board }: { board: Board }) =>
  <div class='read-only' role='status'>{board.isHinting.value && <p class='strip panel'>{READ_ONLY}.</p>}</div>

const said = (words: string): string => words.trim() === '' ? '' : ` The server says: ${words.trim().replace(/[.!?]$/, '')}.`

/** Changes that the server does not take are in this browser only, and look as if they were in the map. */
export const RefusedBanner = ({ board }: { board: Board }) => {
  const { session } = board
  const reason = session.rights.refusal.value
  const discard = () => {
    board.question.value = {
      title: 'Discard your changes?',
      text: 'What you changed here and what was refused is removed from this browser. You then see the map as everybody else does. This cannot be undone.',
      action: 'Discard my changes',
      onYes: () => void session.forget().finally(() => location.reload())
    }
  }
  return (
    <div class='trouble refused' role='status'>
      {reason !== null && (
        <div class='strip panel'>
          <p>Your changes were refused and will not be saved.{said(reason)} Only you see them.</p>
          <div class='line'><button type='button' class='button' onClick={discard}>Discard my changes…</button></div>
        </div>
      )}
    </div>
  )
}
