/** What the server's close codes mean to the person at the map. */

export interface Ending {
  readonly code: number
  readonly title: string
  readonly advice: string
  /** Whether going on with editing makes sense. */
  readonly isEditable: boolean
  /** Whether a button for another try makes sense. */
  readonly canRetry: boolean
}

/** `words`: where the server's own account goes. */
interface Known extends Omit<Ending, 'code'> {
  readonly words: 'instead of the advice' | 'before the advice' | 'nowhere'
}

const ending = (title: string, advice: string, { isEditable = false, canRetry = false, words = 'instead of the advice' as Known['words'] } = {}): Known =>
  ({ title, advice, isEditable, canRetry, words })

const KEPT = 'Your changes are kept in this browser.'

const ENDINGS: Record<number, Known> = {
  4400: ending('The server did not understand this page', `Reload the page to get its newest version. ${KEPT}`, { isEditable: true, canRetry: true }),
  4401: ending('You are not signed in, or no longer', `Sign in again and come back. ${KEPT}`, { isEditable: true, canRetry: true }),
  4403: ending('You may not open this map', 'Ask whoever shared it with you for access.', { canRetry: true, words: 'before the advice' }),
  4404: ending('There is no such map', 'Check the address. You may not make a new map here.', { canRetry: true, words: 'nowhere' }),
  4410: ending('This map was deleted', 'Nobody can edit or restore it any more.'),
  4413: ending('The map, or the last change, is too large for this server', `Undo the last change (Ctrl+Z) or make it smaller, then try again. ${KEPT}`, { isEditable: true, canRetry: true })
}

/** The server writes its reasons as parts of sentences. */
export const sentence = (words: string): string => {
  const text = words.trim()
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`
}

/**
 * y-websocket stops by itself after codes from 4400 to 4499; anything unknown among them ends here too. `words` is the
 * server's own account, when it gave one: it says more than the code.
 */
export const endingOf = (code: number, reason: string, words: string | null = null): Ending => {
  const { words: place, ...known } = ENDINGS[code] ?? ending('The server closed this map for good', reason === '' ? 'Go back to the list and try again later.' : sentence(reason), { canRetry: true })
  if (words === null || words.trim() === '' || place === 'nowhere') return { code, ...known }
  const rest = place === 'before the advice' ? known.advice : known.advice.endsWith(KEPT) ? KEPT : ''
  return { code, ...known, advice: `${sentence(words)} ${rest}`.trim() }
}

/** Why a connection that will be tried again was lost. `words` is the server's own account, `reason` a shorter one. */
export const lossOf = (code: number, words: string | null = null, reason = ''): string => {
  const account = words?.trim() || reason.trim()
  const said = account === '' ? null : `the server says: ${account}`
  switch (code) {
    case 1008: return `${said ?? 'too many messages or connections'}; trying again more slowly`
    case 1012: return 'the server is restarting; connecting again'
    case 1013: return `${said ?? 'the server is full'}; trying again`
    default: return 'the server cannot be reached; trying again'
  }
}
