/** The versions of one map: the list, the one that is looked at, and what people do with them. */
import { batch, computed, signal } from '@preact/signals'
import { ApiFailure } from '../live/api.ts'
import { person } from '../live/person.ts'
import * as api from '../live/versions.ts'
import type { Version } from '../live/versions.ts'
import { modelOf } from '../model/past.ts'
import { ago } from './ago.ts'
import type { Board } from './board.ts'
import { stopEditing } from './commands.ts'

export interface Listed {
  readonly versions: readonly Version[]
  readonly next: string | null
}

export const labelOf = ({ name, kind }: Version): string =>
  name ?? (kind === 'before_restore' ? 'Before restoring' : 'Automatic')

/** Tells versions of the same name apart. */
export const fullLabelOf = (version: Version): string => `${labelOf(version)}, ${ago(new Date(version.created_at), new Date())}`

export const timeOf = ({ created_at }: Version): string =>
  new Date(created_at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

export class History {
  readonly isOpen = signal(false)
  /** Null until it is loaded. */
  readonly list = signal<Listed | null>(null)
  readonly failure = signal<string | null>(null)
  /** The server is asked to do something; one thing at a time. */
  readonly isBusy = signal(false)
  /** The version that is looked at; the board draws it. */
  readonly shown = signal<Version | null>(null)
  /** Whether this person may keep, rename, remove and restore. */
  readonly mayChange = computed(() => !this.board.session.rights.isReadOnly.value)
  /** Counts what was asked for: of answers that overtake each other the newest counts. */
  private loads = 0
  private looks = 0

  constructor (private readonly board: Board) {}

  toggle (): void {
    if (this.isOpen.value) return this.close()
    this.board.isPanelOpen.value = this.board.growth.isCheckOpen.value = false
    this.isOpen.value = true
    void this.load()
  }

  close (): void {
    this.back()
    this.failure.value = null
    this.isOpen.value = false
  }

  async load (): Promise<void> {
    await this.loadAfter(null)
  }

  async loadOlder (): Promise<void> {
    await this.loadAfter(this.list.value)
  }

  /** True when it is kept. */
  async keep (name: string): Promise<boolean> {
    return await this.run('The version was not kept.', async () => {
      await this.settle()
      const made = await api.keepVersion(this.graphId, name, person.value.name)
      this.change(versions => [made, ...versions])
      this.board.news.value = `Kept “${name}”`
    })
  }

  async rename (version: Version, name: string): Promise<boolean> {
    return await this.run('The version was not renamed.', async () => {
      const renamed = await api.renameVersion(this.graphId, version.id, name)
      this.change(versions => versions.map(one => one.id === renamed.id ? renamed : one))
      if (this.shown.value?.id === renamed.id) this.shown.value = renamed
    })
  }

  remove (version: Version): void {
    this.board.question.value = {
      title: `Remove “${labelOf(version)}”?`,
      text: `This version of ${timeOf(version)} is removed for everybody. The map as it is now does not change.`,
      action: 'Remove the version',
      onYes: () => void this.run('The version was not removed.', async () => {
        await api.removeVersion(this.graphId, version.id)
        if (this.shown.value?.id === version.id) this.back()
        this.change(versions => versions.filter(one => one.id !== version.id))
        this.board.news.value = `Removed “${labelOf(version)}”`
      })
    }
  }

  /** Draws the map as it was. */
  async look (version: Version): Promise<void> {
    const look = ++this.looks
    this.failure.value = null
    try {
      const model = modelOf(await api.readVersion(this.graphId, version.id))
      if (look !== this.looks) return
      stopEditing(this.board)
      batch(() => {
        this.shown.value = version
        this.board.show(model)
        this.board.news.value = `This is how the map was on ${timeOf(version)}`
      })
    } catch (error) {
      if (look === this.looks) this.failure.value = `The version cannot be shown. ${messageOf(error)}`
    }
  }

  /** Draws the map as it is. */
  back (): void {
    this.looks++
    if (this.shown.value === null) return
    batch(() => {
      this.shown.value = null
      this.board.show(null)
      this.board.news.value = 'This is the map as it is'
    })
  }

  restore (version: Version): void {
    this.board.question.value = {
      title: `Restore “${labelOf(version)}”?`,
      text: `The map becomes what it was on ${timeOf(version)}, for everybody who has it open. The map as it is now is kept as a version too, so you can go back.`,
      action: 'Restore',
      isSafe: true,
      onYes: () => void this.run('The version was not restored.', async () => {
        await this.settle()
        await api.restoreVersion(this.graphId, version.id, person.value.name)
        this.back()
        this.board.news.value = `Restored “${labelOf(version)}”`
        await this.load()
      })
    }
  }

  private get graphId (): string {
    return this.board.session.graphId
  }

  /** What was typed a moment ago belongs to the map as it is now. */
  private async settle (): Promise<void> {
    if (!await this.board.session.whenSaved()) throw new ApiFailure('Your last changes are not saved yet. Try again when they are.')
  }

  private async loadAfter (before: Listed | null): Promise<void> {
    const load = ++this.loads
    try {
      const page = await api.listVersions(this.graphId, before?.next ?? null)
      if (load !== this.loads) return
      this.list.value = { versions: [...before?.versions ?? [], ...page.versions], next: page.next_cursor }
      this.failure.value = null
    } catch (error) {
      if (load === this.loads) this.failure.value = `The versions could not be loaded. ${messageOf(error)}`
    }
  }

  /** A page that was asked for before would not know of the change. */
  private change (edit: (versions: readonly Version[]) => readonly Version[]): void {
    const { value } = this.list
    if (value === null) return void this.load()
    this.loads++
    this.list.value = { ...value, versions: edit(value.versions) }
  }

  private async run (whatFailed: string, work: () => Promise<void>): Promise<boolean> {
    if (this.isBusy.value) return false
    this.isBusy.value = true
    this.failure.value = null
    try {
      await work()
      return true
    } catch (error) {
      this.failure.value = `${whatFailed} ${messageOf(error)}`
      return false
    } finally {
      this.isBusy.value = false
    }
  }
}
