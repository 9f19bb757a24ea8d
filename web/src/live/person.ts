/** Who sits here: a name and a colour, kept in this browser. */
import { signal } from '@preact/signals'

export interface Person {
  readonly name: string
  readonly color: string
}

export const NAME_LENGTH_MAX = 40

/** Dark enough for white letters. */
const COLORS = ['#B45309', '#BE123C', '#7C3AED', '#1D4ED8', '#0F766E', '#15803D', '#A21CAF', '#C2410C'] as const
const ADJECTIVES = ['Amber', 'Brave', 'Calm', 'Clever', 'Curious', 'Gentle', 'Happy', 'Lively', 'Quiet', 'Swift', 'Sunny', 'Witty'] as const
const ANIMALS = ['Badger', 'Dolphin', 'Falcon', 'Fox', 'Hedgehog', 'Heron', 'Lynx', 'Otter', 'Owl', 'Panda', 'Raven', 'Seal'] as const

const KEY = 'synapti-person'

const pick = <T>(list: readonly T[]): T => list[Math.floor(Math.random() * list.length)] as T

const load = (): Person => {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null')
    const found = asPerson(kept)
    if (found !== null) return found
  } catch { /* A browser may forbid storage; then a new name each time it is. */ }
  return { name: `${pick(ADJECTIVES)} ${pick(ANIMALS)}`, color: pick(COLORS) }
}

/** Reads what others say of themselves. */
export const asPerson = (value: unknown): Person | null => {
  if (typeof value !== 'object' || value === null) return null
  const { name, color } = value as Record<string, unknown>
  if (typeof name !== 'string' || typeof color !== 'string' || !/^#[0-9a-f]{6}$/i.test(color)) return null
  return { name: name.trim().slice(0, NAME_LENGTH_MAX) || 'Somebody', color }
}

const keep = (person: Person): void => {
  try {
    localStorage.setItem(KEY, JSON.stringify(person))
  } catch { /* As above. */ }
}

export const person = signal<Person>(load())
keep(person.value)

export const rename = (name: string): void => {
  const trimmed = name.trim().slice(0, NAME_LENGTH_MAX)
  if (trimmed === '' || trimmed === person.value.name) return
  person.value = { ...person.value, name: trimmed }
  keep(person.value)
}
