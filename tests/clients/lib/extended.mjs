/**
 * A client that speaks `synapti.v1`: it counts its edits, and hears which of them are on disk.
 */
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import { ACK, NOTICE, RawClient, STEP1, SYNC, step2, update } from './raw.mjs'
import { until, within } from './wait.mjs'

export class Extended extends RawClient {
  /**
   * Joins the room `id` and returns when the greeting is answered and everything that is there has come. Who brings a
   * `doc` brings what the server lacks of it.
   */
  static async join (t, server, id, { doc } = {}) {
    const client = new Extended(new WebSocket(`${server.ws}/${id}`, ['synapti.v1'], { perMessageDeflate: false }), doc)
    t.after(() => client.socket.terminate())
    await within('the extended socket opens', client.opened)
    await client.read()
    return client
  }

  constructor (socket, doc) {
    super(socket, doc)
    /** Sync messages with an update in them, which is what the server counts. */
    this.sent = 0
    this.map = this.doc.getMap('set')
    const onUpdate = (bytes, origin) => {
      if (origin !== 'server') this.#sendCounted(update(bytes))
    }
    this.doc.on('update', onUpdate)
    socket.once('close', () => this.doc.off('update', onUpdate))
    // After the listener of the class above, which has decoded it.
    socket.on('message', () => {
      const { type, kind, body } = this.messages.at(-1)
      if (type === SYNC && kind === STEP1) this.#sendCounted(step2(Y.encodeStateAsUpdate(this.doc, body)))
    })
  }

  /** Sets a key; returns the number of the edit. */
  set (key, value) {
    this.map.set(key, value)
    return this.sent
  }

  /** How many of this client's edits are on disk, as far as it was told. */
  get acked () {
    return this.messages.findLast(({ type }) => type === ACK)?.count ?? 0
  }

  /** The notices so far, by kind. */
  get notices () {
    return this.messages.filter(({ type }) => type === NOTICE).map(({ notice }) => notice.kind)
  }

  /** Waits until this edit, or all so far, are on disk. */
  async saved (edit = this.sent, options = undefined) {
    return until(`edit ${edit} is acknowledged`, () => this.acked >= edit, { detail: () => ({ acked: this.acked, notices: this.notices }), ...options })
  }

  async noticed (kind, options = undefined) {
    return until(`the notice \`${kind}\` comes`, () => this.notices.at(-1) === kind, { detail: () => this.notices, ...options })
  }

  /** Leaves as soon as what it has said is with the network. */
  async leave () {
    this.socket.close()
    return this.closed
  }

  #sendCounted (frame) {
    this.sent += 1
    this.send(frame)
  }
}
