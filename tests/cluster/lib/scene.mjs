/**
 * Three people on each node, all in one map, who never stop: the background of every fault.
 */
import { roomId } from '../../clients/lib/client.mjs'
import { initMap } from '../../clients/lib/map.mjs'
import { Random, freshSeed } from '../../clients/lib/random.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { CONVERGED_WITHIN_MS, converged, nobodyDisconnected, nothingLost } from './check.mjs'
import { Load } from './load.mjs'
import { Plain, Scribe } from './people.mjs'

/** Edits before a fault, and after it, unless a test says otherwise. */
const EDITS_AROUND = 20

/** Presence takes no way but the bus. */
export const LIVE_WITHIN_MS = 5_000

/** People on one node need nobody else. */
const NEAR_WITHIN_MS = 2_000

let words = 0

export class Scene {
  /** Two people with y-websocket and one scribe on each node; the load is under way. */
  static async begin (t, cluster, { name = 'map', perSecond = 20, edits = EDITS_AROUND } = {}) {
    const seed = freshSeed()
    t.diagnostic(`TEST_SEED=${seed}`)
    const room = roomId(name)
    const first = await Plain.join(t, cluster.nodes[0], room, 'A1')
    initMap(first.doc, 'A map')
    const others = await Promise.all(cluster.nodes.flatMap(node => [
      ...(node === first.node ? [] : [Plain.join(t, node, room, `${node.name}1`)]),
      Plain.join(t, node, room, `${node.name}2`),
      Scribe.join(t, node, room, `${node.name}3`)
    ]))
    const scene = new Scene(t, cluster, room, [first, ...others], new Random(seed), perSecond, edits)
    await until('everybody has the map', () => scene.people.every(({ doc }) => doc.getMap('nodes').has('root')))
    scene.load.start()
    await scene.load.more(edits)
    return scene
  }

  constructor (t, cluster, room, people, random, perSecond, editsAround) {
    Object.assign(this, { t, cluster, room, people, random, editsAround })
    this.load = new Load(people, random, { perSecond })
    t.after(() => this.load.stop())
  }

  /** Two more people, on a node that may be new. */
  async join (node) {
    const more = await Promise.all([Plain.join(this.t, node, this.room, `${node.name}1`), Scribe.join(this.t, node, this.room, `${node.name}3`)])
    for (const person of more) this.load.watch(person)
    this.people.push(...more)
    return more
  }

  on (node) {
    return this.people.filter(person => person.node === node)
  }

  /** Those on nodes that run. */
  get present () {
    return this.people.filter(person => person.node.running)
  }

  /** Of them, those whose presence shows. */
  get visible () {
    return this.present.filter(person => person.awareness !== undefined)
  }

  /** One person of each node says a word in their presence; everybody sees all the words. */
  async live (what, deadline_ms = LIVE_WITHIN_MS) {
    const begun = performance.now()
    const word = `word-${words++}`
    const speakers = this.cluster.running.map(node => this.visible.find(person => person.node === node)).filter(person => person !== undefined)
    for (const { awareness } of speakers) awareness.setLocalStateField('word', word)
    const deaf = () => this.visible.flatMap(person => speakers
      .filter(speaker => person.awareness.getStates().get(speaker.doc.clientID)?.word !== word)
      .map(speaker => `${person.name} does not hear ${speaker.name}`))
    await until(`${what}: presence passes between all nodes`, () => deaf().length === 0, { deadline_ms, detail: deaf })
    return Math.round(performance.now() - begun)
  }

  /** One edit of each node is with everybody of that node, then with everybody. Returns how long both took. */
  async edits (what, { near_ms, far_ms = CONVERGED_WITHIN_MS }) {
    const begun = performance.now()
    const authors = this.cluster.running.map(node => this.on(node)[0]).filter(person => person?.isConnected)
    const made = authors.map(author => ({ author, id: author.add() }))
    const lacking = isNear => made.flatMap(({ author, id }) => this.present
      .filter(person => (!isNear || person.node === author.node) && !person.doc.getMap('nodes').has(id))
      .map(({ name }) => `${name} lacks ${id}`))
    await until(`${what}: edits are with those on the same node`, () => lacking(true).length === 0, { deadline_ms: near_ms, detail: () => lacking(true) })
    const near = Math.round(performance.now() - begun)
    await until(`${what}: edits are with everybody`, () => lacking(false).length === 0, { deadline_ms: far_ms, detail: () => lacking(false) })
    return { near_ms: near, far_ms: Math.round(performance.now() - begun) }
  }

  /**
   * While a fault lasts, again and again: an edit is soon with those on the same node, and within seconds with everybody.
   * Notes the longest of both.
   */
  async editsGoOn (what, duration_ms, { near_ms = NEAR_WITHIN_MS } = {}) {
    const end = performance.now() + duration_ms
    const longest = { near_ms: 0, far_ms: 0 }
    while (performance.now() < end) {
      const took = await this.edits(what, { near_ms })
      for (const key of Object.keys(longest)) longest[key] = Math.max(longest[key], took[key])
    }
    this.t.diagnostic(`${what}: edits took at most ${longest.near_ms} ms to people on the same node, ${longest.far_ms} ms to all`)
  }

  /** After the fault: soon live again, and in the end all is well. `endedNodes` are those whose clients had to lose them. */
  async allIsWell (what, { endedNodes = [], isLive = true, live_ms = LIVE_WITHIN_MS } = {}) {
    const live = isLive ? await this.live(what, live_ms) : undefined
    await this.load.more(this.editsAround)
    await Promise.all(this.present.filter(({ ledger }) => ledger !== undefined).map(scribe => {
      scribe.add()
      return scribe.client.saved()
    }))
    this.load.stop()
    const took = await converged(this.cluster, this.people, this.room)
    const acknowledged = await nothingLost(this.t, this.cluster, this.people, this.room)
    nobodyDisconnected(this.people, endedNodes)
    this.t.diagnostic(`${what}: ${live === undefined ? '' : `live after ${live} ms, `}converged after ${took} ms, ${this.load.edits} edits, ${acknowledged} acknowledged`)
  }
}
