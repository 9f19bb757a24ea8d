/** How long people wait behind proxies: `npm run measure`, with TEST_BINARY. Prints a table; nothing is checked. */
import type { TestContext } from 'node:test'
import type { TransportName } from '../src/index.ts'
import type { Manners } from './support/proxy.ts'
import { by, join, mapId, open, saved, startProxy, startServer, until } from './support/world.ts'

const RUNS = Number(process.env['MEASURE_RUNS'] ?? 10)

const CASES: ReadonlyArray<[name: string, manners: Partial<Manners>, left: TransportName]> = [
  ['refuses upgrades', { upgrades: 'refuse' }, 'sse'],
  ['holds upgrades', { upgrades: 'hold' }, 'sse'],
  ['opens sockets, passes nothing', { upgrades: 'mute' }, 'sse'],
  ['refuses upgrades, buffers streams', { upgrades: 'refuse', streams: 'buffer' }, 'poll'],
  ['holds upgrades, holds streams', { upgrades: 'hold', streams: 'hold' }, 'poll'],
  ['opens sockets, buffers streams', { upgrades: 'mute', streams: 'buffer' }, 'poll'],
  ['refuses upgrades and streams', { upgrades: 'refuse', refuses: { path: /\/sse/, status: 403 } }, 'poll']
]

const row = (name: string, left: string, times_ms: number[]): void => {
  const sorted = [...times_ms].sort((a, b) => a - b)
  const at = (share: number): string => `${Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN)}`.padStart(6)
  console.log(`${name.padEnd(36)} ${left.padEnd(5)} min ${at(0)}  median ${at(0.5)}  max ${at(1)} ms`)
}

/** Runs with everything that it started ended afterwards. */
const alone = async <T>(run: (t: TestContext) => Promise<T>): Promise<T> => {
  const hooks: Array<() => unknown> = []
  try {
    return await run({ after: (hook: () => unknown) => hooks.push(hook) } as unknown as TestContext)
  } finally {
    for (const hook of hooks.reverse()) await hook()
  }
}

await alone(async t => {
  const server = await startServer(t)
  for (const [name, manners, left] of CASES) {
    const starts: number[] = []
    const losses: number[] = []
    for (let run = 0; run < RUNS; run++) {
      await alone(async inner => {
        const proxy = await startProxy(inner, server, manners)
        const begin_ms = performance.now()
        await by(open(inner, proxy.http, mapId()), left)
        starts.push(performance.now() - begin_ms)
      })
      await alone(async inner => {
        const proxy = await startProxy(inner, server)
        const one = await join(inner, proxy.http, mapId())
        one.map.set('a', 1)
        await saved(one)
        Object.assign(proxy.manners, manners)
        proxy.cut()
        const begin_ms = performance.now()
        await by(one, left)
        losses.push(performance.now() - begin_ms)
      })
    }
    row(`start: ${name}`, left, starts)
    row(`loss:  ${name}`, left, losses)
  }
  const climbs: number[] = []
  for (let run = 0; run < RUNS; run++) {
    await alone(async inner => {
      const proxy = await startProxy(inner, server)
      const one = await join(inner, proxy.http, mapId())
      proxy.manners.upgrades = 'refuse'
      proxy.cut()
      await by(one, 'sse')
      proxy.manners.upgrades = 'pass'
      const begin_ms = performance.now()
      await until('the socket is back', () => one.provider.transport === 'ws', { deadline_ms: 60_000 })
      climbs.push(performance.now() - begin_ms)
    })
  }
  row('climbing back, where it had worked', 'ws', climbs)
})
