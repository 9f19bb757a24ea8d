/** The side panel with the versions of the map. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { VERSION_NAME_LENGTH_MAX } from '../live/versions.ts'
import type { Board } from './board.ts'
import type { History } from './history.ts'
import { isHistoryKey } from './keys.ts'
import { VersionRow } from './version-row.tsx'

const Keep = ({ history }: { history: History }) => {
  const [name, setName] = useState('')
  const keep = async () => {
    if (name.trim() !== '' && await history.keep(name.trim())) setName('')
  }
  return (
    <form class='keep' onSubmit={event => { event.preventDefault(); void keep() }}>
      <label>Keep a version of the map as it is now
        <span class='line'>
          <input
            type='text' placeholder='Its name' autoComplete='off' maxLength={VERSION_NAME_LENGTH_MAX}
            value={name} onInput={event => setName(event.currentTarget.value)}
          />
          <button type='submit' class='button primary' disabled={history.isBusy.value || name.trim() === ''}>Keep</button>
        </span>
      </label>
    </form>
  )
}

const List = ({ history }: { history: History }) => {
  const list = history.list.value
  if (list === null) return history.failure.value === null ? <p class='hint'>Loading…</p> : null
  if (list.versions.length === 0) return <p class='hint'>There are no versions yet. One is made by itself every now and then while people edit.</p>
  return (
    <>
      <ul class='versions' aria-label='Versions, newest first'>
        {list.versions.map(version => <VersionRow key={version.id} history={history} version={version} isShown={history.shown.value?.id === version.id} />)}
      </ul>
      {list.next !== null && <button type='button' class='button' onClick={() => void history.loadOlder()}>Show older</button>}
    </>
  )
}

const Panel = ({ board }: { board: Board }) => {
  const { history } = board
  const panel = useRef<HTMLElement>(null)

  useLayoutEffect(() => {
    const element = panel.current
    const opener = document.activeElement
    element?.focus({ preventScroll: true })
    return () => {
      const at = document.activeElement
      const isOurs = at === document.body || element?.contains(at) === true
      if (isOurs) returnFocus(opener)
    }
  }, [])

  // What had the focus may be gone: a row that was removed.
  const { value: list } = history.list
  useLayoutEffect(() => {
    if (document.activeElement === document.body) panel.current?.focus({ preventScroll: true })
  }, [list])

  const onKey = (event: KeyboardEvent) => {
    const isEscape = event.key === 'Escape' && !event.defaultPrevented
    if (!isEscape && !isHistoryKey(event)) return
    event.preventDefault()
    if (isEscape && history.shown.value !== null) history.back()
    else history.close()
  }

  return (
    <aside ref={panel} class='details history panel' aria-label='History' tabIndex={-1} onKeyDown={onKey}>
      <div class='head'>
        <h2>History</h2>
        <button type='button' class='button quiet' aria-label='Close history' onClick={() => history.close()}>×</button>
      </div>
      {history.mayChange.value
        ? <Keep history={history} />
        : <p class='hint'>You may only read this map. You can look at its versions, but not keep, rename or restore any.</p>}
      {history.failure.value !== null && (
        <div class='notice' role='alert'>
          <p>{history.failure.value}</p>
          {list === null && <button type='button' class='button' onClick={() => void history.load()}>Try again</button>}
        </div>
      )}
      <List history={history} />
    </aside>
  )
}

/** To where the panel was opened from; else to the map. */
const returnFocus = (opener: Element | null): void => {
  const isThere = opener instanceof HTMLElement && opener.isConnected && opener !== document.body
  const target = isThere ? opener : document.querySelector<HTMLElement>('.frame')
  target?.focus({ preventScroll: true })
}

export const Versions = ({ board }: { board: Board }) => board.history.isOpen.value ? <Panel board={board} /> : null
