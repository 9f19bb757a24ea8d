/** A server that wants tokens: how one is given, what a viewer can do, and what becomes of edits when access ends. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { addChild, card, launch, makeMap, person, savedTone, select, titlesOf, titlesShown, untilSaved } from '../lib/browser.mjs'
import { tokenFor, WANTS_TOKENS, withToken } from '../lib/tokens.mjs'

const server = await Server.start({ after }, { env: WANTS_TOKENS })
const browser = await launch({ after })
const owner = withToken(server, tokenFor('olga', { '*': 'owner' }))

const panel = page => page.getByRole('region', { name: 'Access' })
const field = page => page.getByLabel('Access token')
const badge = page => page.getByText('Read only', { exact: true })
const link = (path, token) => `${path}#token=${token}`

/** A person who comes by a link with a token. Fails if that token is ever part of an address. */
const arrive = async (t, path, token, options = {}) => {
  const addresses = []
  const page = await person(t, browser, server, link(path, token), {
    ...options,
    before: page => {
      page.on('request', request => addresses.push(request.url(), request.headers().referer ?? ''))
      page.on('websocket', socket => addresses.push(socket.url()))
    }
  })
  t.after(() => assert.deepEqual(addresses.filter(address => address.includes(token.slice(-20))), []))
  return page
}

const give = async (page, token) => {
  await field(page).fill(token)
  await page.keyboard.press('Enter')
}

test('a link brings a token for this tab, and nothing else keeps it', async t => {
  const path = await makeMap(owner, 'link', 'Root')
  const token = tokenFor('ann', { link: 'editor' })
  const page = await arrive(t, path, token)
  await card(page, 'Root').waitFor()
  await untilSaved(page)
  const found = await page.evaluate(() => ({ address: location.href, local: JSON.stringify({ ...localStorage }), cookies: document.cookie, tab: Object.values({ ...sessionStorage }) }))
  assert.deepEqual([found.address, found.cookies, found.tab], [server.http + path, '', [token]])
  assert.ok(!found.local.includes(token))
  await page.getByRole('link', { name: 'Back to the list' }).first().click()
  await page.getByRole('link', { name: /^Root/ }).waitFor()
  await page.goBack()
  await card(page, 'Root').waitFor()
  assert.equal(page.url(), server.http + path)
  await page.reload()
  await addChild(page, 'Root', 'after a reload')
  await untilSaved(page)
  assert.deepEqual(await titlesOf(owner, 'link'), ['Root', 'after a reload'])
})

test('without a token: the list asks for one, says what is wrong with it, and forgets it again', async t => {
  await makeMap(owner, 'listed', 'A listed map')
  await makeMap(owner, 'hidden', 'A hidden map')
  const page = await person(t, browser, server, '/', { mayBeRefused: true })
  await page.getByRole('heading', { name: 'This server wants a token' }).waitFor()
  await until('the keyboard is in the field', () => field(page).evaluate(element => element === document.activeElement))
  await page.keyboard.type('open sesame')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('That is no token').waitFor()
  assert.equal(await field(page).getAttribute('aria-invalid'), 'true')
  await give(page, tokenFor('eve', { '*': 'owner' }, { secret: 'another secret of more than thirty-two bytes' }))
  await page.getByRole('heading', { name: 'The server did not accept the token' }).waitFor()
  await give(page, ` Bearer ${tokenFor('ann', { listed: 'viewer' })} `)
  await page.getByRole('link', { name: /^A listed map/ }).waitFor()
  assert.equal(await page.getByRole('list', { name: 'Maps' }).getByRole('listitem').count(), 1)
  assert.equal(await panel(page).count(), 0)
  await page.getByLabel('Topic of a new map').fill('Mine')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').getByText('The map was not made. The server says:').waitFor()
  await page.getByRole('button', { name: 'Forget my token' }).click()
  await page.getByRole('heading', { name: 'This server wants a token' }).waitFor()
  assert.equal(await page.evaluate(() => sessionStorage.length), 0)
  await give(page, tokenFor('olga', { '*': 'owner' }))
  await page.getByRole('link', { name: /^A hidden map/ }).waitFor()
  assert.equal(await page.getByLabel('Topic of a new map').inputValue(), 'Mine', 'what was typed is still there')
  await page.getByLabel('Topic of a new map').press('Enter')
  await card(page, 'Mine').or(page.getByText('This map is empty')).first().waitFor()
})

test('a viewer sees live what others do, looks around, and can change nothing', async t => {
  const path = await makeMap(owner, 'seen', 'Root', [['a', 'Alpha'], ['b', 'Beta', 'a']])
  await owner.request('POST', '/v1/graphs/seen/versions', { name: 'The beginning' })
  const ann = await arrive(t, path, tokenFor('ann', { seen: 'editor' }))
  const vic = await arrive(t, path, tokenFor('vic', { seen: 'viewer' }))
  for (const page of [ann, vic]) await card(page, 'Beta').waitFor()
  await badge(vic).waitFor()
  assert.equal(await badge(ann).count(), 0)
  await addChild(ann, 'Root', 'by Ann')
  await card(vic, 'by Ann').waitFor()

  await select(vic, 'Alpha')
  await ann.locator('[data-node=a].taken').waitFor()
  assert.equal(await vic.getByRole('status').getByText('You may only read this map').count(), 0)
  for (const key of ['Enter', 'F2', 'Delete', 'x', 'Alt+ArrowUp', 'Control+z']) await vic.keyboard.press(key)
  await card(vic, 'Alpha').dblclick()
  await vic.getByRole('status').getByText('You may only read this map.').waitFor()
  assert.equal(await vic.locator('textarea.title').count(), 0)
  const tool = name => vic.getByRole('toolbar').getByRole('button', { name, exact: true })
  for (const name of ['Add child', 'Add sibling', 'Rename', 'Delete', 'Move up', 'Undo', 'Redo']) {
    assert.ok(await tool(name).isDisabled(), name)
    assert.equal(await tool(name).getAttribute('title'), `${name}: You may only read this map`)
  }
  await vic.getByRole('status').getByText('You may only read this map.').waitFor({ state: 'detached' })
  await vic.keyboard.press('Enter')

  // Opening and closing is for oneself.
  await tool('Close').click()
  await card(vic, 'Beta').waitFor({ state: 'detached' })
  assert.equal(await vic.getByRole('status').getByText('You may only read this map').count(), 0, 'it is said once')
  await addChild(ann, 'Alpha', 'more')
  await until('the viewer knows that there is more', async () => await card(vic, 'Alpha').locator('.handle.count').textContent() === '2')
  await vic.keyboard.press('Space')
  await card(vic, 'more').waitFor()

  await vic.keyboard.press('Alt+Enter')
  assert.equal(await vic.getByLabel('Summary').getAttribute('readonly'), '')
  await vic.keyboard.press('Alt+h')
  const history = vic.getByRole('complementary', { name: 'History' })
  await history.getByText('The beginning').click()
  await until('the map is drawn as it was', async () => (await titlesShown(vic)).join() === 'Alpha,Beta,Root')
  assert.equal(await history.getByRole('button', { name: /Keep|Rename|Remove/ }).count(), 0)
  assert.ok(await vic.getByRole('button', { name: 'Restore', exact: true }).isDisabled())
  await vic.getByRole('button', { name: 'Back', exact: true }).click()
  await card(vic, 'more').waitFor()

  await untilSaved(ann)
  assert.deepEqual(await titlesOf(owner, 'seen'), ['Alpha', 'Beta', 'Root', 'by Ann', 'more'])
  assert.equal(await vic.locator('.saved').textContent(), 'Live')
})

test('a viewer of a map that nobody has written to', async t => {
  await owner.request('POST', '/v1/graphs', { id: 'blank' })
  const page = await arrive(t, '/m/blank', tokenFor('vic', { blank: 'viewer' }), { viewport: { width: 360, height: 740 } })
  await badge(page).waitFor()
  await page.getByText('You may only read it.').waitFor()
  assert.equal(await page.getByLabel('Topic').count(), 0)
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= 360, `the page is ${width} pixels wide`)
})

test('a token ends in the middle of a title: typing goes on here, and is saved with the next token', async t => {
  const path = await makeMap(owner, 'ends', 'Root')
  const page = await arrive(t, path, tokenFor('ann', { ends: 'editor' }, { lasts_seconds: 6 }))
  await card(page, 'Root').waitFor()
  await untilSaved(page)
  await select(page, 'Root')
  await page.keyboard.press('Tab')
  await page.locator('textarea.title').waitFor()
  await page.keyboard.type('in the mid')
  await untilSaved(page)
  await page.getByRole('heading', { name: 'Your access has ended' }).waitFor()
  await panel(page).getByText('All that you changed so far is saved.').waitFor()
  await page.keyboard.type('dle')
  await page.keyboard.press('Enter')
  await card(page, 'in the middle').waitFor()
  await panel(page).getByText('Your last changes are not saved yet.').waitFor()
  assert.equal(await savedTone(page), 'bad')
  assert.match(await page.locator('.saved').textContent(), /not saved yet/)
  assert.deepEqual(await titlesOf(owner, 'ends'), ['Root', 'in the mid'])

  // By keyboard from the map to the field, away from it, and back.
  await page.keyboard.press('Escape')
  await page.keyboard.press('Tab')
  assert.ok(await field(page).evaluate(element => element === document.activeElement))
  await page.getByRole('button', { name: 'Not now' }).press('Enter')
  await addChild(page, 'Root', 'later')
  await page.getByRole('button', { name: 'Enter a token' }).click()
  await until('the keyboard is in the field', () => field(page).evaluate(element => element === document.activeElement))
  await give(page, tokenFor('ann', { ends: 'editor' }))
  await panel(page).waitFor({ state: 'detached' })
  await untilSaved(page)
  assert.deepEqual(await titlesOf(owner, 'ends'), ['Root', 'in the middle', 'later'])
  await until('the keyboard is on the map', () => page.evaluate(() => document.activeElement.getAttribute('aria-label') === 'Mind map'))
})

test('edits that meet a token without the right to edit are refused, told as such, and can be discarded', async t => {
  const path = await makeMap(owner, 'demoted', 'Root')
  const page = await arrive(t, path, tokenFor('ann', { demoted: 'editor' }, { lasts_seconds: 4 }))
  await card(page, 'Root').waitFor()
  await untilSaved(page)
  await panel(page).waitFor()
  await addChild(page, 'Root', 'only here')
  await give(page, tokenFor('ann', { demoted: 'viewer' }))
  await page.getByText('Your changes were refused and will not be saved.').waitFor()
  await badge(page).waitFor()
  assert.equal(await page.locator('.saved').textContent(), 'Not saved – your changes were refused')
  await card(page, 'only here').waitFor()
  await page.reload()
  await page.getByText('Your changes were refused and will not be saved.').waitFor()
  assert.equal(await savedTone(page), 'bad')
  await page.getByRole('button', { name: 'Discard my changes' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Discard my changes' }).click()
  await page.getByText('Your changes were refused and will not be saved.').waitFor({ state: 'detached' })
  await until('the map is what others see', async () => (await titlesShown(page)).join() === 'Root')
  await until('it is live', async () => await page.locator('.saved').textContent() === 'Live')
  assert.deepEqual(await titlesOf(owner, 'demoted'), ['Root'])
})

test('who may not open a map is told which, and comes in by another token or link', async t => {
  const path = await makeMap(owner, 'private', 'Secret plans')
  const other = tokenFor('ann', { elsewhere: 'owner' })
  const page = await arrive(t, path, other)
  await page.getByRole('heading', { name: 'You may not open this map' }).waitFor()
  await page.getByText('/m/private').waitFor()
  assert.equal(await page.getByText('Secret plans').count(), 0)
  await page.getByRole('button', { name: 'Use another token' }).click()
  await give(page, tokenFor('ann', { private: 'viewer' }))
  await card(page, 'Secret plans').waitFor()
  await badge(page).waitFor()
  // A link to the page that is open already changes nothing but what comes after the #.
  const editor = tokenFor('ann', { private: 'editor' })
  await page.evaluate(hash => { location.hash = hash }, `token=${editor}`)
  await badge(page).waitFor({ state: 'detached' })
  assert.equal(page.url(), server.http + path)
  await addChild(page, 'Secret plans', 'step one')
  await untilSaved(page)
  assert.deepEqual(await titlesOf(owner, 'private'), ['Secret plans', 'step one'])
})

test('a map that is not there, for somebody who may not make it', async t => {
  const page = await arrive(t, '/m/nowhere', tokenFor('vic', { nowhere: 'viewer' }))
  await page.getByRole('heading', { name: 'There is no such map' }).waitFor()
  await page.getByText('/m/nowhere').waitFor()
  await page.getByRole('link', { name: 'Back to the list' }).last().waitFor()
  assert.equal(await page.locator('.frame .card').count(), 0)
  const made = await arrive(t, '/m/nowhere', tokenFor('ann', { nowhere: 'editor' }))
  await made.getByLabel('Topic').fill('Somewhere')
  await made.keyboard.press('Enter')
  await untilSaved(made)
  await page.getByRole('button', { name: 'Try again' }).click()
  await card(page, 'Somewhere').waitFor()
})
