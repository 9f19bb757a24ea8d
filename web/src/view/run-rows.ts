/** What is said of the AI's runs in this map: which of them, in which words, and what can be done about each. */
import type { NodeData } from '../../client/src/schema/schema.ts'
import { sentence } from '../live/close.ts'
import { isOver, type Job, type Wish } from '../live/jobs.ts'
import type { LiveRun } from '../live/runs.ts'
import { shownTitle } from './measure.ts'

/** A run that was begun on this page. */
export interface OwnRun {
  readonly key: string
  readonly wish: Wish
  /** Null until the server has taken it. */
  readonly id: string | null
  readonly job: Job | null
  /** Why it could not be begun or followed. */
  readonly failure: string | null
  readonly isStopping: boolean
}

export interface Row {
  readonly key: string
  readonly id: string | null
  readonly phase: 'running' | 'failed' | 'over'
  readonly text: string
  /** 0 to 1 while it runs. */
  readonly progress: number
  readonly isStopping: boolean
  /** How many of its ideas wait for a yes or no. */
  readonly proposed: number
  /** There is something that could be taken back. */
  readonly canUndo: boolean
  readonly canRetry: boolean
}

export interface Situation {
  readonly own: readonly OwnRun[]
  readonly live: readonly LiveRun[]
  readonly nodes: ReadonlyMap<string, NodeData>
  /** The node that is selected: if it is an idea, its run is of interest. */
  readonly selected: string | null
  /** Jobs of others that were looked up. */
  readonly known: ReadonlyMap<string, Job>
  readonly dismissed: ReadonlySet<string>
}

const STEPS: ReadonlyMap<string, string> = new Map([
  ['queued', 'Waiting to grow the map'],
  ['outline', 'Finding the main ideas'],
  ['children', 'Growing the branches'],
  ['coherence', 'Checking how it fits together'],
  ['layout', 'Arranging the map']
])

export const runningText = (kind: string, title: string | null, step: string): string => {
  if (kind === 'expand') return `${step === 'queued' ? 'Waiting to expand' : 'Expanding'} ${title === null ? 'a node' : `“${shownTitle(title).slice(0, 60)}”`}…`
  if (kind === 'coherence') return 'Checking the map’s coherence…'
  return `${STEPS.get(step) ?? 'Growing the map'}…`
}

const ideas = (count: number): string => count === 1 ? '1 idea' : `${count} ideas`

/** Whose ideas they are, without claiming an AI where there was none. */
const authorOf = (source: string | null | undefined, job: Job | null): string => {
  if ((job?.source ?? source) === 'template') return job?.is_fallback === true ? 'by template, because the AI did not answer' : 'by template'
  return `by ${job?.model ?? 'AI'}`
}

export const overText = (job: Job | null, source: string | null, proposed: number, total: number): string => {
  const author = authorOf(source, job)
  if (job?.status === 'cancelled') return `Stopped. ${ideas(proposed)} ${author} so far`
  if (proposed === 0 && total > 0) return `${ideas(total)} ${author}, accepted`
  return proposed === 0 ? 'No new ideas came' : `${ideas(proposed)} ${author}`
}

/** The server writes its reasons as parts of sentences. */
export const failureOf = ({ error }: Job): string => sentence(error?.message ?? 'the AI has failed')

interface Count {
  proposed: number
  total: number
  source: string | null
}

const NOTHING: Readonly<Count> = { proposed: 0, total: 0, source: null }

const countsOf = (nodes: ReadonlyMap<string, NodeData>): Map<string, Count> => {
  const counts = new Map<string, Count>()
  for (const { run, proposed, source } of nodes.values()) {
    if (run === null) continue
    const count = counts.get(run) ?? { ...NOTHING, source }
    count.total++
    if (proposed) count.proposed++
    counts.set(run, count)
  }
  return counts
}

const nodeOf = (wish: Wish): string | null => wish.kind === 'expand' ? wish.node : null

export const rowsOf = (situation: Situation): Row[] => {
  const { own, live, nodes, known, dismissed } = situation
  const counts = countsOf(nodes)
  const rows = own.flatMap(run => dismissed.has(run.key) || run.wish.kind === 'coherence' ? [] : ownRow(run, situation, counts.get(run.id ?? '') ?? NOTHING) ?? [])
  for (const run of live) {
    if (dismissed.has(run.id) || own.some(one => isSame(one, run))) continue
    const title = nodes.get(run.node ?? '')?.title ?? null
    rows.push({ ...PLAIN, key: run.id, id: run.id, phase: 'running', text: runningText(run.kind, title, run.step), progress: run.progress })
  }
  const idea = nodes.get(situation.selected ?? '')
  const id = idea?.proposed === true ? idea.run : null
  if (idea === undefined || id === null || dismissed.has(id) || rows.some(row => row.id === id)) return rows
  const { proposed, total } = counts.get(id) ?? NOTHING
  const text = overText(known.get(id) ?? null, idea.source, proposed, total)
  return [...rows, { ...PLAIN, key: id, id, phase: 'over', text, proposed, canUndo: true }]
}

const PLAIN: Omit<Row, 'key' | 'id' | 'phase' | 'text'> =
  { progress: 0, isStopping: false, proposed: 0, canUndo: false, canRetry: false }

/** The room may know of a run before this page has the answer to its request. */
const isSame = (own: OwnRun, run: LiveRun): boolean =>
  own.id === run.id || (own.id === null && own.failure === null && own.wish.kind === run.kind && nodeOf(own.wish) === run.node)

/** Null when there is nothing to say of it any more: what came of it is gone again. */
const ownRow = (run: OwnRun, { live, nodes }: Situation, { proposed, total, source }: Readonly<Count>): Row | null => {
  const { key, id, job, wish, failure, isStopping } = run
  const row = { ...PLAIN, key, id, isStopping, proposed, canUndo: total > 0 }
  if (failure !== null) return { ...row, phase: 'failed', text: failure, canRetry: true }
  if (job === null || !isOver(job.status)) {
    const heard = live.find(one => one.id === id)
    const node = nodeOf(wish)
    const title = node === null ? null : nodes.get(node)?.title ?? null
    const step = heard?.step ?? job?.step ?? ''
    return { ...row, phase: 'running', text: runningText(wish.kind, title, step), progress: Math.max(heard?.progress ?? 0, job?.progress ?? 0) }
  }
  if (job.status === 'failed') return { ...row, phase: 'failed', text: failureOf(job), canRetry: true }
  const isBarren = job.status === 'succeeded' && job.nodes?.written === 0
  if (total === 0 && !isBarren) return null
  return { ...row, phase: 'over', text: overText(job, source, proposed, total), canRetry: isBarren }
}
