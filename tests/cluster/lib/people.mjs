/**
 * People on the nodes of a cluster: with the unmodified y-websocket, or with acknowledgements.
 */
import { clockOf, connect, leave, synced } from '../../clients/lib/client.mjs'
import { Extended } from '../../clients/lib/extended.mjs'
import { addNode, nodeOf } from '../../clients/lib/map.mjs'
import { lasting } from './pause.mjs'

/** Between two tries to come back. */
const TRY_AGAIN_MS = 100

class Person {
  constructor (t, node, room, name) {
    Object.assign(this, { t, node, room, name })
    /** Connections that ended and that this person had not ended, as `{node, code}`. */
    this.closes = []
    /** Where this person goes when the node that it is given closes the connection; nowhere else without it. */
    this.balancer = undefined
    this.added = 0
  }

  /** Adds a node to the map; returns its id. */
  add () {
    const id = `${this.name}-${this.added++}`
    addNode(this.doc, { id, title: id, parent: 'root', order: 'a1' })
    this.noted(id)
    return id
  }

  /** Types a letter into some node's title, or takes one away. */
  type (random) {
    const nodes = this.doc.getMap('nodes')
    if (nodes.size === 0) return
    const title = nodeOf(this.doc, random.pick([...nodes.keys()])).get('title')
    const at = random.int(title.length + 1)
    if (at < title.length && random.chance(0.25)) title.delete(at, 1)
    else title.insert(at, random.pick(['a', 'e', 'ü', ' ', '字']))
    this.noted()
  }

  noted () {}
}

/** Somebody with y-websocket: reconnects by themselves, hears nothing of what is on disk, and is seen by the others. */
export class Plain extends Person {
  static async join (t, node, room, name) {
    const person = new Plain(t, node, room, name)
    person.client = connect(t, node, room, { state: { name } })
    person.client.provider.on('connection-close', event => {
      if (!person.isMoving) person.#lost(event?.code ?? 'nothing heard')
    })
    await synced(person.client)
    return person
  }

  get doc () {
    return this.client.doc
  }

  get awareness () {
    return this.client.awareness
  }

  get isConnected () {
    return this.client.provider.synced
  }

  /** Names that this person sees, their own too. */
  get seen () {
    return [...this.awareness.getStates().values()].map(({ name }) => name).sort()
  }

  /** Goes to another node with the same document, as behind a balancer. */
  async move (node) {
    const { provider } = this.client
    this.isMoving = true
    provider.disconnect()
    this.isMoving = false
    provider.serverUrl = node.ws
    this.node = node
    provider.connect()
    await synced(this.client)
  }

  leave () {
    this.isMoving = true
    leave(this.client)
  }

  // The provider connects again by itself, to what its address is by then.
  #lost (code) {
    this.closes.push({ node: this.node, code })
    if (this.balancer === undefined) return
    this.node = this.balancer(this.node)
    this.client.provider.serverUrl = this.node.ws
  }
}

/** Somebody with acknowledgements: knows which of their edits must never be lost. */
export class Scribe extends Person {
  static async join (t, node, room, name) {
    const scribe = new Scribe(t, node, room, name)
    t.after(() => { scribe.hasLeft = true })
    await scribe.#connect(node)
    return scribe
  }

  constructor (...args) {
    super(...args)
    /** Edits in their order: which message of this connection carries it, the author's clock after it, and what was added. */
    this.ledger = []
    this.known = 0
  }

  get doc () {
    return this.client.doc
  }

  get isConnected () {
    return this.client.socket.readyState === this.client.socket.OPEN
  }

  noted (id) {
    this.ledger.push({ message: this.isConnected ? this.client.sent : undefined, clock: clockOf(this.doc), id })
  }

  /** The edits that this person was told are on disk. */
  get acknowledged () {
    while (this.known < this.ledger.length && this.ledger[this.known].message <= this.client.acked) this.known++
    return this.ledger.slice(0, this.known)
  }

  /** Comes back with the same document, here or on another node. */
  async move (node) {
    // Looked at now: the next connection counts from one.
    this.acknowledged
    this.isMoving = true
    try {
      this.client.socket.terminate()
      await this.client.closed
      await this.#connect(node, this.client.doc)
    } finally {
      this.isMoving = false
    }
  }

  async #connect (node, doc) {
    this.client = await Extended.join(this.t, node, this.room, { doc })
    this.node = node
    // What was not known to be on disk went along with the answer to the greeting.
    for (const edit of this.ledger.slice(this.known)) edit.message = this.client.sent
    const { client } = this
    client.closed.then(({ code }) => { if (!this.isMoving && client === this.client) return this.#lost(code) })
  }

  async #lost (code) {
    this.closes.push({ node: this.node, code })
    while (this.balancer !== undefined && !this.isConnected && !this.hasLeft) {
      await this.move(this.balancer(this.node)).catch(() => lasting(TRY_AGAIN_MS))
    }
  }

  leave () {
    this.hasLeft = this.isMoving = true
    return this.client.leave()
  }
}
