/** What the AI says of itself in the room: the runs that are under way. It is no person, so it is not among them. */

export interface LiveRun {
  readonly id: string
  readonly kind: string
  /** The node that is expanded. */
  readonly node: string | null
  readonly step: string
  /** 0 to 1. */
  readonly progress: number
}

/** More than anybody can follow. */
const RUNS_MAX = 20

export const isAi = (state: Record<string, unknown>): boolean => typeof state['ai'] === 'object' && state['ai'] !== null

/** Whatever does not fit counts as absent. */
export const runsIn = (states: Iterable<Record<string, unknown>>): LiveRun[] => {
  const found = new Map<string, LiveRun>()
  for (const state of states) {
    if (!isAi(state)) continue
    const { runs } = state['ai'] as { runs?: unknown }
    for (const run of Array.isArray(runs) ? runs.map(asRun) : []) if (run !== null && found.size < RUNS_MAX) found.set(run.id, run)
  }
  return [...found.values()]
}

const asRun = (value: unknown): LiveRun | null => {
  if (typeof value !== 'object' || value === null) return null
  const { job_id: id, kind, node_id: node, step, progress } = value as Record<string, unknown>
  if (typeof id !== 'string' || typeof kind !== 'string') return null
  return {
    id,
    kind,
    node: typeof node === 'string' ? node : null,
    step: typeof step === 'string' ? step : '',
    progress: typeof progress === 'number' ? Math.min(Math.max(progress, 0), 1) : 0
  }
}
