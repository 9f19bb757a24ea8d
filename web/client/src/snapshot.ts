/** The whole map in one request, for a document that is empty: it is there sooner than a connection is. */
import { addressOf, cursorOf, request } from './http.ts'
import type { Route } from './transport.ts'

/** Null when there is none, or it cannot be had; the connection brings the map, or says why not. */
export const fetchSnapshot = async (route: Route, signal: AbortSignal): Promise<Uint8Array | null> => {
  try {
    const response = await request(route, addressOf(route, 'snapshot'), { signal })
    cursorOf(response)
    return new Uint8Array(await response.arrayBuffer())
  } catch {
    return null
  }
}
