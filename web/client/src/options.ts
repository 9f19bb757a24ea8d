/** What a provider may be told, and what it does otherwise. */
import type { Awareness } from 'y-protocols/awareness'
import type { TokenSource } from './access.ts'
import type { Notice, Role } from './notice.ts'
import { TRANSPORTS, type TransportName } from './transport.ts'

export interface SynaptiOptions {
  /** Whether to connect at once. */
  readonly connect?: boolean
  readonly awareness?: Awareness
  /** A JWT, or a function that gives one: it is asked again when one is refused, and before one ends. */
  readonly token?: TokenSource | null
  /** Ways to try, best first. */
  readonly transports?: readonly TransportName[]
  /** For programs where `WebSocket` is no global. */
  readonly WebSocketPolyfill?: unknown
  readonly fetch?: typeof fetch
  /** The longest pause between tries, in milliseconds. */
  readonly maxBackoff?: number
  /** Added to the query of every address. No place for tokens. */
  readonly params?: Readonly<Record<string, string>>
}

export interface Status {
  readonly status: 'connecting' | 'connected' | 'disconnected'
  readonly transport: TransportName | null
}

/** Why the provider has stopped, or one connection was closed. */
export interface Closed {
  readonly code: number
  readonly reason: string
}

export interface SynaptiEvents {
  status: (status: Status) => void
  /** The document is in step with the server, or no longer. */
  sync: (isSynced: boolean) => void
  synced: (isSynced: boolean) => void
  /** Somebody shows something else: the change as `Awareness` tells it. */
  awareness: (change: { added: number[], updated: number[], removed: number[] }, origin: unknown) => void
  /** Something was changed here that is not on the server's disk yet. */
  unsaved: () => void
  /** All that was changed here is on the server's disk. */
  saved: () => void
  readonly: (isReadOnly: boolean, reason: string | null) => void
  role: (role: Role) => void
  notice: (notice: Notice) => void
  /** One connection has ended; others may be tried. */
  'connection-close': (closed: Closed & { readonly transport: TransportName }) => void
  'connection-error': (error: unknown) => void
  /** The provider has stopped: trying again would not change the answer. */
  closed: (closed: Closed) => void
}

/** The server's address without what programs put behind it for y-websocket. An empty one is the page's own. */
export const serverOf = (address: string): string => {
  const base = address === '' && typeof location !== 'undefined' ? location.origin : address
  if (!/^(https?|wss?):\/\/./.test(base)) throw new TypeError(`"${address}" is no address of a server; write it like https://maps.example.com`)
  return base.replace(/^ws/, 'http').replace(/\/+$/, '').replace(/\/v1(\/ws)?$/, '').replace(/\/+$/, '')
}

/** Without a WebSocket there are still the other ways. */
export const transportsOf = (wanted: readonly TransportName[] = TRANSPORTS, hasWebSocket: boolean): TransportName[] => {
  const unknown = wanted.find(name => !TRANSPORTS.includes(name))
  if (unknown !== undefined) throw new TypeError(`"${unknown}" is no transport; there are ${TRANSPORTS.join(', ')}`)
  const usable = [...new Set(wanted)].filter(name => name !== 'ws' || hasWebSocket)
  if (usable.length === 0) throw new TypeError('No transport is left: pass WebSocketPolyfill, or add "sse" or "poll" to transports')
  return usable
}
