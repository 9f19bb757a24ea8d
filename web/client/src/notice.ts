/** What the server says of itself and of this client (`docs/live-protocol.md`). */

export type Role = 'viewer' | 'commenter' | 'editor' | 'owner'

export type Notice =
  /** What is seen here is not all on the server's disk; or it is again. */
  | { readonly kind: 'unsaved' | 'saved' }
  | { readonly kind: 'draining', readonly reconnect_after_ms: number }
  | { readonly kind: 'fallback', readonly transport: string, readonly retry_after_ms: number | null }
  | { readonly kind: 'role', readonly role: Role }
  | { readonly kind: 'error', readonly code: number, readonly message: string }

/** No server asks for more; a number that is out of this range is not believed. */
const AWAY_MS_MAX = 30_000
const RETRY_MS_MAX = 300_000
const ROLES: ReadonlySet<unknown> = new Set<Role>(['viewer', 'commenter', 'editor', 'owner'])

const within = (value: unknown, most: number): number | null => typeof value === 'number' && value >= 0 ? Math.min(value, most) : null

/** Null for what this client does not know; a newer server may say more. */
export const parseNotice = (json: string): Notice | null => {
  let notice: Record<string, unknown> | null
  try {
    notice = JSON.parse(json)
  } catch {
    return null
  }
  const { kind, reconnect_after_ms: away, retry_after_ms: retry, transport, role, code, message } = notice ?? {}
  switch (kind) {
    case 'unsaved':
    case 'saved': return { kind }
    case 'draining': return { kind, reconnect_after_ms: within(away, AWAY_MS_MAX) ?? 0 }
    case 'fallback': return { kind, transport: String(transport), retry_after_ms: within(retry, RETRY_MS_MAX) }
    case 'role': return ROLES.has(role) ? { kind, role: role as Role } : null
    case 'error': return typeof code === 'number' && typeof message === 'string' ? { kind, code, message } : null
    default: return null
  }
}
