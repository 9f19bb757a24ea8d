/** A document that is kept in step with a map on a Synapti server, by whatever way the network lets through. */
import { ObservableV2 } from 'lib0/observable'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Access, type TokenSource } from './access.ts'
import { Connector } from './connector.ts'
import type { Link } from './link.ts'
import type { Notice, Role } from './notice.ts'
import { serverOf, type Status, type SynaptiEvents, type SynaptiOptions, transportsOf } from './options.ts'
import { openPoll } from './poll.ts'
import { Presence } from './presence.ts'
import { loadSnapshot } from './snapshot.ts'
import { openSse } from './sse.ts'
import { Timers } from './timers.ts'
import { type End, type Route, type TransportName } from './transport.ts'
import { Unsaved } from './unsaved.ts'
import { watchPage } from './page.ts'
import { openWs } from './ws.ts'

const BACKOFF_MS_MAX = 30_000
/** Others stay in sight over a short loss of the connection. */
const OTHERS_KEPT_MS = 5000

const isEmpty = (doc: Y.Doc): boolean => doc.store.clients.size === 0

export class SynaptiProvider extends ObservableV2<SynaptiEvents> {
  readonly awareness: Awareness
  private readonly access: Access
  private readonly connector: Connector
  private readonly unsaved: Unsaved
  private readonly presence: Presence
  private readonly route: Omit<Route, 'token'>
  private readonly timers = new Timers()
  private readonly ownsAwareness: boolean
  private readonly stopWatching: () => void
  private snapshot: AbortController | null = null
  /** Once for each `connect` is enough: after that a connection brings everything just as fast. */
  private maySnapshot = true
  private status: Status['status'] = 'disconnected'
  private isReadOnly = false
  private heldRole: Role | null = null

  /** Throws a `TypeError` when the address or an option makes no sense. */
  constructor (serverUrl: string, readonly graphId: string, readonly doc: Y.Doc, options: SynaptiOptions = {}) {
    super()
    const Socket = (options.WebSocketPolyfill ?? globalThis.WebSocket ?? null) as typeof WebSocket | null
    const fetchWith = options.fetch ?? globalThis.fetch
    const now_ms = () => Date.now()
    this.ownsAwareness = options.awareness === undefined
    this.awareness = options.awareness ?? new Awareness(doc)
    this.presence = new Presence(this.awareness, message => this.connector.current?.presence(message))
    this.unsaved = new Unsaved(!isEmpty(doc), hasUnsaved => this.emit(hasUnsaved ? 'unsaved' : 'saved', []))
    this.access = new Access(options.token ?? null, now_ms)
    this.route = {
      server: serverOf(serverUrl),
      graphId,
      params: options.params ?? {},
      // Browsers want to be asked without a `this`.
      fetch: (...args) => fetchWith(...args),
      WebSocket: Socket,
      random: Math.random,
      stateVector: () => Y.encodeStateVector(doc),
      isAlone: () => this.presence.isAlone
    }
    this.connector = new Connector({
      doc,
      now_ms,
      awareness: this.awareness,
      unsaved: this.unsaved,
      origin: this,
      route: this.route,
      access: this.access,
      openers: { ws: openWs, sse: openSse, poll: openPoll },
      transports: transportsOf(options.transports, Socket !== null),
      maxBackoff_ms: options.maxBackoff ?? BACKOFF_MS_MAX,
      isReadOnly: () => this.isReadOnly,
      isOnline: () => globalThis.navigator?.onLine !== false,
      onConnecting: () => this.connecting(),
      onCurrent: link => this.carried(link),
      onLost: () => this.lost(),
      onClose: (transport, { code, reason }) => this.emit('connection-close', [{ code, reason, transport }]),
      onError: error => this.emit('connection-error', [error]),
      onStopped: end => this.stopped(end),
      onNotice: (_link, notice) => this.hear(notice),
      onDenied: reason => this.setReadOnly(true, reason)
    })
    doc.on('update', this.onUpdate)
    doc.on('destroy', this.onDocDestroy)
    this.awareness.on('change', this.onAwareness)
    this.stopWatching = watchPage({
      onOnline: () => this.connector.online(),
      onHide: () => this.sayFarewell(),
      onShow: () => this.presence.renew()
    })
    if (options.connect !== false) this.connect()
  }

  get synced (): boolean {
    return this.connector.current !== null
  }

  get connected (): boolean {
    return this.connector.current !== null
  }

  /** As y-websocket has it: whether edits travel by WebSocket now. */
  get wsconnected (): boolean {
    return this.transport === 'ws'
  }

  /** The way that is used now; null while there is none. */
  get transport (): TransportName | null {
    return this.connector.current?.name ?? null
  }

  get shouldConnect (): boolean {
    return this.connector.wanted
  }

  /** Whether something was changed here that is not on the server's disk. */
  get hasUnsavedChanges (): boolean {
    return this.unsaved.hasUnsaved
  }

  /** Whether the server takes no edits from this client. */
  get readOnly (): boolean {
    return this.isReadOnly
  }

  /** What this client is in the map, as far as the server said. */
  get role (): Role | null {
    return this.heldRole
  }

  connect (): void {
    this.maySnapshot = true
    this.connector.connect()
  }

  /** Leaves until `connect` is called. Edits are kept, and sent then. */
  disconnect (): void {
    this.sayFarewell()
    this.connector.disconnect()
    this.snapshot?.abort()
    this.timers.clearAll()
    this.presence.forgetOthers(this)
    this.setStatus('disconnected')
  }

  /** Another token, perhaps of another person: the connection is made anew with it, also after `closed`. */
  setToken (token: TokenSource | null): void {
    this.access.replace(token)
    this.snapshot?.abort()
    this.maySnapshot = true
    this.heldRole = null
    this.setReadOnly(false, null)
    this.sayFarewell()
    this.connector.restart()
  }

  override destroy (): void {
    this.disconnect()
    this.stopWatching()
    this.doc.off('update', this.onUpdate)
    this.doc.off('destroy', this.onDocDestroy)
    this.awareness.off('change', this.onAwareness)
    this.presence.destroy()
    if (this.ownsAwareness) this.awareness.destroy()
    super.destroy()
  }

  private readonly onUpdate = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return
    this.unsaved.changed()
    for (const link of this.connector.links) link.edit(update)
  }

  private readonly onDocDestroy = (): void => this.destroy()

  private readonly onAwareness = (change: { added: number[], updated: number[], removed: number[] }, origin: unknown): void =>
    this.emit('awareness', [change, origin])

  private connecting (): void {
    this.setStatus('connecting')
    if (isEmpty(this.doc) && this.maySnapshot) void this.loadSnapshot()
  }

  /** Beside the connection, whichever is faster. */
  private async loadSnapshot (): Promise<void> {
    this.maySnapshot = false
    const abort = this.snapshot = new AbortController()
    const token = await this.access.get().catch(() => null)
    const route = { ...this.route, token: () => token }
    await loadSnapshot(route, this.doc, this, abort.signal, () => abort.signal.aborted || this.synced)
  }

  private carried (link: Link): void {
    const wasSynced = this.status === 'connected'
    this.snapshot?.abort()
    this.timers.clear('others')
    this.status = 'connected'
    this.presence.renew()
    this.emit('status', [{ status: 'connected', transport: link.name }])
    if (!wasSynced) this.emitSynced(true)
  }

  private lost (): void {
    this.setStatus('disconnected')
    this.timers.set('others', OTHERS_KEPT_MS, () => this.presence.forgetOthers(this))
    this.emitSynced(false)
  }

  private stopped ({ code, reason }: End): void {
    this.snapshot?.abort()
    this.timers.clearAll()
    this.presence.forgetOthers(this)
    this.setStatus('disconnected')
    this.emit('closed', [{ code, reason }])
  }

  private hear (notice: Notice): void {
    if (notice.kind === 'role') {
      this.heldRole = notice.role
      this.emit('role', [notice.role])
      this.setReadOnly(notice.role === 'viewer' || notice.role === 'commenter', null)
    }
    this.emit('notice', [notice])
  }

  private setReadOnly (isReadOnly: boolean, reason: string | null): void {
    if (isReadOnly === this.isReadOnly) return
    this.isReadOnly = isReadOnly
    this.emit('readonly', [isReadOnly, reason])
  }

  private setStatus (status: Status['status']): void {
    if (status === this.status) return
    this.status = status
    this.emit('status', [{ status, transport: null }])
  }

  private emitSynced (isSynced: boolean): void {
    this.emit('synced', [isSynced])
    this.emit('sync', [isSynced])
  }

  private sayFarewell (): void {
    const message = this.presence.farewell()
    this.connector.current?.farewell(message)
  }
}
