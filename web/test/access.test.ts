import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { authorization, demand, forgetToken, giveToken, granted, held, refused, subprotocols, takeFromAddress, tokenIn, unanswered } from '../src/live/access.ts'
import { listGraphs } from '../src/live/api.ts'

const JWT = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2ln-bmF0_dXJl'
const OTHER = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2ln'

/** What a tab has of these. */
const kept = new Map<string, string>()
const visited: string[] = []
Object.assign(globalThis, {
  sessionStorage: {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key)
  },
  history: { state: { at: 7 }, replaceState: (state: unknown, _title: string, url: string) => visited.push(`${JSON.stringify(state)} ${url}`) }
})

const open = (pathname: string, hash: string, search = ''): void => {
  Object.assign(globalThis, { location: { pathname, hash, search } })
  takeFromAddress()
}

/** Asked anew each time: the compiler would believe that it stays what it was. */
const kindOf = (): string => demand.value.kind

beforeEach(() => {
  forgetToken()
  granted()
  visited.length = 0
})

test('a token is found in what people paste, and nothing else is taken for one', () => {
  for (const text of [JWT, ` ${JWT}\n`, `Bearer ${JWT}`, `bearer  ${JWT}`, `https://maps.example/m/a#token=${JWT}`, `#x=1&token=${JWT}&y`, `${JWT.slice(0, 30)}\n${JWT.slice(30)}`]) {
    assert.equal(tokenIn(text), JWT, text)
  }
  for (const text of ['', 'secret', 'a.b', 'a.b.', 'a..c', 'a.b.c.d', 'a.b.c,d', 'a.b.c;d', 'ä.b.c', 'https://maps.example/m/a', '#token=', `#token=${'x'.repeat(9000)}.y.z`, 'two words.b.c!']) {
    assert.equal(tokenIn(text), null, text)
  }
})

test('a link is rid of its token at once, and the token is kept for this tab', () => {
  open('/m/a', `#token=${JWT}`, '?x=1')
  assert.deepEqual(visited, ['{"at":7} /m/a?x=1'], 'in the place of the address that had it')
  assert.equal(held.value.token, JWT)
  assert.deepEqual([...kept.values()], [JWT])
  assert.deepEqual(authorization(), { authorization: `Bearer ${JWT}` })
  assert.deepEqual(subprotocols(), ['synapti.v1', `bearer.${JWT}`])
  forgetToken()
  assert.deepEqual([kept.size, authorization(), subprotocols()], [0, {}, []])
})

test('addresses without a token are left alone, and a broken one does not replace what is held', () => {
  giveToken(JWT)
  for (const hash of ['', '#', '#node-1', '#tokens=a.b.c']) open('/', hash)
  assert.deepEqual(visited, [])
  open('/', '#token=eyJhbGci')
  assert.deepEqual(visited, ['{"at":7} /'])
  assert.equal(held.value.token, JWT)
})

test('what the server wants: nothing, a token, another token', () => {
  refused('no token')
  assert.deepEqual(demand.value, { kind: 'wanted', why: null })
  assert.equal(giveToken('no'), false)
  assert.equal(kindOf(), 'wanted')
  assert.equal(giveToken(JWT), true)
  assert.equal(kindOf(), 'checking')
  refused('token expired')
  assert.deepEqual(demand.value, { kind: 'wanted', why: 'token expired' })
  giveToken(OTHER)
  granted()
  assert.equal(kindOf(), 'none')
})

test('the same token can be tried again, and who holds it is told each time', () => {
  let told = 0
  const stop = held.subscribe(() => { told++ })
  giveToken(JWT)
  giveToken(JWT)
  stop()
  assert.equal(told, 3, 'once at first, and once for each')
})

test('of a link that was cut the person hears, until a whole token is there', () => {
  open('/m/a', '#token=eyJhbGci.')
  refused('no token')
  assert.deepEqual(demand.value, { kind: 'wanted', why: 'the link that you opened has no whole token in it' })
  giveToken(JWT)
  forgetToken()
  refused('no token')
  assert.deepEqual(demand.value, { kind: 'wanted', why: null })
})

test('requests carry the token; 401 asks for another, and other trouble does not', async t => {
  const asked: Array<string | undefined> = []
  let answer = (): Response => Response.json({ graphs: [], next_cursor: null })
  t.mock.method(globalThis, 'fetch', async (_path: string, { headers }: { headers: Record<string, string> }) => {
    asked.push(headers['authorization'])
    return answer()
  })
  const failing = (status: number, message: string) => () => Response.json({ error: { message } }, { status })
  await listGraphs(null)
  answer = failing(401, 'token expired')
  giveToken(JWT)
  await assert.rejects(listGraphs(null), { message: 'The server says: token expired.' })
  assert.deepEqual(demand.value, { kind: 'wanted', why: 'token expired' })
  answer = failing(403, 'you may not')
  await assert.rejects(listGraphs(null))
  assert.equal(kindOf(), 'wanted', 'that says nothing of the token')
  giveToken(OTHER)
  await assert.rejects(listGraphs(null), { message: 'The server says: you may not.' })
  assert.equal(kindOf(), 'none', 'it was not the token')
  giveToken(JWT)
  answer = () => { throw new TypeError('no network') }
  await assert.rejects(listGraphs(null), { message: 'The server cannot be reached.' })
  assert.equal(kindOf(), 'none')
  assert.deepEqual(asked, [undefined, `Bearer ${JWT}`, `Bearer ${JWT}`, `Bearer ${OTHER}`, `Bearer ${JWT}`])
})

test('an answer to a token that was replaced meanwhile is no news', async t => {
  let respond = (_response: Response): void => {}
  t.mock.method(globalThis, 'fetch', () => new Promise<Response>(resolve => { respond = resolve }))
  giveToken(JWT)
  const listing = listGraphs(null)
  giveToken(OTHER)
  respond(Response.json({ error: { message: 'token expired' } }, { status: 401 }))
  await assert.rejects(listing)
  assert.equal(kindOf(), 'checking')
  unanswered()
  assert.equal(kindOf(), 'none')
})
