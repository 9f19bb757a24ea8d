/** Keeps maps in this browser (IndexedDB), so that edits made without a server survive a reload. */
import { IndexeddbPersistence } from 'y-indexeddb'
import type * as Y from 'yjs'

const databaseOf = (graphId: string): string => `synapti-map-${graphId}`
const PROBE = 'synapti-probe'

/** Opening waits this long for what is kept; a browser that is slower gets it later. */
const LOAD_WITHIN_MS = 2000

/** Whether this browser lets pages keep anything; private windows may not. */
const canKeep = (): Promise<boolean> => new Promise(resolve => {
  try {
    const request = indexedDB.open(PROBE)
    request.onsuccess = () => {
      request.result.close()
      resolve(true)
    }
    request.onerror = event => {
      event.preventDefault()
      resolve(false)
    }
  } catch {
    resolve(false)
  }
})

/** Loads what is kept of the map into `doc` and keeps it from now on. Null when this browser cannot. */
export const keepMap = async (graphId: string, doc: Y.Doc): Promise<IndexeddbPersistence | null> => {
  if (!await canKeep()) return null
  const kept = new IndexeddbPersistence(databaseOf(graphId), doc)
  await Promise.race([kept.whenSynced, new Promise(resolve => setTimeout(resolve, LOAD_WITHIN_MS))])
  return kept
}

/** Forgets a map that is deleted. */
export const forgetMap = (graphId: string): void => {
  try {
    indexedDB.deleteDatabase(databaseOf(graphId))
  } catch { /* Then nothing is kept either. */ }
}
