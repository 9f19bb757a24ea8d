/** What people have the AI do with one map, and what they make of it. The server writes; this page only asks. */
import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { setCollapsed } from '../../client/src/schema/edits.ts'
import { newId } from '../../client/src/schema/id.ts'
import { ApiFailure } from '../live/api.ts'
import * as jobs from '../live/jobs.ts'
import { isOver, type Job, type Wish } from '../live/jobs.ts'
import type { Board } from './board.ts'
import { failureOf, type OwnRun, overText, type Row, rowsOf } from './run-rows.ts'

/** What somebody wanted of an expansion last; the next one begins with it. */
export interface Choice {
  readonly max_children: number
  readonly expansion_depth: number
  /** Separated by commas. */
  readonly focus: string
}

export const choice = signal<Choice>({ max_children: 5, expansion_depth: 1, focus: '' })

/** Maps that were begun on the list, and are opened next. */
export const begunHere = new Map<string, { readonly wish: Wish, readonly id: string }>()

/** So many runs of others are looked up; beyond that it is begun anew. */
const KNOWN_MAX = 100

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const areasOf = (focus: string): string[] =>
  focus.split(',').map(area => area.trim().slice(0, jobs.FOCUS_AREA_LENGTH_MAX)).filter(area => area !== '').slice(0, jobs.FOCUS_AREAS_MAX)

export class Growth {
  readonly own = signal<readonly OwnRun[]>([])
  readonly rows: ReadonlySignal<readonly Row[]>
  /** Jobs that are under way: their ideas cannot be judged yet. */
  readonly running: ReadonlySignal<ReadonlySet<string>>
  /** Nodes that are being expanded. */
  readonly growing: ReadonlySignal<ReadonlySet<string>>
  /** The whole map is growing, because somebody here has asked for it. */
  readonly isFresh: ReadonlySignal<boolean> = computed(() => this.own.value.some(run => run.wish.kind === 'generate' && isUnderWay(run)))
  /** Ideas for which the server has been asked and has not answered. */
  readonly judging = signal<ReadonlySet<string>>(new Set())
  /** What a yes, a no or an undo did not do. */
  readonly failure = signal<string | null>(null)
  readonly isChoosing = signal(false)
  readonly isCheckOpen = signal(false)
  private readonly dismissed = signal<ReadonlySet<string>>(new Set())
  private readonly known = signal<ReadonlyMap<string, Job>>(new Map())
  private readonly end = new AbortController()

  constructor (private readonly board: Board) {
    const { runs } = board.session.presence
    this.running = computed(() => new Set([...runs.value.map(run => run.id), ...this.own.value.filter(isUnderWay).map(run => run.id ?? '')].filter(id => !this.isKnownOver(id))))
    this.growing = computed(() => new Set(runs.value.flatMap(run => run.node !== null && this.running.value.has(run.id) ? [run.node] : [])))
    this.rows = computed(() => board.past.value !== null
      ? []
      : rowsOf({
        own: this.own.value,
        live: runs.value.filter(run => this.running.value.has(run.id)),
        nodes: board.model.value.nodes,
        selected: board.selected.value,
        known: this.known.value,
        dismissed: this.dismissed.value
      }))
    const begun = begunHere.get(board.session.graphId)
    begunHere.delete(board.session.graphId)
    if (begun !== undefined) void this.follow(this.note(begun.wish), begun.id)
  }

  destroy (): void {
    this.end.abort()
  }

  /** Why the AI cannot be asked now; null when it can. */
  readonly whyNot: ReadonlySignal<string | null> = computed(() =>
    !this.board.isEditable.value ? 'This map cannot be changed now' : this.board.session.link.value.kind !== 'live' ? 'Not connected' : null)

  whyNotExpand (node: string): string | null {
    return this.whyNot.value ?? (this.board.model.value.nodes.get(node)?.expandable === false ? 'This node is not meant to be expanded' : null)
  }

  /** Has the AI add to a node, as `choice` says. */
  expand (node: string): void {
    this.board.catchUp()
    const why = this.whyNotExpand(node)
    if (why !== null) {
      this.board.deny()
      if (!this.board.isReadOnly.value) this.failure.value = `${why}.`
      return
    }
    const { nodes, tree, language } = this.board.model.value
    // Who has something grow under a closed branch wants to see it.
    if (nodes.get(node)?.collapsed === true && node !== tree.root) setCollapsed(this.board.session.doc, node, false)
    const { focus, ...rest } = choice.value
    void this.start({ kind: 'expand', node, ...rest, focus_areas: areasOf(focus), ...language === null ? { language: jobs.ownLanguage() } : {} })
  }

  /** Has the AI fill a map that is empty. */
  generate (topic: string): void {
    void this.start({ kind: 'generate', topic, max_nodes: 8, style_preference: 'academic', language: jobs.ownLanguage(), graph_id: this.board.session.graphId })
  }

  check (): void {
    if (this.whyNot.value === null) void this.start({ kind: 'coherence', language: this.board.model.value.language ?? jobs.ownLanguage() })
  }

  /** A map of which something has grown already goes on from its root. */
  again (row: Row): void {
    const wish = this.own.value.find(run => run.key === row.key)?.wish
    const { root } = this.board.model.value.tree
    this.dismiss(row)
    if (wish?.kind === 'expand') void this.start(wish)
    else if (wish?.kind === 'generate' && root !== null) this.expand(root)
    else if (wish?.kind === 'generate') void this.start({ ...wish, graph_id: this.board.session.graphId })
  }

  dismiss ({ key, id }: Row): void {
    this.dismissed.value = new Set(this.dismissed.value).add(key).add(id ?? key)
    this.own.value = this.own.value.filter(run => run.key !== key || isUnderWay(run))
  }

  stop ({ key, id }: { readonly key: string, readonly id: string | null }): void {
    this.change(key, { isStopping: true })
    if (id !== null) void this.ask(async () => {
      const job = await jobs.stopJob(id).catch(ignoreOver)
      if (job !== null) this.change(key, { job })
    }, 'It was not stopped.').then(isDone => { if (!isDone) this.change(key, { isStopping: false }) })
  }

  /** Accepts or rejects one idea, or all that a run has proposed. */
  judge (how: 'accept' | 'reject', run: string, node?: string): void {
    const nodes = node === undefined ? [...this.board.model.value.nodes.values()].filter(one => one.run === run && one.proposed).map(one => one.id) : [node]
    const title = node === undefined ? null : this.board.model.value.nodes.get(node)?.title ?? ''
    this.judging.value = new Set([...this.judging.value, ...nodes])
    void this.ask(async () => {
      const { kept = [] } = await jobs.settleJob(run, how, node === undefined ? undefined : nodes)
      this.board.news.value = `${how === 'accept' ? 'Accepted' : 'Rejected'} ${title === null ? 'all' : `“${title}”`}`
      if (how === 'reject') this.tellKept(kept)
    }, `It was not ${how}ed.`).then(() => {
      this.judging.value = new Set([...this.judging.value].filter(id => !nodes.includes(id)))
    })
  }

  /** Takes back what a run has written, except what people have touched since. */
  undo (run: string): void {
    void this.ask(async () => {
      const { removed = [], kept = [] } = await jobs.settleJob(run, 'undo')
      this.board.news.value = `Removed ${removed.length}`
      this.tellKept(kept)
    }, 'It was not undone.')
  }

  /** Learns what made the ideas of a run that was begun elsewhere. */
  learn (run: string): void {
    if (this.known.value.has(run) || this.own.value.some(one => one.id === run)) return
    jobs.readJob(run).then(job => {
      this.known.value = new Map(this.known.value.size < KNOWN_MAX ? this.known.value : []).set(run, job)
    }, () => { /* Then it is only said that it was an AI, or a template. */ })
  }

  private isKnownOver (id: string): boolean {
    const job = this.own.value.find(run => run.id === id)?.job
    return id === '' || (job != null && isOver(job.status))
  }

  /** What is settled makes room; a check replaces the one before. */
  private note (wish: Wish): string {
    const key = newId()
    const isProposed = (id: string | null) => [...this.board.model.value.nodes.values()].some(node => node.proposed && node.run === id)
    const kept = this.own.value.filter(run => wish.kind === 'coherence' ? run.wish.kind !== 'coherence' : isUnderWay(run) || run.wish.kind === 'coherence' || isProposed(run.id))
    this.own.value = [...kept, { key, wish, id: null, job: null, failure: null, isStopping: false }]
    return key
  }

  private async start (wish: Wish): Promise<void> {
    const { session } = this.board
    const key = this.note(wish)
    try {
      // The server must know the node, and all that stands around it.
      if (!await session.whenSaved()) throw new ApiFailure('Your last changes are not saved yet. Try again when they are.')
      await this.follow(key, (await jobs.begin(wish, session.graphId)).job_id)
    } catch (error) {
      this.fail(key, messageOf(error))
    }
  }

  private async follow (key: string, id: string): Promise<void> {
    const isStopped = this.own.value.find(run => run.key === key)?.isStopping
    this.change(key, { id })
    if (isStopped === true) this.stop({ key, id })
    try {
      await jobs.followJob(id, job => this.change(key, { job }), this.end.signal)
    } catch (error) {
      this.fail(key, messageOf(error))
    }
    if (!this.end.signal.aborted) this.tell(key)
  }

  private tellKept ({ length }: readonly string[]): void {
    if (length > 0) this.failure.value = `${length} stayed, because somebody has changed ${length === 1 ? 'it' : 'them'} or added something below. Delete ${length === 1 ? 'it' : 'them'} yourself if you want.`
  }

  private tell (key: string): void {
    const run = this.own.value.find(one => one.key === key)
    if (run?.job == null || run.wish.kind === 'coherence') return
    const written = run.job.nodes?.written ?? 0
    this.board.news.value = run.job.status === 'failed' ? failureOf(run.job) : overText(run.job, null, written, written)
  }

  private fail (key: string, failure: string): void {
    this.change(key, { failure })
    this.board.news.value = failure
  }

  private change (key: string, what: Partial<OwnRun>): void {
    this.own.value = this.own.value.map(run => run.key === key ? { ...run, ...what } : run)
  }

  /** True when it is done. */
  private async ask (work: () => Promise<void>, whatFailed: string): Promise<boolean> {
    this.failure.value = null
    try {
      await work()
      return true
    } catch (error) {
      this.failure.value = `${whatFailed} ${messageOf(error)}`
      return false
    }
  }
}

export const isUnderWay = ({ failure, job }: OwnRun): boolean => failure === null && (job === null || !isOver(job.status))

/** Who stops what has just ended has what they wanted. */
const ignoreOver = (error: unknown): null => {
  if (error instanceof ApiFailure && error.status === 409) return null
  throw error
}
