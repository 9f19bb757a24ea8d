import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Access, expiryOf } from '../src/access.ts'

const tokenUntil = (exp_s: number, name = 'a'): string => `h.${Buffer.from(JSON.stringify({ exp: exp_s, name, é: 'ü' })).toString('base64url')}.s`

/** A source whose tokens are taken from `tokens`, the last one again and again. */
const setUp = (...tokens: string[]) => {
  const world = { now_ms: 0, asked: 0 }
  const access = new Access(() => tokens[Math.min(world.asked++, tokens.length - 1)] as string, () => world.now_ms)
  return { world, access }
}

test('the end of a token is read from it, when it says', () => {
  assert.equal(expiryOf(tokenUntil(1700)), 1_700_000)
  for (const token of ['', 'a.b.c', 'x', `h.${btoa('{}')}.s`]) assert.equal(expiryOf(token), null)
})

test('the function is asked once for those who wait, and again only when it has to be', async () => {
  const { world, access } = setUp('one', 'two')
  assert.deepEqual(await Promise.all([access.get(), access.get()]), ['one', 'one'])
  assert.equal(await access.get(), 'one')
  assert.equal(world.asked, 1)
  assert.equal(access.refuse('older'), true)
  assert.equal(await access.get(), 'one')
  assert.equal(access.refuse('one'), true)
  assert.equal(await access.get(), 'two')
  assert.equal(access.isRefusedAgain, false)
})

test('the same token after a refusal is known to be refused', async () => {
  const { access } = setUp('one')
  await access.get()
  access.refuse('one')
  await access.get()
  assert.equal(access.isRefusedAgain, true)
})

test('a fixed token is not asked for again, and a function whose tokens are all refused is not asked for ever', async () => {
  const fixed = new Access('one', () => 0)
  assert.equal(await fixed.get(), 'one')
  assert.equal(fixed.refuse('one'), false)
  assert.equal(new Access(null, () => 0).refuse(null), false)
  let asked = 0
  const access = new Access(() => `token ${asked++}`, () => 0)
  let tries = 0
  while (access.refuse(await access.get())) assert.ok(++tries < 20)
  assert.equal(asked, 6)
})

test('a token is replaced before it ends, a short-lived one after most of its life', async () => {
  const { world, access } = setUp(tokenUntil(3600), tokenUntil(3640), tokenUntil(3640))
  assert.equal(access.renewIn_ms, null)
  await access.get()
  assert.equal(access.renewIn_ms, 3_540_000)
  world.now_ms = 3_540_000
  assert.equal(access.renewIn_ms, 0)
  await access.fresh()
  assert.equal(access.renewIn_ms, 80_000)
  // The same one again: not asked for at once.
  await access.fresh()
  assert.equal(access.renewIn_ms, 10_000)
})

test('a function that fails keeps the token that is held', async () => {
  let isDown = false
  const access = new Access(() => isDown ? Promise.reject(new Error('down')) : tokenUntil(100), () => 0)
  const token = await access.get()
  isDown = true
  await assert.rejects(access.fresh(), /down/)
  assert.equal(access.token, token)
  assert.equal(access.renewIn_ms, 10_000)
})
