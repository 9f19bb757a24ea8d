/** The HTTP API of the AI's jobs (`docs/http-api.md`): what grows a map while people look on. */
import { newId } from '../../client/src/schema/id.ts'
import { ApiFailure, send } from './api.ts'

export type JobKind = 'generate' | 'expand' | 'coherence'
export type JobStatus = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled'

/** What the page reads of a job. */
export interface Job {
  readonly job_id: string
  readonly kind: JobKind
  readonly status: JobStatus
  readonly progress: number
  readonly step?: string | null
  readonly error?: { readonly code: string, readonly message: string } | null
  readonly result?: unknown
  readonly node_id?: string | null
  readonly model?: string | null
  readonly source?: string | null
  /** The AI that was asked for did not answer. */
  readonly is_fallback?: boolean
  readonly nodes?: { readonly written: number }
  readonly warnings?: readonly string[]
}

/** What somebody asks for; enough to ask again. */
export type Wish =
  | { readonly kind: 'generate', readonly topic: string, readonly max_nodes: number, readonly style_preference: string, readonly language: string, readonly graph_id?: string }
  | { readonly kind: 'expand', readonly node: string, readonly max_children: number, readonly focus_areas: readonly string[], readonly expansion_depth: number, readonly language?: string }
  | { readonly kind: 'coherence', readonly language: string }

export interface Begun {
  readonly job_id: string
  readonly graph_id: string
}

/** What the server takes. */
export const TOPIC_LENGTH_MAX = 500
export const NODES_MAX = 50
export const CHILDREN_MAX = 20
export const DEPTH_MAX = 3
export const FOCUS_AREAS_MAX = 10
export const FOCUS_AREA_LENGTH_MAX = 200
const LANGUAGE_LENGTH_MAX = 35

/** One look at a job lasts this long; the server answers earlier when something has changed. */
const LOOK_SECONDS = 25
/** How often a job is looked at, however often it changes, and how soon again after an answer that did not come. */
const LOOK_EVERY_MS = 250
const AGAIN_MS_MAX = 10_000

export const isOver = (status: JobStatus): boolean => status !== 'queued' && status !== 'running'

/** What the person reads, as far as the browser says. */
export const ownLanguage = (): string => {
  const { language } = navigator
  return language === '' || language.length > LANGUAGE_LENGTH_MAX ? 'en' : language
}

const pathOf = (job: string, what = ''): string => `/v1/jobs/${encodeURIComponent(job)}${what}`

const pathFor = (graphId: string, wish: Wish): string => {
  const graph = `/v1/graphs/${encodeURIComponent(graphId)}`
  switch (wish.kind) {
    case 'generate': return '/v1/graphs/generate'
    case 'expand': return `${graph}/nodes/${encodeURIComponent(wish.node)}/expand`
    case 'coherence': return `${graph}/coherence`
  }
}

/** The last wish that nobody has answered: it has the same key when it is made again, so that it is granted once. */
let unheard: { readonly what: string, readonly key: string } | null = null

/** `graphId` is that of the map that is open; a new map needs none. */
export const begin = async (wish: Wish, graphId = ''): Promise<Begun> => {
  const path = pathFor(graphId, wish)
  const { kind, ...body } = wish
  if ('node' in body) delete (body as { node?: string }).node
  const what = path + JSON.stringify(body)
  const key = unheard?.what === what ? unheard.key : newId()
  unheard = { what, key }
  try {
    const { json } = await send('POST', path, { body, headers: { 'idempotency-key': key } })
    unheard = null
    return json as Begun
  } catch (error) {
    if (error instanceof ApiFailure && error.status !== null) unheard = null
    throw error
  }
}

export const readJob = async (id: string): Promise<Job> => (await send('GET', pathOf(id))).json as Job

export const stopJob = async (id: string): Promise<Job> => (await send('DELETE', pathOf(id))).json as Job

export interface Settled {
  readonly removed?: readonly string[]
  readonly kept?: readonly string[]
}

/** `nodes`: only these of the job's; else all that are still proposed. An undo is always of all. */
export const settleJob = async (id: string, how: 'accept' | 'reject' | 'undo', nodes?: readonly string[]): Promise<Settled> =>
  (await send('POST', pathOf(id, `/${how}`), { body: nodes === undefined ? {} : { node_ids: nodes } })).json as Settled

/** Tells of a job until it is over. A server that does not answer is asked again; one that says no ends it with that failure. */
export const followJob = async (id: string, onJob: (job: Job) => void, signal: AbortSignal): Promise<void> => {
  let etag: string | null = null
  let failures = 0
  while (!signal.aborted) {
    try {
      const answer: { etag: string | null, json: unknown } = await send('GET', pathOf(id, etag === null ? '' : `?wait=${LOOK_SECONDS}`), {
        headers: etag === null ? {} : { 'if-none-match': etag }, within_ms: (LOOK_SECONDS + 10) * 1000, signal
      })
      failures = 0
      etag = answer.etag ?? etag
      const job = answer.json as Job | null
      if (job !== null && !signal.aborted) {
        onJob(job)
        if (isOver(job.status)) return
      }
    } catch (error) {
      if (signal.aborted) return
      const status = error instanceof ApiFailure ? error.status : null
      if (status !== null && status < 500 && status !== 429) throw error
      failures++
    }
    await pause(Math.min(LOOK_EVERY_MS * 2 ** failures, AGAIN_MS_MAX))
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
