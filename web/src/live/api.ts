/** The HTTP API, as far as the list of maps needs it; `versions.ts` has more of it. */

import { authorization, granted, held, refused, unanswered } from './access.ts'

export interface GraphSummary {
  readonly id: string
  readonly topic: string
  readonly created_at: string
  readonly last_modified: string
}

export interface GraphPage {
  readonly graphs: readonly GraphSummary[]
  readonly next_cursor: string | null
}

const PAGE_SIZE = 50
/** How long a request may take before the page says that the server does not answer. */
const ANSWER_WITHIN_MS = 15_000

/** A failure in words for the person who waits. */
export class ApiFailure extends Error {
  /** `status`: the server's; null when it has not answered. */
  constructor (message: string, readonly status: number | null = null) {
    super(message)
  }
}

export interface Sending {
  readonly body?: unknown
  readonly headers?: Record<string, string>
  readonly within_ms?: number
  /** Who asked does not want to know any more. */
  readonly signal?: AbortSignal
}

export interface Answer {
  readonly status: number
  readonly etag: string | null
  readonly json: unknown
}

export const request = async (method: string, path: string, body?: unknown): Promise<unknown> => (await send(method, path, { body })).json

/** An answer that is no success, other than 304, is an `ApiFailure`. */
export const send = async (method: string, path: string, { body, headers = {}, within_ms = ANSWER_WITHIN_MS, signal }: Sending = {}): Promise<Answer> => {
  const shown = held.value
  const late = AbortSignal.timeout(within_ms)
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers: { ...authorization(), ...body === undefined ? {} : { 'content-type': 'application/json' }, ...headers },
      body: body === undefined ? null : JSON.stringify(body),
      signal: signal === undefined ? late : AbortSignal.any([late, signal])
    })
  } catch (error) {
    if (shown === held.value) unanswered()
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    throw new ApiFailure(isLate ? 'The server does not answer.' : 'The server cannot be reached.')
  }
  const { status } = response
  const json: unknown = status === 204 || status === 304 ? null : await response.json().catch(() => null)
  const isGood = response.ok || status === 304
  const words = wordsOf(json)
  // An answer to a token that is not held any more says nothing of the one that is.
  if (shown === held.value) {
    if (isGood) granted()
    else if (status === 401) refused(words ?? 'you are not signed in')
    else unanswered()
  }
  if (isGood) return { status, etag: response.headers.get('etag'), json }
  throw new ApiFailure(words === null ? `The server answered with status ${status}.` : `The server says: ${words}.`, status)
}

const wordsOf = (answer: unknown): string | null => {
  const message = (answer as { error?: { message?: unknown } } | null)?.error?.message
  return typeof message === 'string' ? message : null
}

export const listGraphs = async (cursor: string | null): Promise<GraphPage> => {
  const after = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
  return await request('GET', `/v1/graphs?limit=${PAGE_SIZE}${after}`) as GraphPage
}

export const createGraph = async (topic: string): Promise<string> =>
  (await request('POST', '/v1/graphs', { topic }) as { id: string }).id

export const deleteGraph = async (id: string): Promise<void> => {
  await request('DELETE', `/v1/graphs/${encodeURIComponent(id)}`)
}
