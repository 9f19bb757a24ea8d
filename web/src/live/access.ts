/**
 * The token that this tab shows to the server, and whether the server wants another one. It is kept for this tab only
 * (`sessionStorage`), and a link that brings one (`#token=…`) is rid of it before anything else happens.
 */
import { signal } from '@preact/signals'

const KEY = 'synapti-token'
/** What the server reads of a token. */
const TOKEN_LENGTH_MAX = 8192
const JWT = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/
const IN_LINK = /[#&?]token=([^&#\s]*)/

/** What the server wants of this tab. */
export type Demand =
  | { readonly kind: 'none' }
  /** `why`: what is wrong with the token that it was shown; null when there was none. */
  | { readonly kind: 'wanted', readonly why: string | null }
  /** A token was just given; nobody has answered yet. */
  | { readonly kind: 'checking' }

export const demand = signal<Demand>({ kind: 'none' })

const load = (): string | null => {
  try {
    return sessionStorage.getItem(KEY)
  } catch {
    return null
  }
}

/** A new object whenever somebody gives a token, so that the same one can be tried again. */
export const held = signal<{ readonly token: string | null }>({ token: load() })

/** A link was opened whose token is not whole: it is worth a word when the server then asks for one. */
let hadBrokenLink = false

/** The token in what somebody has pasted: a token, a header, or a whole link. Null when there is none. */
export const tokenIn = (text: string): string | null => {
  const [, inLink] = IN_LINK.exec(text) ?? []
  const bare = (inLink ?? text.trim().replace(/^Bearer\s/i, '')).replace(/\s/g, '')
  return bare.length <= TOKEN_LENGTH_MAX && JWT.test(bare) ? bare : null
}

const hold = (token: string | null): void => {
  try {
    if (token === null) sessionStorage.removeItem(KEY)
    else sessionStorage.setItem(KEY, token)
  } catch { /* A browser may forbid storage; then it is asked for again after a reload. */ }
  hadBrokenLink = false
  held.value = { token }
}

/** Takes a token out of the address, and the address out of the history. */
export const takeFromAddress = (): void => {
  if (!IN_LINK.test(location.hash)) return
  const found = tokenIn(location.hash)
  history.replaceState(history.state, '', location.pathname + location.search)
  if (found !== null) hold(found)
  else hadBrokenLink = true
}

/** False when that is no token. */
export const giveToken = (text: string): boolean => {
  const token = tokenIn(text)
  if (token === null) return false
  demand.value = { kind: 'checking' }
  hold(token)
  return true
}

export const forgetToken = (): void => hold(null)

/** The server does not let this tab in; `words` are its own. */
export const refused = (words: string): void => {
  const why = held.value.token !== null ? words : hadBrokenLink ? 'the link that you opened has no whole token in it' : null
  demand.value = { kind: 'wanted', why }
}

/** The server has let this tab in. */
export const granted = (): void => {
  if (demand.value.kind !== 'none') demand.value = { kind: 'none' }
}

/** The server could not be asked, or had other trouble: that is said elsewhere. */
export const unanswered = (): void => {
  if (demand.value.kind === 'checking') demand.value = { kind: 'none' }
}

/** For requests. */
export const authorization = (): Record<string, string> => {
  const { token } = held.value
  return token === null ? {} : { authorization: `Bearer ${token}` }
}

/** For sockets: browsers can give them no header but this. */
export const subprotocols = (): string[] => {
  const { token } = held.value
  return token === null ? [] : ['synapti.v1', `bearer.${token}`]
}
