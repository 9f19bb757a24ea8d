/** People behind proxies that change their manners, at a server that is killed: nothing is lost, nothing is there twice. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Manners, Proxy } from '../support/proxy.ts'
import { Random } from '../support/random.ts'
import { join, mapId, open, type Person, saved, startProxy, startServer, synced, until } from '../support/world.ts'

const STEPS = Number(process.env['CHAOS_STEPS'] ?? 120)
const SEED = Number(process.env['CHAOS_SEED'] ?? Date.now() % 1_000_000)
const STEP_EVERY_MS = 40

const MANNERS: ReadonlyArray<Partial<Manners>> = [
  { upgrades: 'pass', streams: 'pass' }, { upgrades: 'refuse', streams: 'pass' }, { upgrades: 'hold', streams: 'pass' },
  { upgrades: 'mute', streams: 'pass' }, { upgrades: 'refuse', streams: 'buffer' }, { upgrades: 'refuse', streams: 'hold' }
]

const list = ({ doc }: Person) => doc.getArray<string>('list')

test('edits survive everything, once', async t => {
  t.diagnostic(`CHAOS_SEED=${SEED}`)
  const random = new Random(SEED)
  const server = await startServer(t, { restartable: true })
  const id = mapId()
  const proxies: Proxy[] = []
  const people: Person[] = []
  /** What each has been told is saved. */
  const proven = new Set<string>()
  const made = new Set<string>()
  const removed = new Set<string>()
  for (let number = 0; number < 3; number++) {
    const proxy = await startProxy(t, server)
    const person = open(t, proxy.http, id)
    person.provider.on('saved', () => {
      for (const word of made) if (word.startsWith(`${number}-`)) proven.add(word)
    })
    proxies.push(proxy)
    people.push(person)
  }
  await synced(...people)

  const step = async (at: number): Promise<void> => {
    const number = random.below(people.length)
    const person = people[number] as Person
    const proxy = proxies[number] as Proxy
    const chance = random.below(20)
    if (chance < 12) {
      const word = `${number}-${at}`
      made.add(word)
      list(person).insert(random.below(list(person).length + 1), [word])
    } else if (chance < 15 && list(person).length > 0) {
      const place = random.below(list(person).length)
      removed.add(list(person).get(place))
      list(person).delete(place)
    } else if (chance < 18) {
      Object.assign(proxy.manners, random.pick(MANNERS))
      if (random.below(2) === 0) proxy.cut()
    } else proxy.cut()
  }

  for (let at = 0; at < STEPS; at++) {
    await step(at)
    if (at === Math.floor(STEPS / 2)) {
      await server.kill9()
      await server.start()
    }
    // The pace of the campaign; nothing is waited for.
    await new Promise(resolve => setTimeout(resolve, STEP_EVERY_MS))
  }
  for (const proxy of proxies) Object.assign(proxy.manners, { upgrades: 'pass', streams: 'pass' })
  for (const person of people) await saved(person)
  await server.kill9()
  await server.start()
  const reader = await join(t, server.http, id)
  const words = list(reader).toArray()
  const expected = [...made].filter(word => !removed.has(word)).sort()
  assert.deepEqual([...words].sort(), expected)
  assert.ok([...proven].every(word => removed.has(word) || words.includes(word)))
  await until('all read the same', () => people.every(person => JSON.stringify(list(person)) === JSON.stringify(words)), {
    detail: () => people.map(person => [person.provider.transport, list(person).length, person.log.slice(-5)])
  })
})
