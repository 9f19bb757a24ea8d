/** One open map: the document, its connection, who is there, and whether everything is saved. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'
import * as decoding from 'lib0/decoding'
import type { IndexeddbPersistence } from 'y-indexeddb'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { type Ending, endingOf, lossOf } from './close.ts'
import { keepMap } from './keep.ts'
import { Notices } from './notices.ts'
import { Presence } from './presence.ts'
import { Saved, type SavedState } from './saved.ts'
import { telling } from './socket.ts'

/** What the server says beside the y-websocket protocol to those who ask with `ext=1` (`docs/live-protocol.md`). */
const MESSAGE_ACK = 120
const MESSAGE_NOTICE = 121

/** Who wants to keep the map as it is now waits this long for the last letter to be saved. */
const SAVED_WITHIN_MS = 3000

export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  /** The server said that it goes and when to come back: no reason to worry. */
  | { readonly kind: 'moving' }
  | { readonly kind: 'lost', readonly why: string }
  | { readonly kind: 'ended', readonly ending: Ending }

export class Session {
  readonly doc = new Y.Doc()
  readonly link = signal<Link>({ kind: 'connecting' })
  readonly saved = signal<SavedState>('unknown')
  /** The server's state has been seen at least once: an empty map is really empty. */
  readonly hasSynced = signal(false)
  /** Whether this browser keeps changes over a reload. */
  readonly isKept = signal(true)
  readonly isEditable: ReadonlySignal<boolean> = computed(() => {
    const link = this.link.value
    return link.kind !== 'ended' || link.ending.isEditable
  })

  readonly presence: Presence
  readonly notices = new Notices()
  private readonly provider: WebsocketProvider
  private readonly tracker: Saved
  private kept: IndexeddbPersistence | null = null
  private returning: ReturnType<typeof setTimeout> | undefined
  private isOver = false

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
      onState: state => { this.saved.value = state },
      later: (run, delay_ms) => setTimeout(run, delay_ms),
      cancel: timer => clearTimeout(timer)
    })
    this.presence = new Presence(this.provider.awareness)
    this.doc.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin !== this.provider && !this.isSending) this.tracker.missed()
    })
    this.watchMessages()
    this.watchConnection()
    void this.begin()
  }

  destroy (): void {
    this.isOver = true
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
    this.provider.connect()
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
    this.provider.connect()
  }

  /** Whether the provider sends a change that is made now: the condition is its own. */
  private get isSending (): boolean {
    const { ws, wsconnected } = this.provider
    return wsconnected && ws !== null && ws.readyState === ws.OPEN
  }

  private watchMessages (): void {
    this.provider.messageHandlers[MESSAGE_ACK] = (_encoder, decoder) => this.tracker.acknowledged(decoding.readVarUint(decoder))
    this.provider.messageHandlers[MESSAGE_NOTICE] = (_encoder, decoder) => this.notices.hear(decoding.readVarString(decoder))
  }

  private watchConnection (): void {
    this.provider.on('status', ({ status }) => {
      if (status === 'connecting') this.notices.forget()
      if (status === 'connected') this.tracker.opened()
      if (status === 'disconnected') this.tracker.closed()
    })
    this.provider.on('sync', isSynced => {
      if (!isSynced) return
      this.hasSynced.value = true
      this.link.value = { kind: 'live' }
    })
    this.provider.on('connection-close', event => {
      if (this.isOver) return
      const code = event?.code ?? 0
      const wait_ms = this.notices.comeBackAfter_ms
      if (wait_ms === null) this.link.value = { kind: 'lost', why: lossOf(code, this.notices.reasonOf(code)) }
      else this.comeBack(wait_ms)
    })
    this.provider.on('closed', ({ code, reason }) => this.end(endingOf(code, reason, this.notices.reasonOf(code))))
  }

  /** The server has spread its clients over a time of its choice, so that not all come back at once. */
  private comeBack (wait_ms: number): void {
    this.link.value = { kind: 'moving' }
    this.provider.shouldConnect = false
    clearTimeout(this.returning)
    this.returning = setTimeout(() => this.provider.connect(), wait_ms)
  }

  private end (ending: Ending): void {
    clearTimeout(this.returning)
    this.link.value = { kind: 'ended', ending }
    // What was deleted must not come back from this browser's memory.
    if (ending.code === 4410) void this.kept?.clearData()
  }
}
