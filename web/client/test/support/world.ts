/** A real server, a proxy before it, and people with providers. */
import type { TestContext } from 'node:test'
import { WebSocket } from 'ws'
import * as Y from 'yjs'
import type { TransportName } from '../../src/index.ts'
import { SynaptiProvider, type SynaptiOptions } from '../../src/index.ts'
import { type Manners, Proxy } from './proxy.ts'

interface RunningServer {
  readonly http: string
  readonly port: number
  start: () => Promise<void>
  stop: () => Promise<unknown>
  kill9: () => Promise<unknown>
  pause: () => void
  resume: () => void
  request: (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<{ status: number, json: never }>
}

// The tests with other clients run servers too; from `.test/test/support` their folder is five levels up.
const library = (name: string): string => new URL(`../../../../../tests/clients/lib/${name}.mjs`, import.meta.url).href

const { Server } = await import(library('server')) as {
  Server: { start: (t: unknown, options?: { restartable?: boolean, env?: Record<string, string> }) => Promise<RunningServer> }
}

export const { until, within } = await import(library('wait')) as {
  until: <T>(what: string, condition: () => T | Promise<T>, options?: { deadline_ms?: number, detail?: () => unknown }) => Promise<NonNullable<T>>
  within: <T>(what: string, promise: Promise<T>, deadline_ms?: number) => Promise<T>
}

let maps = 0
export const mapId = (): string => `map-${process.pid}-${maps++}`

export const startServer = (t: TestContext, options: { restartable?: boolean, env?: Record<string, string> } = {}): Promise<RunningServer> =>
  Server.start(t, options)

export const startProxy = async (t: TestContext, server: { port: number }, manners: Partial<Manners> = {}): Promise<Proxy> => {
  const proxy = await Proxy.start(server.port, manners)
  t.after(() => proxy.close())
  return proxy
}

/** Somebody with a map open. `log` has what the provider told, in short. */
export interface Person {
  readonly doc: Y.Doc
  readonly provider: SynaptiProvider
  readonly log: string[]
  readonly map: Y.Map<unknown>
}

export const open = (t: TestContext, address: string, id: string, options: SynaptiOptions & { doc?: Y.Doc } = {}): Person => {
  const { doc = new Y.Doc(), ...rest } = options
  const provider = new SynaptiProvider(address, id, doc, { WebSocketPolyfill: WebSocket, ...rest, connect: false })
  const log: string[] = []
  provider.on('status', ({ status, transport }) => log.push(transport === null ? status : `${status} ${transport}`))
  provider.on('sync', isSynced => log.push(isSynced ? 'synced' : 'not synced'))
  provider.on('unsaved', () => log.push('unsaved'))
  provider.on('saved', () => log.push('saved'))
  provider.on('closed', ({ code }) => log.push(`closed ${code}`))
  provider.on('readonly', isReadOnly => log.push(isReadOnly ? 'read-only' : 'editable'))
  if (rest.connect !== false) provider.connect()
  t.after(() => {
    provider.destroy()
    doc.destroy()
  })
  return { doc, provider, log, map: doc.getMap('test') }
}

export const synced = async (...people: Person[]): Promise<void> => {
  await until('all are in step', () => people.every(({ provider }) => provider.synced), { detail: () => people.map(({ log }) => log) })
}

export const join = async (t: TestContext, address: string, id: string, options: SynaptiOptions & { doc?: Y.Doc } = {}): Promise<Person> => {
  const person = open(t, address, id, options)
  await synced(person)
  return person
}

export const by = (person: Person, transport: TransportName, deadline_ms = 20_000): Promise<boolean> =>
  until(`the connection goes by ${transport}`, () => person.provider.transport === transport, { deadline_ms, detail: () => person.log })

export const saved = (person: Person): Promise<boolean> =>
  until('all is saved', () => !person.provider.hasUnsavedChanges, { detail: () => person.log })

export const sees = (person: Person, key: string, value: unknown): Promise<boolean> =>
  until(`${key} is ${String(value)}`, () => person.map.get(key) === value, { detail: () => [person.log, person.map.toJSON()] })

/** What somebody who comes anew sees. */
export const fresh = async (t: TestContext, address: string, id: string): Promise<unknown> => {
  const person = await join(t, address, id, { transports: ['poll'] })
  const json = person.map.toJSON()
  person.provider.destroy()
  return json
}
