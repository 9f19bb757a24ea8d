/** One version in the list. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { type Version, VERSION_NAME_LENGTH_MAX } from '../live/versions.ts'
import { ago } from './ago.ts'
import { fullLabelOf, type History, labelOf } from './history.ts'

const ICONS = { rename: 'M5 19l1-4L16 5l3 3L9 18zM14 7l3 3', remove: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13' }

interface RowProps {
  readonly history: History
  readonly version: Version
  readonly isShown: boolean
}

const Rename = ({ history, version, onDone }: RowProps & { onDone: () => void }) => {
  const [name, setName] = useState(version.name ?? '')
  const field = useRef<HTMLInputElement>(null)
  useLayoutEffect(() => field.current?.select(), [])
  const save = async () => {
    const isSame = name.trim() === '' || name.trim() === version.name
    if (isSame || await history.rename(version, name.trim())) onDone()
  }
  return (
    <form
      class='line' onSubmit={event => { event.preventDefault(); void save() }}
      onKeyDown={event => {
        if (event.key !== 'Escape') return
        event.preventDefault()
        onDone()
      }}
    >
      <input
        ref={field} type='text' aria-label={`Name of ${fullLabelOf(version)}`} placeholder='Its name' autoComplete='off'
        maxLength={VERSION_NAME_LENGTH_MAX} value={name} onInput={event => setName(event.currentTarget.value)}
      />
      <button type='submit' class='button' disabled={history.isBusy.value}>Save</button>
    </form>
  )
}

export const VersionRow = (props: RowProps) => {
  const { history, version, isShown } = props
  const [isRenaming, setRenaming] = useState(false)
  const row = useRef<HTMLLIElement>(null)
  const created = new Date(version.created_at)
  const done = () => {
    setRenaming(false)
    // The button is not there yet.
    requestAnimationFrame(() => row.current?.querySelector<HTMLElement>('.rename')?.focus())
  }
  if (isRenaming) return <li ref={row} class='version'><Rename {...props} onDone={done} /></li>
  const label = fullLabelOf(version)
  return (
    <li ref={row} class={isShown ? 'version shown' : 'version'}>
      <button type='button' class='pick' aria-pressed={isShown} data-version={version.id} onClick={() => isShown ? history.back() : void history.look(version)}>
        <span class={version.name === null ? 'what soft' : 'what'} dir='auto'>{labelOf(version)}</span>
        <span class='hint'>
          <time dateTime={version.created_at} title={created.toLocaleString()}>{ago(created, new Date())}</time>
          {version.author !== null && <> · <span dir='auto'>{version.author}</span></>}
        </span>
      </button>
      {history.mayChange.value && (
        <>
          <button type='button' class='button quiet rename' aria-label={`Rename ${label}`} title='Rename' onClick={() => setRenaming(true)}>
            <svg viewBox='0 0 24 24' aria-hidden='true'><path d={ICONS.rename} /></svg>
          </button>
          <button type='button' class='button quiet remove' aria-label={`Remove ${label}`} title='Remove' disabled={history.isBusy.value} onClick={() => history.remove(version)}>
            <svg viewBox='0 0 24 24' aria-hidden='true'><path d={ICONS.remove} /></svg>
          </button>
        </>
      )}
    </li>
  )
}
