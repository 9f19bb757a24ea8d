/** Requests to a graph, and what their refusals mean. */
import { pack, unpack } from './message.ts'
import { type End, FULL, LOST, type Route, TOO_MUCH, UNAUTHENTICATED } from './transport.ts'

/** No server is believed that wants to be left alone for longer. */
const RETRY_AFTER_MS_MAX = 300_000

/** What HTTP says as what the close codes say. */
const CODES: Record<number, number> = {
  400: 4400, 401: UNAUTHENTICATED, 403: 4403, 404: 4404, 410: 4410, 413: 4413, 429: TOO_MUCH, 503: FULL
}

/** A request that was not answered as it should be. */
export class Refusal extends Error {
  constructor (readonly end: End) {
    super(end.reason)
  }
}

export const addressOf = (route: Route, what: string, query: Record<string, string | null> = {}): string => {
  const search = new URLSearchParams(route.params)
  for (const [name, value] of Object.entries(query)) if (value !== null) search.set(name, value)
  const all = search.toString()
  return `${route.server}/v1/graphs/${encodeURIComponent(route.graphId)}/${what}${all === '' ? '' : `?${all}`}`
}

/** `fetch` with the token; throws a `Refusal` unless the answer is as good as asked for. */
export const request = async (route: Route, address: string, init: RequestInit = {}): Promise<Response> => {
  const token = route.token()
  const headers = { ...init.headers as Record<string, string>, ...token === null ? {} : { authorization: `Bearer ${token}` } }
  let response: Response
  try {
    response = await route.fetch(address, { cache: 'no-store', ...init, headers })
  } catch (error) {
    throw new Refusal({ code: LOST, reason: error instanceof Error ? error.message : 'the request failed' })
  }
  if (response.ok) return response
  throw new Refusal({ ...await endOf(response), token })
}

const endOf = async (response: Response): Promise<End> => {
  const body = await response.json().catch(() => null) as { error?: { code?: unknown, message?: unknown } } | null
  const { code, message } = body?.error ?? {}
  const retryAfter_ms = retryAfterOf(response.headers.get('retry-after'))
  const isServer = typeof code === 'string'
  return {
    code: codeOf(response.status, code, isServer),
    reason: typeof message === 'string' ? message : `the server answered with status ${response.status}`,
    isServer,
    ...retryAfter_ms === null ? {} : { retryAfter_ms }
  }
}

/** A server that knows the map's address but not this way to it is older than this package; that is no lack of a map. */
const codeOf = (status: number, code: unknown, isServer: boolean): number =>
  status === 404 && isServer && code !== 'graph_not_found' ? LOST : CODES[status] ?? LOST

export const retryAfterOf = (value: string | null): number | null => {
  if (value === null) return null
  const seconds = Number(value)
  const wait_ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(wait_ms) ? Math.min(Math.max(wait_ms, 0), RETRY_AFTER_MS_MAX) : null
}

export interface Question {
  readonly messages: readonly Uint8Array[]
  readonly cursor: string | null
  readonly wait_s?: number
  readonly signal?: AbortSignal
  readonly keepalive?: boolean
}

export interface Answer {
  readonly messages: readonly Uint8Array[]
  readonly cursor: string
  /** How many of the body's edits are on disk. */
  readonly durable: number
  /** The server shows what it has not saved yet. */
  readonly isBehind: boolean
}

/** `POST /sync`. */
export const sync = async (route: Route, { messages, cursor, wait_s = 0, signal, keepalive = false }: Question): Promise<Answer> => {
  const response = await request(route, addressOf(route, 'sync', { wait: String(wait_s), cursor }), {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: pack(messages),
    keepalive,
    ...signal === undefined ? {} : { signal }
  })
  const next = cursorOf(response)
  try {
    const body = new Uint8Array(await response.arrayBuffer())
    // Nothing is said with 204. A cursor without what stands before it would be a gap that nobody sees.
    if (body.length === 0 && response.status !== 204) throw new Error('the body is missing')
    return {
      messages: unpack(body),
      cursor: next,
      durable: Number(response.headers.get('synapti-durable') ?? 0),
      isBehind: response.headers.get('synapti-unsaved') === 'true'
    }
  } catch {
    throw new Refusal({ code: LOST, reason: 'the answer is cut off' })
  }
}

/** Every answer of the server has one. Networks that want to be paid first answer anything with a page of their own. */
export const cursorOf = (response: Response): string => {
  const cursor = response.headers.get('synapti-cursor')
  if (cursor === null) throw new Refusal({ code: LOST, reason: 'something on the way answers in place of the server, or hides the header Synapti-Cursor' })
  return cursor
}

export const endFrom = (error: unknown): End =>
  error instanceof Refusal ? error.end : { code: LOST, reason: error instanceof Error ? error.message : 'unknown' }
