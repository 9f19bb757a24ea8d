/** What the server says on this connection: whether it can save, that it goes or is busy, who one is here, why it closes. */
import { signal } from '@preact/signals'
import { isRole, type Role } from './rights.ts'

/** How long it is shown that the server can save again. */
export const RECOVERED_FOR_MS = 5000
/** No server asks for more; a number that is out of this range is not believed. */
const AWAY_MS_MAX = 30_000

/** Whether what is seen here is on the server's disk, as far as it is the server's doing. */
export type Disk = 'well' | 'failing' | 'recovered'

type Notice =
  | { readonly kind: 'unsaved' }
  | { readonly kind: 'saved' }
  | { readonly kind: 'draining', readonly reconnect_after_ms: number }
  | { readonly kind: 'fallback', readonly retry_after_ms: number | null }
  | { readonly kind: 'role', readonly role: Role }
  | { readonly kind: 'error', readonly code: number, readonly message: string }

/** Null for what this page does not know; a newer server may say more. */
const parse = (json: string): Notice | null => {
  let notice: Record<string, unknown> | null
  try {
    notice = JSON.parse(json)
  } catch {
    return null
  }
  const { kind, reconnect_after_ms: wait, retry_after_ms: retry, role, code, message } = notice ?? {}
  if (kind === 'unsaved' || kind === 'saved') return { kind }
  if (kind === 'draining') {
    const isWait = typeof wait === 'number' && wait >= 0 && wait <= AWAY_MS_MAX
    return { kind, reconnect_after_ms: isWait ? wait : 0 }
  }
  if (kind === 'fallback') return { kind, retry_after_ms: typeof retry === 'number' && retry >= 0 ? retry : null }
  if (kind === 'role') return isRole(role) ? { kind, role } : null
  return kind === 'error' && typeof code === 'number' && typeof message === 'string' ? { kind, code, message } : null
}

export class Notices {
  readonly disk = signal<Disk>('well')
  /** The server is too busy for this page; it may have said when to try again. */
  busy: { readonly retry_after_ms: number | null } | null = null
  private lastWords: { readonly code: number, readonly message: string } | null = null
  private away_ms: number | null = null
  private calm: ReturnType<typeof setTimeout> | undefined

  constructor (private readonly onRole: (role: Role) => void = () => {}) {}

  hear (json: string): void {
    const notice = parse(json)
    switch (notice?.kind) {
      case 'unsaved': return this.say('failing')
      case 'saved': return this.disk.value === 'failing' ? this.say('recovered') : undefined
      case 'draining':
        this.away_ms = notice.reconnect_after_ms
        return
      case 'fallback':
        this.busy = notice
        return
      case 'role': return this.onRole(notice.role)
      case 'error': this.lastWords = notice
    }
  }

  /** A new connection begins: it has heard nothing yet. */
  forget (): void {
    this.say('well')
    this.lastWords = this.away_ms = this.busy = null
  }

  /** Why the connection was closed with this code, when the server said. */
  reasonOf (code: number): string | null {
    return this.lastWords?.code === code ? this.lastWords.message : null
  }

  /** After how long to come back to a server that said it goes; null when it did not. */
  get comeBackAfter_ms (): number | null {
    return this.away_ms
  }

  private say (disk: Disk): void {
    clearTimeout(this.calm)
    this.disk.value = disk
    if (disk === 'recovered') this.calm = setTimeout(() => { this.disk.value = 'well' }, RECOVERED_FOR_MS)
  }
}
