/** The field for a token. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { demand, giveToken } from '../live/access.ts'

const NO_TOKEN = 'That is no token. A token is three long words with dots between them; a link that has one in it will do too.'

interface TokenFormProps {
  /** The keyboard goes to the field when it appears. */
  readonly isFirst: boolean
  /** For another button beside the one that gives the token. */
  readonly other?: { readonly label: string, readonly onClick: () => void }
}

export const TokenForm = ({ isFirst, other }: TokenFormProps) => {
  const [text, setText] = useState('')
  const [isWrong, setWrong] = useState(false)
  const field = useRef<HTMLInputElement>(null)
  const isChecking = demand.value.kind === 'checking'

  useLayoutEffect(() => {
    if (isFirst && !matchMedia('(pointer: coarse)').matches) field.current?.focus()
  }, [isFirst])

  // The button that was pressed was off meanwhile, and has lost the keyboard.
  const wasChecking = useRef(false)
  useLayoutEffect(() => {
    if (wasChecking.current && !isChecking && document.activeElement === document.body) field.current?.focus()
    wasChecking.current = isChecking
  }, [isChecking])

  const give = () => {
    if (isChecking || text.trim() === '') return
    const isToken = giveToken(text)
    setWrong(!isToken)
    if (isToken) setText('')
    else field.current?.select()
  }

  return (
    <form class='token' onSubmit={event => { event.preventDefault(); give() }}>
      <label>Access token
        <input
          ref={field} type='text' class='secret' name='token' autoComplete='off' autoCapitalize='off' spellcheck={false} placeholder='Paste it here'
          aria-invalid={isWrong} aria-describedby={isWrong ? 'token-trouble' : undefined} value={text}
          onInput={event => { setText(event.currentTarget.value); setWrong(false) }}
        />
      </label>
      {isWrong && <p id='token-trouble' class='failed' role='alert'>{NO_TOKEN}</p>}
      <div class='choices'>
        {other !== undefined && <button type='button' class='button' onClick={other.onClick}>{other.label}</button>}
        <button type='submit' class='button primary' disabled={isChecking || text.trim() === ''}>{isChecking ? 'Checking…' : 'Use this token'}</button>
      </div>
    </form>
  )
}
