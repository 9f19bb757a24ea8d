/** The whole map in one request, for a document that is empty: it is there sooner than a connection is. */
import * as Y from 'yjs'
import { addressOf, cursorOf, request } from './http.ts'
import type { Route } from './transport.ts'

/**
 * Fills `doc`, unless `isLate` says that it is of no use any more. When there is no snapshot, or none can be had, nothing
 * happens: the connection brings the map, or says why not.
 */
export const loadSnapshot = async (route: Route, doc: Y.Doc, origin: unknown, signal: AbortSignal, isLate: () => boolean): Promise<void> => {
  try {
    const response = await request(route, addressOf(route, 'snapshot'), { signal })
    cursorOf(response)
    const update = new Uint8Array(await response.arrayBuffer())
    if (!isLate()) Y.applyUpdate(doc, update, origin)
  } catch { /* As said. */ }
}
