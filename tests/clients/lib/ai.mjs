/** People who ask the AI, over HTTP, and what they see in the map. */
import assert from 'node:assert/strict'
import { join, roomId } from './client.mjs'
import { initMap } from './map.mjs'
import { until, within } from './wait.mjs'
import { Server } from './server.mjs'
import { Provider } from './provider.mjs'

/** A server that asks a provider of ours. */
export const withProvider = async (t, { wire, env = {}, ...options } = {}) => {
  const provider = await Provider.start(t, wire)
  const server = await Server.start(t, { env: { ...provider.env, ...env }, ...options })
  return { provider, server }
}

/** A map with a root of this title, and somebody who has it open. */
export const openMap = async (t, server, topic = 'Plants', name = 'ai') => {
  const id = roomId(name)
  const viewer = await join(t, server, id, { state: { user: { name: 'Ada' } } })
  // Answers are kept by what was asked: every map asks something of its own.
  const title = `${topic} ${id}`
  initMap(viewer.doc, title)
  await until('the map is there', async () => (await server.request('GET', `/v1/graphs/${id}`)).json?.nodes?.length === 1)
  return { id, title, viewer, doc: viewer.doc }
}

export const expand = (server, id, { node = 'root', body = {}, headers } = {}) =>
  server.request('POST', `/v1/graphs/${id}/nodes/${node}/expand`, body, headers)

export const generate = (server, body, headers) => server.request('POST', '/v1/graphs/generate', body, headers)

export const coherence = (server, id, headers) => server.request('POST', `/v1/graphs/${id}/coherence`, {}, headers)

/** The id of a job that was taken in. */
export const jobOf = ({ status, json, text }) => {
  assert.equal(status, 202, text)
  return json.job_id
}

export const job = async (server, id, headers) => {
  const { status, json, text } = await server.request('GET', `/v1/jobs/${id}`, undefined, headers)
  assert.equal(status, 200, text)
  return json
}

const isOver = ({ status }) => !['queued', 'running'].includes(status)

/** The job once nothing more happens to it. */
export const over = (server, id, headers) => until(`job ${id} is over`, async () => {
  const report = await job(server, id, headers)
  return isOver(report) ? report : undefined
})

/** The job once it has succeeded. */
export const succeeded = async (server, id) => {
  const report = await over(server, id)
  assert.equal(report.status, 'succeeded', JSON.stringify(report))
  return report
}

/** The nodes of a document, as `{id, title, summary, …}`, without the root. */
export const nodesOf = doc => Object.entries(doc.getMap('nodes').toJSON())
  .filter(([id]) => id !== 'root')
  .map(([id, node]) => ({ id, ...node }))

export const titlesOf = doc => nodesOf(doc).map(({ title }) => title).sort()

export const idOf = (doc, title) => nodesOf(doc).find(node => node.title === title)?.id

/** Waits until these are the titles that somebody sees, and returns the nodes. */
export const sees = (doc, titles) => until(`the titles ${titles} are seen`, () => {
  const seen = titlesOf(doc)
  return JSON.stringify(seen) === JSON.stringify([...titles].sort()) && nodesOf(doc)
}, { detail: () => titlesOf(doc) })

/** The titles that somebody reads over HTTP. */
export const stored = async (server, id) => {
  const { json } = await server.request('GET', `/v1/graphs/${id}`)
  return json.nodes.filter(node => node.parent_id !== null).map(({ title }) => title).sort()
}

/** What the AI shows of itself, by client id. */
export const shown = viewer => Array.from(viewer.awareness.getStates()).filter(([, state]) => state.ai !== undefined)

/** Follows the events of a job to their end. */
export const eventsOf = (server, id, path = `/v1/jobs/${id}/events`, headers = {}) => within(`the events of job ${id} end`, (async () => {
  const response = await fetch(server.http + path, { headers })
  const blocks = (await response.text()).split('\n\n').filter(block => block.includes('data:'))
  return { response, events: blocks.map(block => Object.fromEntries(block.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]))) }
})())

/** Forgives the provider, so that one test's failures are not the next one's. */
export const resetBreaker = async (server, name) => {
  const { json } = await server.request('GET', '/v1/admin/circuit-breakers')
  for (const breaker of json.breakers.filter(breaker => name === undefined || breaker.name === name)) {
    const { status } = await server.request('POST', `/v1/admin/circuit-breakers/${encodeURIComponent(breaker.name)}/reset`)
    assert.equal(status, 200)
  }
}
