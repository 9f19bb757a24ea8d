/** What the page says and does when the server has too much to do, or had too much from here. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { addChild, card, launch, makeMap, person, titlesOf, untilSaved } from '../lib/browser.mjs'
import { playedSocket } from '../lib/played.mjs'

const server = await Server.start({ after })
const browser = await launch({ after })

const BUSY = { code: 4503, notice: { kind: 'fallback', transport: 'poll', retry_after_ms: 3000 } }

const setUp = async (t, id, options = {}) => {
  const path = await makeMap(server, id, 'Root')
  const played = playedSocket()
  const page = await person(t, browser, server, path, { before: played.before, ...options })
  await card(page, 'Root').waitFor()
  await untilSaved(page)
  return { played, page }
}

test('a busy server: the map stays, edits go on here, and are saved when it has time again', async t => {
  const { played, page } = await setUp(t, 'busy', { viewport: { width: 360, height: 740 } })
  played.refuse(BUSY)
  await played.close(BUSY)
  await page.getByText(/^The server is busy\. This map is shown as of \d\d:\d\d.* and is tried again\sin\s\d+\ss\.$/).waitFor()
  await addChild(page, 'Root', 'meanwhile')
  await page.getByText('Your changes are kept in this browser and will be sent.').waitFor()
  assert.equal(await page.locator('.saved').textContent(), 'Not saved yet')
  await until('it was tried again, and turned away', () => played.connections >= 2)
  await page.getByText(/^The server is busy\. This map is shown as of/).waitFor()
  assert.deepEqual(await titlesOf(server, 'busy'), ['Root'])
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= 360, `the page is ${width} pixels wide`)
  played.admit()
  await untilSaved(page)
  assert.equal(await page.getByText('The server is busy').count(), 0)
  assert.deepEqual(await titlesOf(server, 'busy'), ['Root', 'meanwhile'])
})

test('who is turned away at once is told that there is nothing to be seen yet', async t => {
  const path = await makeMap(server, 'door', 'Root')
  const played = playedSocket()
  played.refuse(BUSY)
  const page = await person(t, browser, server, path, { before: played.before })
  await page.getByText(/^The server is busy\. This map cannot be shown yet and is tried again\sin\s\d+\ss\.$/).waitFor()
  played.admit()
  await card(page, 'Root').waitFor()
})

test('who sent too much is told why, and comes back ever later', async t => {
  const { played, page } = await setUp(t, 'too-much')
  const ending = { code: 1008, reason: 'too many messages', notice: { kind: 'error', code: 1008, message: 'too many messages for a minute' } }
  await played.close(ending)
  await page.getByText(/^The server says: too many messages for a minute; trying again more slowly\sin\s\d+\ss\.$/).waitFor()
  assert.match(await page.locator('.saved').textContent(), /^Not connected/)
  await untilSaved(page)
  assert.equal(played.connections, 2)
})

test('a role that becomes another one while the map is open', async t => {
  const { played, page } = await setUp(t, 'reader')
  played.say({ kind: 'role', role: 'commenter' })
  await page.getByText('Read only', { exact: true }).waitFor()
  played.say({ kind: 'role', role: 'editor' })
  await page.getByText('Read only', { exact: true }).waitFor({ state: 'detached' })
  await addChild(page, 'Root', 'allowed')
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, 'reader'), ['Root', 'allowed'])
})
