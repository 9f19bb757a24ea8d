/** The token that is shown to the server, and when another one is needed. */

export type TokenSource = string | (() => string | Promise<string>)

/** Refused in a row, though each was another one: then nobody here has a good one. */
const REFUSALS_MAX = 5
/** A token is replaced this long before it ends, or after most of its life when that is short. */
const RENEW_BEFORE_MS = 60_000
const RENEW_SHARE = 0.2
/** A function that fails, or gives the same token as before, is asked again after this. */
const AGAIN_MS = 10_000

export class Access {
  private held: string | null = null
  private refused: string | null = null
  private refusals = 0
  /** When to ask for another token, though the one that is held is good. */
  private renewAt_ms: number | null = null
  private asking: Promise<string> | null = null

  constructor (private source: TokenSource | null, private readonly now_ms: () => number) {
    if (typeof source === 'string') this.held = source
  }

  /** The token that was shown last. */
  get token (): string | null {
    return this.held
  }

  replace (source: TokenSource | null): void {
    this.source = source
    this.held = typeof source === 'string' ? source : null
    this.refused = this.renewAt_ms = this.asking = null
    this.refusals = 0
  }

  /** The token to connect with. The function is asked when none is held or the one that is was refused. Null without a source. */
  async get (): Promise<string | null> {
    return typeof this.source === 'function' && this.held === null ? await this.fresh() : this.held
  }

  /** Asks the function for another token; who asks meanwhile gets the same answer. */
  async fresh (): Promise<string> {
    const { source } = this
    if (typeof source !== 'function') throw new Error('There is no function that gives tokens.')
    const asking = this.asking ??= Promise.resolve().then(source)
    try {
      const token = await asking
      if (this.source === source && this.asking === asking) this.hold(token)
      return token
    } catch (error) {
      if (this.renewAt_ms !== null) this.renewAt_ms = this.now_ms() + AGAIN_MS
      throw error
    } finally {
      if (this.asking === asking) this.asking = null
    }
  }

  /** The server has refused `token`. False when there is nothing else to try. */
  refuse (token: string | null): boolean {
    if (token !== this.held) return true
    this.refusals++
    if (typeof this.source !== 'function' || this.refusals > REFUSALS_MAX) return false
    this.refused = token
    this.held = this.renewAt_ms = null
    return true
  }

  /** The function gave again what the server has just refused. */
  get isRefusedAgain (): boolean {
    return this.held !== null && this.held === this.refused
  }

  granted (): void {
    this.refusals = 0
    this.refused = null
  }

  /** In how many milliseconds to ask for the next token; null for never. */
  get renewIn_ms (): number | null {
    return this.renewAt_ms === null ? null : Math.max(0, this.renewAt_ms - this.now_ms())
  }

  private hold (token: string): void {
    const isSame = token === this.held
    const now_ms = this.now_ms()
    const expiry_ms = expiryOf(token)
    this.held = token
    if (expiry_ms === null) this.renewAt_ms = null
    else if (isSame) this.renewAt_ms = now_ms + AGAIN_MS
    else this.renewAt_ms = expiry_ms - Math.min(RENEW_BEFORE_MS, (expiry_ms - now_ms) * RENEW_SHARE)
  }
}

/** Whether it can be shown at all: nothing else goes into headers and subprotocols. */
export const isShowable = (token: string): boolean => /^[\w.~+-]+$/.test(token)

/** When a JWT ends, in milliseconds since 1970; null when it does not say. */
export const expiryOf = (token: string): number | null => {
  try {
    const claims = JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/'))) as { exp?: unknown }
    return typeof claims.exp === 'number' ? claims.exp * 1000 : null
  } catch {
    return null
  }
}
