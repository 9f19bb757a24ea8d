/** What a way to the server has to offer, and what it tells. */

export type TransportName = 'ws' | 'sse' | 'poll'

/** Best first. */
export const TRANSPORTS: readonly TransportName[] = ['ws', 'sse', 'poll']

/** Why a connection ended, in the server's close codes whatever carried them (`docs/live-protocol.md`). */
export interface End {
  readonly code: number
  readonly reason: string
  /** How long the server wants to be left alone. */
  readonly retryAfter_ms?: number
  /** The server itself said so; anything else may be a proxy on the way. */
  readonly isServer?: boolean
  /** What was shown to the server, when it refused that. */
  readonly token?: string | null
}

export const LOST = 1006
export const TOO_MUCH = 1008
export const RESTARTING = 1012
export const FULL = 1013
export const UNAUTHENTICATED = 4401
export const OVERLOADED = 4503

/** Coming back cannot change the answer. */
export const isFinal = (code: number): boolean => code >= 4400 && code < 4500 && code !== UNAUTHENTICATED

/** The server has to be left alone for a while, whatever the way to it. */
export const isBusy = (code: number): boolean => code === TOO_MUCH || code === FULL

/** What a transport needs. */
export interface Route {
  /** `https://host/prefix`, without a slash at its end. */
  readonly server: string
  readonly graphId: string
  readonly params: Readonly<Record<string, string>>
  /** As it is now: who asks again and again shows the newest. */
  readonly token: () => string | null
  readonly fetch: typeof fetch
  readonly WebSocket: typeof WebSocket | null
  readonly random: () => number
  /** Of the document, as it is now. */
  readonly stateVector: () => Uint8Array
  /** Whether others show themselves. */
  readonly isAlone: () => boolean
}

/** What a transport tells; nothing after `ended`, and nothing after it was closed. */
export interface Listener {
  /** The server is there. */
  readonly opened: () => void
  /** A y-protocols message, or one of `synapti.v1`. Answers whether the document has changed by it. */
  readonly message: (message: Uint8Array) => boolean
  /** The server is heard, though it said nothing. */
  readonly alive: () => void
  /** The first so many edits are on disk. */
  readonly acknowledged: (edits: number) => void
  /** Edits are not taken from this client. */
  readonly denied: (reason: string) => void
  /** The server is behind with saving, or no more. */
  readonly behind: (isBehind: boolean) => void
  readonly ended: (end: End) => void
}

/** A connection. It asks for the document by itself; edits are y-protocols messages (SyncStep2 or Update). */
export interface Transport {
  readonly name: TransportName
  edit: (message: Uint8Array) => void
  /** Replaces what was to be shown and has not left yet. */
  presence: (message: Uint8Array) => void
  /** A last awareness message and what has not left yet are tried to be delivered, even while the page goes away. */
  farewell: (message: Uint8Array | null) => void
  close: () => void
}

export type Open = (route: Route, listener: Listener) => Transport
