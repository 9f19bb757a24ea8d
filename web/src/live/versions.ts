/** The HTTP API of a map's versions (`docs/http-api.md`). */
import type { GraphJson } from '../model/past.ts'
import { request } from './api.ts'

export interface Version {
  readonly id: string
  /** `named` ones stay until somebody removes them; `automatic` and `before_restore` ones become fewer with time. */
  readonly kind: string
  readonly name: string | null
  readonly author: string | null
  readonly created_at: string
}

export interface VersionPage {
  readonly versions: readonly Version[]
  readonly next_cursor: string | null
}

/** What the server takes. */
export const VERSION_NAME_LENGTH_MAX = 200
const PAGE_SIZE = 20

const pathOf = (graphId: string, versionId?: string): string => {
  const all = `/v1/graphs/${encodeURIComponent(graphId)}/versions`
  return versionId === undefined ? all : `${all}/${encodeURIComponent(versionId)}`
}

/** Newest first. */
export const listVersions = async (graphId: string, cursor: string | null): Promise<VersionPage> => {
  const after = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
  return await request('GET', `${pathOf(graphId)}?limit=${PAGE_SIZE}${after}`) as VersionPage
}

/** Keeps the map as the server has it now. */
export const keepVersion = async (graphId: string, name: string, author: string): Promise<Version> =>
  await request('POST', pathOf(graphId), { name, author }) as Version

/** The map as it was. */
export const readVersion = async (graphId: string, id: string): Promise<GraphJson> =>
  (await request('GET', pathOf(graphId, id)) as { graph: GraphJson }).graph

/** A version that has a name stays. */
export const renameVersion = async (graphId: string, id: string, name: string): Promise<Version> =>
  await request('PATCH', pathOf(graphId, id), { name }) as Version

export const removeVersion = async (graphId: string, id: string): Promise<void> => {
  await request('DELETE', pathOf(graphId, id))
}

/** Makes the map what it was, for everybody. */
export const restoreVersion = async (graphId: string, id: string, author: string): Promise<void> => {
  await request('POST', `${pathOf(graphId, id)}/restore`, { author })
}
