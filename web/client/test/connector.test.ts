import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { Access, type TokenSource } from '../src/access.ts'
import { Connector } from '../src/connector.ts'
import * as wire from '../src/message.ts'
import { type End, type Listener, type Open, TRANSPORTS, type TransportName } from '../src/transport.ts'
import { Unsaved } from '../src/unsaved.ts'
import { settle, stopClock } from './support/clock.ts'

/** A connection whose other end is the test. */
interface Played {
  readonly name: TransportName
  readonly token: string | null
  readonly at_ms: number
  readonly listener: Listener
  readonly edits: Uint8Array[]
  isClosed: boolean
}

const notice = (json: unknown): Uint8Array => {
  const text = new TextEncoder().encode(JSON.stringify(json))
  return new Uint8Array([wire.NOTICE, text.length, ...text])
}

const setUp = async (t: TestContext, { transports = TRANSPORTS, token = null as TokenSource | null, random = 0 } = {}) => {
  const clock = stopClock(t)
  const doc = new Y.Doc()
  const awareness = new Awareness(doc)
  const opened: Played[] = []
  const log: string[] = []
  const stops: End[] = []
  const opener = (name: TransportName): Open => (route, listener) => {
    const played: Played = { name, token: route.token(), at_ms: Date.now(), listener, edits: [], isClosed: false }
    opened.push(played)
    return {
      name,
      edit: message => played.edits.push(message),
      presence: () => {},
      farewell: () => {},
      close: () => { played.isClosed = true }
    }
  }
  const world = { isOnline: true, isReadOnly: false }
  const unsaved = new Unsaved(false, hasUnsaved => log.push(hasUnsaved ? 'unsaved' : 'saved'))
  const connector = new Connector({
    doc,
    awareness,
    unsaved,
    origin: 'test',
    now_ms: () => Date.now(),
    access: new Access(token, () => Date.now()),
    transports,
    openers: { ws: opener('ws'), sse: opener('sse'), poll: opener('poll') },
    maxBackoff_ms: 30_000,
    route: {
      server: 'http://x', graphId: 'm', params: {}, fetch, WebSocket: null, random: () => random,
      stateVector: () => Y.encodeStateVector(doc), isAlone: () => true
    },
    isReadOnly: () => world.isReadOnly,
    isOnline: () => world.isOnline,
    onConnecting: () => log.push('connecting'),
    onCurrent: link => log.push(`current ${link.name}`),
    onLost: () => log.push('lost'),
    onClose: () => {},
    onError: error => log.push(`error ${String(error)}`),
    onStopped: end => stops.push(end),
    onNotice: () => {},
    onDenied: () => { world.isReadOnly = true }
  })
  t.after(() => {
    connector.disconnect()
    awareness.destroy()
  })
  doc.on('update', (update: Uint8Array, origin: unknown) => {
    if (origin === 'test') return
    unsaved.changed()
    for (const link of connector.links) link.edit(update)
  })
  const begin = async () => {
    connector.connect()
    await settle()
  }
  const newest = (name: TransportName): Played => opened.findLast(one => one.name === name) ?? assert.fail(`no ${name} was opened`)
  const names = () => opened.map(({ name }) => name)
  const sync = (one: Played) => {
    one.listener.opened()
    one.listener.message(wire.syncMessage(wire.STEP1, new Uint8Array([0])))
    one.listener.message(wire.syncMessage(wire.STEP2, new Uint8Array([0, 0])))
  }
  return { ...clock, connector, doc, world, unsaved, opened, log, stops, begin, newest, names, sync }
}

const lost = { code: 1006, reason: '' }

test('the WebSocket alone, when it works', async t => {
  const { begin, newest, sync, pass, names, connector, log } = await setUp(t)
  await begin()
  assert.deepEqual(names(), ['ws'])
  sync(newest('ws'))
  await pass(120_000)
  assert.deepEqual(names(), ['ws'])
  assert.equal(connector.current?.name, 'ws')
  assert.deepEqual(log, ['connecting', 'current ws'])
})

test('a WebSocket that is refused is followed at once by the next way', async t => {
  const { begin, newest, sync, names, connector } = await setUp(t)
  await begin()
  newest('ws').listener.ended(lost)
  assert.deepEqual(names(), ['ws', 'sse'])
  newest('sse').listener.ended(lost)
  assert.deepEqual(names(), ['ws', 'sse', 'poll'])
  sync(newest('poll'))
  assert.equal(connector.current?.name, 'poll')
})

test('ways that are held open without an answer do not hold up the others, and are given up', async t => {
  const { begin, newest, sync, names, connector, pass, opened } = await setUp(t)
  await begin()
  await pass(1150)
  assert.deepEqual(names(), ['ws'])
  await pass(100)
  assert.deepEqual(names(), ['ws', 'sse'])
  await pass(1000)
  assert.deepEqual(names(), ['ws', 'sse', 'poll'])
  sync(newest('poll'))
  assert.equal(connector.current?.name, 'poll')
  assert.equal(opened.filter(({ isClosed }) => isClosed).length, 0)
  await pass(9000)
  assert.deepEqual(opened.map(({ isClosed }) => isClosed), [true, true, false])
})

test('a socket that opened and says nothing gets a little longer', async t => {
  const { begin, newest, names, pass } = await setUp(t)
  await begin()
  await pass(1000)
  newest('ws').listener.opened()
  await pass(1150)
  assert.deepEqual(names(), ['ws'])
  await pass(100)
  assert.deepEqual(names(), ['ws', 'sse'])
})

test('a socket that speaks is waited for: it may be waiting for its turn', async t => {
  const { begin, newest, sync, names, pass, connector } = await setUp(t)
  await begin()
  newest('ws').listener.opened()
  newest('ws').listener.message(notice({ kind: 'role', role: 'editor' }))
  await pass(20_000)
  assert.deepEqual(names(), ['ws'])
  sync(newest('ws'))
  assert.equal(connector.current?.name, 'ws')
})

test('the better way takes over when it is in step, even if it was slow', async t => {
  const { begin, newest, sync, connector, pass, log } = await setUp(t)
  await begin()
  await pass(1300)
  sync(newest('sse'))
  assert.equal(connector.current?.name, 'sse')
  sync(newest('ws'))
  assert.equal(connector.current?.name, 'ws')
  assert.equal(newest('sse').isClosed, true)
  assert.deepEqual(log, ['connecting', 'current sse', 'current ws'])
})

test('climbing: the WebSocket is tried again in the background, ever less often, and takes over without a gap', async t => {
  const { begin, newest, sync, connector, pass, opened, log } = await setUp(t, { random: 0.5 })
  await begin()
  newest('ws').listener.ended(lost)
  sync(newest('sse'))
  const triedAt = () => opened.filter(({ name }) => name === 'ws').map(({ at_ms }) => Math.round(at_ms / 1000))
  await pass(15_200)
  newest('ws').listener.ended(lost)
  await pass(30_200)
  newest('ws').listener.ended(lost)
  await pass(60_200)
  assert.deepEqual(triedAt(), [0, 15, 45, 105])
  assert.equal(connector.current?.name, 'sse')
  newest('ws').listener.opened()
  assert.equal(newest('sse').isClosed, false)
  sync(newest('ws'))
  assert.equal(newest('sse').isClosed, true)
  assert.deepEqual(log, ['connecting', 'current sse', 'current ws'])
})

test('climbing: the better ways are tried one after another, so that none takes the last free place from a better one', async t => {
  const { begin, newest, sync, connector, pass, names, log } = await setUp(t, { random: 0.5 })
  await begin()
  newest('ws').listener.ended(lost)
  newest('sse').listener.ended(lost)
  sync(newest('poll'))
  await pass(15_200)
  assert.deepEqual(names(), ['ws', 'sse', 'poll', 'ws'])
  newest('ws').listener.ended(lost)
  assert.deepEqual(names().slice(4), ['sse'])
  newest('sse').listener.ended(lost)
  await pass(29_000)
  assert.equal(names().length, 5, 'both together were one try')
  await pass(1200)
  assert.deepEqual(names().slice(5), ['ws'])
  // One that does not answer is given up for the next.
  await pass(10_200)
  assert.deepEqual(names().slice(6), ['sse'])
  sync(newest('sse'))
  assert.equal(newest('poll').isClosed, true)
  assert.equal(connector.current?.name, 'sse')
  assert.deepEqual(log, ['connecting', 'current poll', 'current sse'])
})

test('edits around a handover reach the new connection, and are saved only when that says so', async t => {
  const { begin, newest, sync, pass, doc, unsaved } = await setUp(t, { random: 0.5 })
  await begin()
  newest('ws').listener.ended(lost)
  sync(newest('sse'))
  newest('sse').listener.acknowledged(1)
  doc.getMap('m').set('a', 1)
  await pass(15_200)
  doc.getMap('m').set('b', 2)
  doc.getMap('m').delete('a')
  sync(newest('ws'))
  doc.getMap('m').set('c', 3)
  assert.equal(unsaved.hasUnsaved, true)
  const server = new Y.Doc()
  for (const message of newest('ws').edits) Y.applyUpdate(server, message.subarray(3))
  assert.deepEqual(server.getMap('m').toJSON(), { b: 2, c: 3 })
  newest('ws').listener.acknowledged(1)
  assert.equal(unsaved.hasUnsaved, true)
  newest('ws').listener.acknowledged(2)
  assert.equal(unsaved.hasUnsaved, false)
})

test('what worked is tried first after a loss', async t => {
  const { begin, newest, sync, pass, opened } = await setUp(t)
  await begin()
  newest('ws').listener.ended(lost)
  newest('sse').listener.ended(lost)
  sync(newest('poll'))
  await pass(10_000)
  newest('poll').listener.ended(lost)
  await pass(50)
  assert.deepEqual(opened.map(({ name }) => name), ['ws', 'sse', 'poll', 'poll'])
})

test('a server that cannot be reached is asked with growing pauses', async t => {
  const { begin, opened, pass } = await setUp(t, { transports: ['ws'], random: 0.999 })
  await begin()
  const gaps: number[] = []
  for (let tries = 0; tries < 10; tries++) {
    const at_ms = Date.now()
    const before = opened.length
    opened.at(-1)?.listener.ended(lost)
    while (opened.length === before) await pass(50)
    gaps.push(Math.round((Date.now() - at_ms) / 50) * 50)
  }
  assert.deepEqual(gaps, [250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
})

test('Retry-After is kept, and no other way is tried meanwhile', async t => {
  const { begin, newest, names, pass } = await setUp(t, { random: 0.5 })
  await begin()
  newest('ws').listener.ended({ code: 1013, reason: 'full', isServer: true, retryAfter_ms: 5000 })
  await pass(4950)
  assert.deepEqual(names(), ['ws'])
  // Where there was no place for a socket, there may be one for something cheaper.
  await pass(300)
  assert.deepEqual(names(), ['ws', 'sse'])
  newest('sse').listener.ended({ code: 1008, reason: 'too many connections', isServer: true, retryAfter_ms: 2000 })
  await pass(1950)
  assert.deepEqual(names(), ['ws', 'sse'])
  await pass(500)
  assert.deepEqual(names(), ['ws', 'sse', 'poll'])
})

test('who did too much stays away for some seconds', async t => {
  const { begin, newest, sync, names, pass } = await setUp(t)
  await begin()
  sync(newest('ws'))
  await pass(20_000)
  newest('ws').listener.ended({ code: 1008, reason: 'too many messages', isServer: true })
  await pass(3900)
  assert.deepEqual(names(), ['ws'])
  await pass(200)
  assert.deepEqual(names(), ['ws', 'ws'])
})

test('a node that goes is come back to when it said', async t => {
  const { begin, newest, sync, names, pass } = await setUp(t)
  await begin()
  sync(newest('ws'))
  newest('ws').listener.message(notice({ kind: 'draining', reconnect_after_ms: 700 }))
  newest('ws').listener.ended({ code: 1012, reason: '', isServer: true })
  await pass(650)
  assert.deepEqual(names(), ['ws'])
  await pass(100)
  assert.deepEqual(names(), ['ws', 'ws'])
})

test('a try in the background that fails does not shorten the pause that the server asked for', async t => {
  const { begin, newest, sync, names, pass } = await setUp(t, { random: 0.5 })
  await begin()
  newest('ws').listener.ended(lost)
  sync(newest('sse'))
  await pass(15_100)
  assert.deepEqual(names(), ['ws', 'sse', 'ws'])
  newest('sse').listener.ended({ code: 1013, reason: 'full', isServer: true, retryAfter_ms: 10_000 })
  await pass(1000)
  newest('ws').listener.ended(lost)
  await pass(8900)
  assert.deepEqual(names(), ['ws', 'sse', 'ws'])
  await pass(500)
  assert.equal(names().length, 4)
})

test('an overloaded server is polled, and asked for a socket only when it said', async t => {
  const { begin, newest, sync, names, pass, connector } = await setUp(t)
  await begin()
  sync(newest('ws'))
  newest('ws').listener.message(notice({ kind: 'fallback', transport: 'poll', retry_after_ms: 40_000 }))
  newest('ws').listener.ended({ code: 4503, reason: '', isServer: true })
  await pass(50)
  assert.deepEqual(names(), ['ws', 'poll'])
  sync(newest('poll'))
  await pass(39_000)
  assert.deepEqual(names(), ['ws', 'poll'])
  await pass(2000)
  assert.deepEqual(names().slice(2), ['ws'])
  sync(newest('ws'))
  assert.equal(connector.current?.name, 'ws')
})

test('an overloaded server whose socket is all there is, is left alone for as long as it said', async t => {
  const { begin, newest, names, pass } = await setUp(t, { transports: ['ws'] })
  await begin()
  newest('ws').listener.message(notice({ kind: 'fallback', transport: 'poll', retry_after_ms: 20_000 }))
  newest('ws').listener.ended({ code: 4503, reason: '', isServer: true })
  await pass(19_000)
  assert.deepEqual(names(), ['ws'])
  await pass(2000)
  assert.deepEqual(names(), ['ws', 'ws'])
})

for (const code of [4400, 4403, 4404, 4410, 4413, 4499]) {
  test(`${code} stops`, async t => {
    const { begin, newest, sync, names, pass, stops, connector } = await setUp(t)
    await begin()
    sync(newest('ws'))
    newest('ws').listener.ended({ code, reason: 'why', isServer: true })
    await pass(120_000)
    assert.deepEqual(names(), ['ws'])
    assert.deepEqual(stops.map(({ code, reason }) => [code, reason]), [[code, 'why']])
    assert.equal(connector.wanted, false)
    await begin()
    assert.deepEqual(names(), ['ws', 'ws'])
  })
}

test('a refusal by something on the way is not the server’s: other ways are tried first', async t => {
  const { begin, newest, stops, names } = await setUp(t)
  await begin()
  newest('ws').listener.ended(lost)
  newest('sse').listener.ended({ code: 4403, reason: 'status 403', isServer: false })
  assert.deepEqual(names(), ['ws', 'sse', 'poll'])
  assert.deepEqual(stops, [])
  newest('poll').listener.ended({ code: 4403, reason: 'status 403', isServer: false })
  assert.equal(stops.length, 1)
})

test('a refused token is replaced once; the same one again stops', async t => {
  const tokens = ['old', 'new', 'new']
  const { begin, newest, pass, stops, opened } = await setUp(t, { token: () => tokens.shift() ?? 'new' })
  await begin()
  newest('ws').listener.ended({ code: 4401, reason: 'expired', isServer: true, token: 'old' })
  await pass(300)
  assert.deepEqual(opened.map(({ token }) => token), ['old', 'new'])
  newest('ws').listener.ended({ code: 4401, reason: 'expired', isServer: true, token: 'new' })
  await pass(60_000)
  assert.equal(opened.length, 2)
  assert.equal(stops[0]?.code, 4401)
})

test('a fixed token that is refused stops', async t => {
  const { begin, newest, pass, stops, opened } = await setUp(t, { token: 'fixed' })
  await begin()
  newest('ws').listener.ended({ code: 4401, reason: 'expired', isServer: true, token: 'fixed' })
  await pass(60_000)
  assert.equal(opened.length, 1)
  assert.equal(stops[0]?.reason, 'expired')
})

test('a token that cannot be shown counts as refused', async t => {
  const { begin, pass, stops, opened } = await setUp(t, { token: 'Bearer x\n' })
  await begin()
  await pass(1000)
  assert.equal(opened.length, 0)
  assert.equal(stops[0]?.code, 4401)
})

test('before a token ends a connection with the next one takes over without a gap', async t => {
  const token = (exp_s: number) => `h.${Buffer.from(JSON.stringify({ exp: exp_s })).toString('base64url')}.s`
  let asked = 0
  const { begin, newest, sync, pass, opened, log } = await setUp(t, { token: () => token(600 * ++asked) })
  await begin()
  sync(newest('ws'))
  await pass(539_000)
  assert.equal(opened.length, 1)
  await pass(2000)
  assert.deepEqual(opened.map(({ token }) => token), [token(600), token(1200)])
  assert.equal(opened[0]?.isClosed, false)
  sync(newest('ws'))
  assert.deepEqual(opened.map(({ isClosed }) => isClosed), [true, false])
  assert.deepEqual(log, ['connecting', 'current ws', 'current ws'])
})

test('a function that fails to give a token is asked again', async t => {
  let asked = 0
  const { begin, pass, opened, log } = await setUp(t, { random: 0.5, token: () => ++asked < 3 ? Promise.reject(new Error('down')) : 'token' })
  await begin()
  assert.equal(opened.length, 0)
  await pass(500)
  assert.deepEqual(opened.map(({ token }) => token), ['token'])
  assert.equal(log.filter(line => line === 'error Error: down').length, 2)
})

test('without a network nothing is tried until it is back', async t => {
  const { begin, world, names, pass, connector } = await setUp(t)
  world.isOnline = false
  await begin()
  await pass(60_000)
  assert.deepEqual(names(), [])
  world.isOnline = true
  connector.online()
  await settle()
  assert.deepEqual(names(), ['ws'])
})

test('a way whose connections never last is given up for a while', async t => {
  const { begin, newest, sync, names, pass } = await setUp(t)
  await begin()
  for (let lives = 0; lives < 4; lives++) {
    sync(newest('ws'))
    await pass(1000)
    newest('ws').listener.ended(lost)
    await pass(50)
  }
  assert.deepEqual(names(), ['ws', 'ws', 'ws', 'ws', 'sse'])
})

test('who only reads sends nothing of what was changed here', async t => {
  const { begin, newest, sync, world, doc, unsaved } = await setUp(t)
  world.isReadOnly = true
  await begin()
  sync(newest('ws'))
  doc.getMap('m').set('a', 1)
  assert.deepEqual(newest('ws').edits, [])
  assert.equal(unsaved.hasUnsaved, true)
})
