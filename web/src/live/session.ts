/** One open map: the document, its connection, who is there, and whether everything is saved. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import type { IndexeddbPersistence } from 'y-indexeddb'
import * as sync from 'y-protocols/sync'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'
import { type Ending, endingOf, lossOf } from './close.ts'
import { keepMap } from './keep.ts'
import { Presence } from './presence.ts'
import { Saved, type SavedState } from './saved.ts'

const MESSAGE_SYNC = 0

export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
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
  private readonly provider: WebsocketProvider
  private readonly tracker: Saved
  private kept: IndexeddbPersistence | null = null
  private isOver = false

  constructor (readonly graphId: string) {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws'
    // Tabs of one browser meet at the server too: what they see of each other is then saved, as for everybody else.
    this.provider = new WebsocketProvider(`${scheme}://${location.host}/v1/ws`, graphId, this.doc, { connect: false, disableBc: true })
    this.tracker = new Saved({
      ask: () => this.ask(),
      onState: state => { this.saved.value = state },
      later: (run, delay_ms) => setTimeout(run, delay_ms),
      cancel: timer => clearTimeout(timer)
    })
    this.presence = new Presence(this.provider.awareness)
    this.doc.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin !== this.provider) this.tracker.changed()
    })
    this.watchMessages()
    this.watchConnection()
    void this.begin()
  }

  destroy (): void {
    this.isOver = true
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

  private ask (): boolean {
    const { ws, wsconnected } = this.provider
    if (ws === null || !wsconnected || ws.readyState !== WebSocket.OPEN) return false
    const encoder = encoding.createEncoder()
    encoding.writeVarUint(encoder, MESSAGE_SYNC)
    sync.writeSyncStep1(encoder, this.doc)
    ws.send(encoding.toUint8Array(encoder))
    return true
  }

  /** Lets the provider handle each sync message and tells the tracker which kind it was. */
  private watchMessages (): void {
    const handle = this.provider.messageHandlers[MESSAGE_SYNC]
    if (handle === undefined) return
    this.provider.messageHandlers[MESSAGE_SYNC] = (encoder, decoder, provider, emitSynced, type) => {
      const kind = decoding.peekVarUint(decoder)
      handle(encoder, decoder, provider, emitSynced, type)
      if (kind === sync.messageYjsSyncStep1) this.tracker.gave()
      if (kind === sync.messageYjsSyncStep2) this.tracker.answered()
    }
  }

  private watchConnection (): void {
    this.provider.on('status', ({ status }) => {
      if (status === 'connected') this.tracker.opened()
      if (status === 'disconnected') this.tracker.closed()
    })
    this.provider.on('sync', isSynced => {
      if (!isSynced) return
      this.hasSynced.value = true
      this.link.value = { kind: 'live' }
    })
    this.provider.on('connection-close', event => {
      if (!this.isOver) this.link.value = { kind: 'lost', why: lossOf(event?.code ?? 0) }
    })
    this.provider.on('closed', ({ code, reason }) => this.end(endingOf(code, reason)))
  }

  private end (ending: Ending): void {
    this.link.value = { kind: 'ended', ending }
    // What was deleted must not come back from this browser's memory.
    if (ending.code === 4410) void this.kept?.clearData()
  }
}
