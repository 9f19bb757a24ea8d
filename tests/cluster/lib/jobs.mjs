/**
 * Jobs of the AI as its users have them: asked for on one node, looked at, stopped and judged on any.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { roomId } from '../../clients/lib/client.mjs'
import { until, within } from '../../clients/lib/wait.mjs'
import { Cluster } from './cluster.mjs'
import { Model, summaryOf } from './model.mjs'
import { lasting } from './pause.mjs'

/** How often a node is asked the same while a test waits. */
const LOOK_MS = 50

/** A node that is told nothing by anybody takes a job when the lease of ten seconds has ended and it looks again. */
export const TAKEN_OVER_WITHIN_MS = 15_000

/** How long nodes may show different maps. */
const SAME_WITHIN_MS = 5_000

const OVER = ['succeeded', 'failed', 'cancelled']

/** Three nodes, each of which asks the same model under its own name. */
export const clusterWithModel = async (t, { env = {}, ...options } = {}) => {
  const model = await Model.start(t)
  const cluster = await Cluster.start(t, { ...options, nodes: 0 })
  for (const name of ['A', 'B', 'C']) {
    await cluster.add(name, { SYNAPTI_AI_PROVIDER: 'openai', SYNAPTI_AI_MODEL: 'scripted', SYNAPTI_AI_BASE_URL: model.baseUrl(name), SYNAPTI_SHUTDOWN_GRACE: '2', ...env })
  }
  return { cluster, model }
}

/** A map with a root of this topic; no other map has it. */
export const newMap = async (node, name) => {
  const topic = roomId(name)
  const { status, json, text } = await node.request('POST', '/v1/graphs', { id: topic, topic })
  assert.equal(status, 201, text)
  return { id: topic, topic, root: json.nodes[0].id }
}

/** Asks for children of the map's root, or of another node. */
export const expand = async (node, map, body = {}, { of = map.root, headers } = {}) => {
  const answer = await node.request('POST', `/v1/graphs/${map.id}/nodes/${of}/expand`, body, headers)
  assert.equal(answer.status, 202, answer.text)
  return answer.json.job_id
}

export const jobOf = async (node, id) => {
  const { status, json, text } = await node.request('GET', `/v1/jobs/${id}`)
  assert.equal(status, 200, text)
  return json
}

/** Waits until something is so, as often as a node should be asked. */
export const eventually = (what, look, options) => until(what, async () => {
  const found = await look()
  if (!found) await lasting(LOOK_MS)
  return found
}, options)

/** The job, once it is over. */
export const over = (node, id, deadline_ms = TAKEN_OVER_WITHIN_MS) => {
  let last
  return eventually(`job ${id} is over`, async () => {
    last = await jobOf(node, id)
    return OVER.includes(last.status) && last
  }, { deadline_ms, detail: () => last })
}

/** What the job's stream of events on this node has told so far. */
export const follow = async (t, node, id) => {
  const abort = new AbortController()
  t.after(() => abort.abort())
  const response = await within('the stream of events begins', fetch(`${node.http}/v1/jobs/${id}/events`, { signal: abort.signal }))
  assert.equal(response.status, 200)
  const heard = { jobs: [], isOver: false }
  const read = async () => {
    let rest = ''
    const decoder = new TextDecoder()
    for await (const part of response.body) {
      const blocks = (rest + decoder.decode(part, { stream: true })).split('\n\n')
      rest = blocks.pop()
      for (const block of blocks) {
        const data = block.split('\n').find(line => line.startsWith('data:'))
        if (data !== undefined) heard.jobs.push(JSON.parse(data.slice(5)))
      }
    }
    heard.isOver = true
  }
  read().catch(() => {})
  return heard
}

export const mapOn = async (node, map) => {
  const { status, json, text } = await node.request('GET', `/v1/graphs/${map.id}`)
  assert.equal(status, 200, text)
  return json
}

/** Nodes of the map by id, as far as people see them. */
export const byId = graph => Object.fromEntries(graph.nodes.map(({ id, title, summary, parent_id: parent, state, source }) => [id, { title, summary, parent, state, source }]))

/** All running nodes show the same nodes; returns those, by id. */
export const sameOnAll = async (cluster, map) => {
  let shown
  await eventually('all nodes show the same map', async () => {
    shown = (await Promise.all(cluster.running.map(node => mapOn(node, map)))).map(byId)
    return shown.every(its => isDeepStrictEqual(its, shown[0]))
  }, { deadline_ms: SAME_WITHIN_MS, detail: () => shown })
  return shown[0]
}

/** The titles that a lesson has for the children of this node, all there, once each and nothing else. */
export const exactly = (nodes, parent, titles) => {
  const children = Object.values(nodes).filter(node => node.parent === parent)
  assert.deepEqual(children.map(({ title }) => title).sort(), [...titles].sort(), 'every title is there once')
}

/** What is whole by now stays as it is: ids, titles and summaries. */
export const stillThere = (nodes, earlier) => {
  for (const [id, node] of Object.entries(earlier)) {
    assert.deepEqual({ title: nodes[id]?.title, summary: nodes[id]?.summary }, { title: node.title, summary: node.summary }, `${id} is what it was`)
  }
}

/** Of these nodes, those that the model has told to the end. */
export const whole = nodes => Object.fromEntries(Object.entries(nodes).filter(([, { title, summary }]) => summary === summaryOf(title)))

/** No node that somebody made with the AI is half of one. */
export const nothingHalf = nodes => {
  const made = Object.fromEntries(Object.entries(nodes).filter(([, { source }]) => source === 'ai'))
  assert.deepEqual(whole(made), made, 'every node is whole')
}
