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
export class ApiFailure extends Error {}

export const request = async (method: string, path: string, body?: unknown): Promise<unknown> => {
  const shown = held.value
  let response: Response
  try {
    response = await fetch(path, {
      method,
      headers: { ...authorization(), ...body === undefined ? {} : { 'content-type': 'application/json' } },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS)
    })
  } catch (error) {
    if (shown === held.value) unanswered()
    const isLate = error instanceof DOMException && error.name === 'TimeoutError'
    throw new ApiFailure(isLate ? 'The server does not answer.' : 'The server cannot be reached.')
  }
  const answer: unknown = response.status === 204 ? null : await response.json().catch(() => null)
  const words = wordsOf(answer)
  // An answer to a token that is not held any more says nothing of the one that is.
  if (shown === held.value) {
    if (response.ok) granted()
    else if (response.status === 401) refused(words ?? 'you are not signed in')
    else unanswered()
  }
  if (response.ok) return answer
  throw new ApiFailure(words === null ? `The server answered with status ${response.status}.` : `The server says: ${words}.`)
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
