/** One connection and what is known over it: whether it is in step with the server, and which edits it has taken. */
import * as decoding from 'lib0/decoding'
import { applyAwarenessUpdate, type Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import type { Fallback } from './choice.ts'
import * as wire from './message.ts'
import { type Notice, parseNotice } from './notice.ts'
import { type End, type Listener, LOST, type Open, type Route, type Transport, type TransportName } from './transport.ts'
import { Sent, type Unsaved } from './unsaved.ts'

/** What a link works on, and whom it tells. */
export interface LinkHost {
  readonly doc: Y.Doc
  readonly awareness: Awareness
  readonly unsaved: Unsaved
  /** Of what is applied here. */
  readonly origin: unknown
  readonly isReadOnly: () => boolean
  readonly now_ms: () => number
  readonly onOpened: (link: Link) => void
  readonly onAlive: (link: Link) => void
  readonly onSynced: (link: Link) => void
  readonly onEnded: (link: Link, end: End) => void
  readonly onNotice: (link: Link, notice: Notice) => void
  readonly onDenied: (reason: string) => void
}

export class Link implements Listener {
  readonly token: string | null
  isOpen = false
  isHeard = false
  isSynced = false
  synced_ms = 0
  /** What the server said of its going, and of being overloaded. */
  away_ms: number | null = null
  fallback: Fallback | null = null
  private readonly transport: Transport
  private readonly sent: Sent
  /** The server has been brought all that it lacked: from here on single updates follow. */
  private isBased = false
  private isBehind = false
  private isOver = false

  constructor (readonly name: TransportName, open: Open, route: Route, private readonly host: LinkHost) {
    this.token = route.token()
    this.sent = new Sent(host.unsaved)
    this.transport = open(route, this)
  }

  edit (update: Uint8Array): void {
    if (this.isBased && !this.host.isReadOnly()) this.give(wire.syncMessage(wire.UPDATE, update))
  }

  presence (message: Uint8Array): void {
    this.transport.presence(message)
  }

  farewell (message: Uint8Array | null): void {
    this.transport.farewell(message)
  }

  close (): void {
    if (this.isOver) return
    this.isOver = true
    this.transport.close()
  }

  readonly opened = (): void => {
    if (this.isOpen || this.isOver) return
    this.isOpen = true
    this.host.onOpened(this)
  }

  readonly alive = (): void => {
    if (this.isHeard || this.isOver) return
    this.isHeard = true
    this.host.onAlive(this)
  }

  readonly message = (message: Uint8Array): boolean => {
    if (this.isOver) return false
    this.alive()
    let isNews = false
    const note = () => { isNews = true }
    this.host.doc.on('update', note)
    try {
      this.read(message)
    } catch (error) {
      this.close()
      this.host.onEnded(this, { code: LOST, reason: `a message cannot be read: ${String(error)}` })
    } finally {
      this.host.doc.off('update', note)
    }
    return isNews
  }

  readonly acknowledged = (edits: number): void => this.sent.acknowledged(edits)

  readonly denied = (reason: string): void => {
    this.isBased = false
    this.host.onDenied(reason)
  }

  readonly behind = (isBehind: boolean): void => {
    if (isBehind === this.isBehind) return
    this.isBehind = isBehind
    this.host.onNotice(this, { kind: isBehind ? 'unsaved' : 'saved' })
  }

  readonly ended = (end: End): void => {
    if (this.isOver) return
    this.isOver = true
    this.host.onEnded(this, end)
  }

  private read (message: Uint8Array): void {
    const decoder = decoding.createDecoder(message)
    const { awareness, origin } = this.host
    switch (decoding.readVarUint(decoder)) {
      case wire.SYNC: return this.sync(decoding.readVarUint(decoder), decoding.readVarUint8Array(decoder))
      case wire.AWARENESS: return applyAwarenessUpdate(awareness, decoding.readVarUint8Array(decoder), origin)
      case wire.AUTH:
        decoding.readVarUint(decoder)
        return this.denied(decoding.readVarString(decoder))
      case wire.ACK: return this.acknowledged(decoding.readVarUint(decoder))
      case wire.NOTICE: {
        const notice = parseNotice(decoding.readVarString(decoder))
        if (notice !== null) this.hear(notice)
      }
    }
  }

  private sync (kind: number, body: Uint8Array): void {
    if (kind === wire.STEP1) return this.question(body)
    Y.applyUpdate(this.host.doc, body, this.host.origin)
    if (kind !== wire.STEP2 || this.isSynced || this.isOver) return
    this.isSynced = true
    this.synced_ms = this.host.now_ms()
    this.host.onSynced(this)
  }

  /**
   * What the server lacks goes to it as one difference. State vectors do not show deletions, so a difference without
   * anything in sight is sent as well, unless all that was ever changed here is known to be on disk: a server that asks
   * again with every answer is not answered again and again.
   */
  private question (stateVector: Uint8Array): void {
    const { doc, unsaved, isReadOnly } = this.host
    if (isReadOnly()) return
    this.isBased = true
    if (this.name !== 'ws' && !unsaved.hasUnsaved && !hasMore(doc, stateVector)) return
    this.give(wire.syncMessage(wire.STEP2, Y.encodeStateAsUpdate(doc, stateVector)))
  }

  private give (message: Uint8Array): void {
    this.sent.gave()
    this.transport.edit(message)
  }

  private hear (notice: Notice): void {
    if (notice.kind === 'draining') this.away_ms = notice.reconnect_after_ms
    if (notice.kind === 'fallback') this.fallback = { transport: notice.transport, retryAfter_ms: notice.retry_after_ms }
    this.host.onNotice(this, notice)
  }
}

const hasMore = (doc: Y.Doc, stateVector: Uint8Array): boolean => {
  const theirs = Y.decodeStateVector(stateVector)
  return [...Y.decodeStateVector(Y.encodeStateVector(doc))].some(([client, clock]) => clock > (theirs.get(client) ?? 0))
}
