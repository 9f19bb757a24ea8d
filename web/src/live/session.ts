/** One open map: the document, its connection, who is there, and whether everything is saved. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'
import * as decoding from 'lib0/decoding'
import type { IndexeddbPersistence } from 'y-indexeddb'
import { readAuthMessage } from 'y-protocols/auth'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { granted, held, refused, subprotocols, unanswered } from './access.ts'
import { type Ending, endingOf } from './close.ts'
import { keepMap } from './keep.ts'
import { afterLoss, type Link } from './link.ts'
import { Notices } from './notices.ts'
import { Pauses } from './pause.ts'
import { Presence } from './presence.ts'
import { Rights } from './rights.ts'
import { Saved, type SavedState } from './saved.ts'
import { telling } from './socket.ts'

/** `auth` is the protocol's own; the others the server says to those who ask with `ext=1` (`docs/live-protocol.md`). */
const MESSAGE_AUTH = 2
const MESSAGE_ACK = 120
const MESSAGE_NOTICE = 121

/** Who wants to keep the map as it is now waits this long for the last letter to be saved. */
const SAVED_WITHIN_MS = 3000

export class Session {
  readonly doc = new Y.Doc()
  readonly link = signal<Link>({ kind: 'connecting' })
  readonly saved = signal<SavedState>('unknown')
  /** Something was changed on this page since all was saved last. */
  readonly hasChanges = signal(false)
  /** The server's state has been seen at least once: an empty map is really empty. */
  readonly hasSynced = signal(false)
  /** Whether this browser keeps changes over a reload. */
  readonly isKept = signal(true)
  /** When the map was last known to be what the server has; null while it is, and before it ever was. */
  readonly asOf = signal<Date | null>(null)
  readonly rights = new Rights()
  readonly isEditable: ReadonlySignal<boolean> = computed(() => {
    const link = this.link.value
    return !this.rights.isReadOnly.value && (link.kind !== 'ended' || link.ending.isEditable)
  })

  readonly presence: Presence
  readonly notices = new Notices(role => this.rights.hear(role))
  private readonly provider: WebsocketProvider
  private readonly tracker: Saved
  private kept: IndexeddbPersistence | null = null
  private returning: ReturnType<typeof setTimeout> | undefined
  private readonly pauses = new Pauses()
  private liveSince_ms: number | null = null
  private hasBegun = false
  private isRenewing = false
  private isOver = false
  private readonly stopAccess: () => void

  constructor (readonly graphId: string) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    this.provider = new WebsocketProvider(`${scheme}://${location.host}/v1/ws`, graphId, this.doc, {
      connect: false,
      // Tabs of one browser meet at the server too: what they see of each other is then saved, as for everybody else.
      disableBc: true,
      params: { ext: '1' },
      WebSocketPolyfill: telling(WebSocket, edit => this.tracker.gave(edit))
    })
    this.tracker = new Saved({
      onState: state => {
        this.saved.value = state
        if (state !== 'saved') return
        this.rights.accept()
        this.hasChanges.value = false
      },
      later: (run, delay_ms) => setTimeout(run, delay_ms),
      cancel: timer => clearTimeout(timer)
    })
    this.presence = new Presence(this.provider.awareness)
    this.doc.on('update', (_update: Uint8Array, origin: unknown, _doc: Y.Doc, { local }: Y.Transaction) => {
      if (local) this.hasChanges.value = true
      if (origin !== this.provider && !this.isSending) this.tracker.missed()
    })
    this.watchMessages()
    this.watchConnection()
    this.stopAccess = held.subscribe(() => { if (this.hasBegun) this.renew() })
    void this.begin()
  }

  destroy (): void {
    this.isOver = true
    this.stopAccess()
    clearTimeout(this.returning)
    this.notices.forget()
    this.tracker.destroy()
    this.presence.destroy()
    this.provider.destroy()
    this.provider.awareness.destroy()
    void this.kept?.destroy()
    this.doc.destroy()
  }

  /** Tries again after the server has closed for good. */
  retry (): void {
    this.link.value = { kind: 'connecting' }
    this.connect()
  }

  /** Forgets what this browser has kept of the map. The page is to be loaded anew afterwards. */
  async forget (): Promise<void> {
    await this.kept?.clearData()
  }

  /** Whether all that was changed here is on the server's disk; it is waited for, but not for long. */
  async whenSaved (): Promise<boolean> {
    if (this.saved.value === 'saved') return true
    return await new Promise(resolve => {
      const end = (isSaved: boolean) => {
        clearTimeout(timer)
        stop()
        resolve(isSaved)
      }
      const timer = setTimeout(() => end(false), SAVED_WITHIN_MS)
      const stop = this.saved.subscribe(state => { if (state === 'saved') end(true) })
    })
  }

  private async begin (): Promise<void> {
    const kept = await keepMap(this.graphId, this.doc)
    if (this.isOver) {
      void kept?.destroy()
      return
    }
    this.kept = kept
    this.isKept.value = kept !== null
    this.hasBegun = true
    this.connect()
  }

  private connect (): void {
    this.provider.protocols = subprotocols()
    this.provider.connect()
  }

  /** Another token may make another person of this one: the connection is made anew with it. */
  private renew (): void {
    const { value: link } = this.link
    if (link.kind === 'ended' && !link.ending.canRetry) return unanswered()
    clearTimeout(this.returning)
    this.isRenewing = true
    this.provider.disconnect()
    this.isRenewing = false
    this.rights.accept()
    // Others were just told that this one leaves, and believe only what is newer.
    const { awareness } = this.provider
    awareness.setLocalState(awareness.getLocalState())
    this.retry()
  }

  /** Whether the provider sends a change that is made now: the condition is its own. */
  private get isSending (): boolean {
    const { ws, wsconnected } = this.provider
    return wsconnected && ws !== null && ws.readyState === ws.OPEN
  }

  private watchMessages (): void {
    this.provider.messageHandlers[MESSAGE_ACK] = (_encoder, decoder) => this.tracker.acknowledged(decoding.readVarUint(decoder))
    this.provider.messageHandlers[MESSAGE_AUTH] = (_encoder, decoder) => readAuthMessage(decoder, this.doc, (_doc, reason) => {
      this.rights.refuse(reason)
      this.tracker.refused()
    })
    this.provider.messageHandlers[MESSAGE_NOTICE] = (_encoder, decoder) => this.notices.hear(decoding.readVarString(decoder))
  }

  private watchConnection (): void {
    this.provider.on('status', ({ status }) => {
      if (status === 'connecting') {
        this.notices.forget()
        this.rights.begin()
      }
      if (status === 'connected') this.tracker.opened()
      if (status === 'disconnected') this.tracker.closed()
    })
    this.provider.on('sync', isSynced => {
      if (!isSynced) return
      granted()
      this.rights.settle()
      this.liveSince_ms = performance.now()
      this.asOf.value = null
      this.hasSynced.value = true
      this.link.value = { kind: 'live' }
    })
    this.provider.on('connection-close', event => {
      if (!this.isOver && !this.isRenewing) this.lost(event?.code ?? 0, event?.reason ?? '')
    })
    this.provider.on('closed', ({ code, reason }) => this.end(endingOf(code, reason, this.notices.reasonOf(code))))
  }

  private lost (code: number, reason: string): void {
    const lived_ms = this.liveSince_ms === null ? 0 : performance.now() - this.liveSince_ms
    if (this.liveSince_ms !== null) this.asOf.value = new Date()
    this.liveSince_ms = null
    if (code !== 4401) unanswered()
    const { link, wait_ms } = afterLoss({ code, reason, lived_ms, now_ms: Date.now() }, this.notices, this.pauses)
    this.link.value = link
    clearTimeout(this.returning)
    if (wait_ms === null) return
    this.provider.shouldConnect = false
    this.returning = setTimeout(() => this.connect(), wait_ms)
  }

  private end (ending: Ending): void {
    clearTimeout(this.returning)
    this.link.value = { kind: 'ended', ending }
    if (ending.code === 4401) refused(this.notices.reasonOf(4401) ?? 'you are not signed in')
    // What was deleted must not come back from this browser's memory.
    if (ending.code === 4410) void this.forget()
  }
}
