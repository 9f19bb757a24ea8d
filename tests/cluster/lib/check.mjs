/**
 * What has to hold when a fault is over: everybody has the same, nothing acknowledged is missing, nobody was put out.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { sameState } from '../../clients/lib/client.mjs'
import { toJSON } from '../../clients/lib/map.mjs'
import { RawClient } from '../../clients/lib/raw.mjs'
import { shape } from '../../clients/lib/shape.mjs'
import { until } from '../../clients/lib/wait.mjs'

/** How long a cluster may take after a fault, in milliseconds. */
export const CONVERGED_WITHIN_MS = 5_000

/** A map is closed a second after its last client has left, once it is saved. */
const CLOSED_WITHIN_MS = 15_000

/** How often documents are compared: it takes a while when they are large. */
const LOOK_MS = 50

/** What a failing check shows of each difference. */
const DIFFERENCES_SHOWN = 5
const CHARACTERS_SHOWN = 200

const pause = () => new Promise(resolve => setTimeout(resolve, LOOK_MS))

const show = value => JSON.stringify(value)?.slice(0, CHARACTERS_SHOWN)

/** Keys whose values differ. */
const differing = (a, b) =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(key => !isDeepStrictEqual(a[key], b[key]))

const docDifference = (one, other) => {
  const [a, b] = [one.doc, other.doc].map(shape)
  if (isDeepStrictEqual(a, b)) return undefined
  const [nodesA, nodesB] = [one.doc, other.doc].map(doc => toJSON(doc).nodes)
  const names = `${one.name} on ${one.node.name}, ${other.name} on ${other.node.name}`
  const clocks = differing(Object.fromEntries(a.vector), Object.fromEntries(b.vector))
    .map(client => `${client}: ${new Map(a.vector).get(Number(client))} / ${new Map(b.vector).get(Number(client))}`)
  const deleted = isDeepStrictEqual(a.deleted, b.deleted) ? 'same deletions' : 'other deletions'
  const nodes = differing(nodesA, nodesB)
  return `${names}: clocks {${clocks.slice(0, DIFFERENCES_SHOWN)}}, ${deleted}, ${nodes.length} nodes (${nodes.slice(0, DIFFERENCES_SHOWN)})`
}

/** The tree as HTTP and the clients both have it. */
const treeOf = nodes => Object.fromEntries(nodes.map(({ id, title, parent }) => [id, { title, parent }]))
const graphTree = graph => treeOf(graph.nodes.map(node => ({ ...node, parent: node.parent_id ?? null })))
const docTree = doc => treeOf(Object.entries(toJSON(doc).nodes).map(([id, node]) => ({ id, ...node })))

/**
 * Waits until all people and all running nodes have the same, and returns how long it took.
 *
 * @param {Cluster} cluster
 * @param {{doc: Y.Doc, name: string, node: Server}[]} people
 * @param {{except?: string[]}} [options] fields of `GET /v1/graphs/{id}` in which nodes may differ
 */
export const converged = async (cluster, people, room, { except = [] } = {}) => {
  const begun = performance.now()
  let difference
  const differ = text => { difference = text; return false }
  await until('all have the same', async () => {
    await pause()
    for (const person of people.slice(1)) {
      if (!sameState(people[0].doc, person.doc)) return differ(docDifference(people[0], person))
    }
    const answers = await cluster.ask('GET', `/v1/graphs/${room}`)
    for (const [index, { status, text, json }] of answers.entries()) {
      const { name } = cluster.running[index]
      if (status !== 200) return differ(`node ${name} answers ${status}: ${text}`)
      const [its, theirs] = [graphTree(json), docTree(people[0].doc)]
      const nodes = differing(its, theirs)
      if (nodes.length > 0) return differ(`node ${name} and the people differ in ${nodes.slice(0, DIFFERENCES_SHOWN).map(id => JSON.stringify([id, its[id], theirs[id]]))}`)
      const keys = differing(json, answers[0].json).filter(key => !except.includes(key))
      if (keys.length > 0) return differ(`nodes ${cluster.running[0].name} and ${name} differ in ${keys.map(key => `${key}: ${show(answers[0].json[key])} / ${show(json[key])}`)}`)
    }
    return people.slice(1).map(person => docDifference(people[0], person)).every(found => found === undefined || differ(found))
  }, { deadline_ms: CONVERGED_WITHIN_MS, detail: () => difference })
  return Math.round(performance.now() - begun)
}

/**
 * Whoever comes to any node now reads what the others have, and in it every edit that a scribe was told is on disk.
 * Returns how many those are.
 */
export const nothingLost = async (t, cluster, people, room) => {
  const theirs = shape(people.find(({ node }) => node.running).doc)
  const scribes = people.filter(person => person.ledger !== undefined)
  for (const node of cluster.running) {
    const reader = await RawClient.open(t, node, room)
    const doc = await reader.read()
    const its = shape(doc)
    assert.deepEqual(its, theirs, `somebody who comes to node ${node.name} now has what the others have`)
    const clocks = new Map(its.vector)
    for (const { name, doc: { clientID }, acknowledged } of scribes) {
      const last = acknowledged.at(-1)
      if (last === undefined) continue
      assert.ok((clocks.get(clientID) ?? 0) >= last.clock, `node ${node.name} has ${clocks.get(clientID)} of ${name}, who was told of ${last.clock}`)
      const missing = acknowledged.filter(({ id }) => id !== undefined && !doc.getMap('nodes').has(id))
      assert.deepEqual(missing, [], `node ${node.name} lacks what ${name} was told is on disk`)
    }
    reader.socket.terminate()
  }
  return scribes.reduce((sum, { acknowledged }) => sum + acknowledged.length, 0)
}

/** Once all people have left, no node keeps a map open. */
export const allClosed = async cluster => {
  const open = () => Promise.all(cluster.running.map(async node => (await node.request('GET', '/health')).json.components.rooms.open))
  return until('no node has a map open', async () => {
    await pause()
    assert.deepEqual(await open(), cluster.running.map(() => 0))
    return true
  }, { deadline_ms: CLOSED_WITHIN_MS })
}

/** Nobody lost a connection, except to nodes that were ended. */
export const nobodyDisconnected = (people, endedNodes = []) => {
  const lost = people.flatMap(({ name, closes }) => closes
    .filter(({ node }) => !endedNodes.includes(node))
    .map(({ node, code }) => `${name} on ${node.name}: ${code}`))
  assert.deepEqual(lost, [], 'nobody was disconnected')
}
