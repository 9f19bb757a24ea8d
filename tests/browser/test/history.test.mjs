/** The versions of a map: keep, see, restore, rename, remove. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { addChild, card, launch, makeMap, person, select, titlesOf, titlesShown, untilSaved } from '../lib/browser.mjs'

const server = await Server.start({ after })
const browser = await launch({ after })

const panel = page => page.getByRole('complementary', { name: 'History' })
const rows = page => panel(page).getByRole('listitem')
const row = (page, name) => rows(page).filter({ has: page.getByText(name, { exact: true }) })
const pick = (page, name) => row(page, name).locator('.pick')
const strip = page => page.locator('.strip').getByText('This is how the map was on')
const focused = page => page.evaluate(() => document.activeElement.getAttribute('aria-label'))

const noDialog = page => page.getByRole('dialog').waitFor({ state: 'detached' })

const at = async (t, path, options) => {
  const page = await person(t, browser, server, path, options)
  await card(page, 'Root').waitFor()
  await untilSaved(page)
  return page
}

const keep = async (page, name) => {
  await page.getByLabel('Keep a version').fill(name)
  await page.keyboard.press('Enter')
  await row(page, name).waitFor()
}

const versionsOf = async id => (await server.request('GET', `/v1/graphs/${id}/versions`)).json.versions

test('keep, edit, look, restore, seen live by another', async t => {
  const path = await makeMap(server, 'restored', 'Root', [['a', 'Alpha']])
  const [ann, bob] = [await at(t, path), await at(t, path)]
  await ann.getByRole('button', { name: /People here/ }).click()
  await ann.getByLabel('Your name').fill('Ann')
  await ann.keyboard.press('Enter')
  await ann.getByRole('button', { name: 'History' }).click()
  await panel(ann).waitFor()
  await keep(ann, 'The beginning')
  assert.match(await row(ann, 'The beginning').textContent(), /just now · Ann/)
  assert.match(await row(ann, 'The beginning').locator('time').getAttribute('title'), /\d/)

  await addChild(ann, 'Root', 'Later')
  await card(bob, 'Later').waitFor()
  await select(ann, 'Alpha')
  await bob.locator('[data-node=a].taken').waitFor()
  await pick(ann, 'The beginning').click()
  await strip(ann).waitFor()
  await until('the map is drawn as it was', async () => (await titlesShown(ann)).join() === 'Alpha,Root')
  await bob.locator('[data-node=a].taken').waitFor({ state: 'detached' })

  // Nothing can be edited, and others go on.
  await card(ann, 'Alpha').click()
  for (const key of ['Tab', 'Enter', 'F2', 'Delete', 'x', 'Alt+ArrowUp', 'Control+z']) await ann.keyboard.press(key)
  await card(ann, 'Alpha').dblclick()
  assert.equal(await ann.locator('textarea.title').count(), 0)
  await addChild(bob, 'Alpha', 'Meanwhile')
  assert.deepEqual(await titlesShown(ann), ['Alpha', 'Root'])
  await ann.getByRole('button', { name: 'Back', exact: true }).click()
  await card(ann, 'Meanwhile').waitFor()
  await card(ann, 'Later').waitFor()
  await card(ann, 'Alpha').and(ann.locator('.selected')).waitFor()
  await bob.locator('[data-node=a].taken').waitFor()
  assert.deepEqual(await titlesOf(server, 'restored'), ['Alpha', 'Later', 'Meanwhile', 'Root'])

  await pick(ann, 'The beginning').click()
  await ann.getByRole('button', { name: 'Restore', exact: true }).click()
  await ann.getByText('The map as it is now is kept as a version too').waitFor()
  await ann.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
  for (const page of [ann, bob]) await until('both see it restored', async () => (await titlesShown(page)).join() === 'Alpha,Root')
  await strip(ann).waitFor({ state: 'detached' })
  await row(ann, 'Before restoring').waitFor()
  assert.deepEqual((await versionsOf('restored')).map(({ kind, author }) => [kind, author]), [['before_restore', 'Ann'], ['named', 'Ann']])

  // And back again.
  await pick(ann, 'Before restoring').click()
  await ann.getByRole('button', { name: 'Restore', exact: true }).click()
  await ann.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
  await card(bob, 'Meanwhile').waitFor()
  await untilSaved(ann)
  assert.deepEqual(await titlesOf(server, 'restored'), ['Alpha', 'Later', 'Meanwhile', 'Root'])
})

test('by keyboard: open, name, look, leave, rename, remove, close', async t => {
  const page = await at(t, await makeMap(server, 'keys', 'Root'))
  await page.keyboard.press('?')
  await page.getByText('History: keep, see and restore versions').waitFor()
  await page.keyboard.press('Escape')
  await noDialog(page)
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Alt+h')
  await panel(page).waitFor()
  await until('the panel has the focus', async () => await focused(page) === 'History')
  await page.getByText('There are no versions yet').waitFor()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.type('One')
  await page.keyboard.press('Enter')
  await row(page, 'One').waitFor()
  await pick(page, 'One').focus()
  await page.keyboard.press('Enter')
  await strip(page).waitFor()
  await page.keyboard.press('Escape')
  await strip(page).waitFor({ state: 'detached' })
  assert.equal(await pick(page, 'One').evaluate(element => element === document.activeElement), true)
  await page.keyboard.press('Tab')
  assert.match(await focused(page), /^Rename One, just now$/)
  await page.keyboard.press('Enter')
  await page.getByLabel(/^Name of One/).waitFor()
  await page.keyboard.type('Renamed')
  await page.keyboard.press('Enter')
  await row(page, 'Renamed').waitFor()
  await until('the focus is back', async () => /^Rename Renamed/.test(await focused(page)))
  assert.deepEqual((await versionsOf('keys')).map(({ name }) => name), ['Renamed'])
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await page.getByText('is removed for everybody').waitFor()
  await page.keyboard.press('Escape')
  await noDialog(page)
  assert.equal(await rows(page).count(), 1)
  await until('the focus is back', async () => /^Remove/.test(await focused(page)))
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Remove the version' }).press('Enter')
  await page.getByText('There are no versions yet').waitFor()
  assert.deepEqual(await versionsOf('keys'), [])
  await until('the panel has the focus', async () => await focused(page) === 'History')
  await page.keyboard.press('Escape')
  await panel(page).waitFor({ state: 'detached' })
  assert.equal(await focused(page), 'Mind map')
  await page.keyboard.press('Alt+Enter')
  await page.getByRole('complementary', { name: 'Details' }).waitFor()
  await page.keyboard.press('Alt+h')
  await page.getByRole('complementary', { name: 'Details' }).waitFor({ state: 'detached' })
})

test('a long history comes in pages, and what fails is said in words', async t => {
  const path = await makeMap(server, 'pages', 'Root')
  for (let at = 1; at <= 45; at++) {
    const { status } = await server.request('POST', '/v1/graphs/pages/versions', { name: `Version ${at}` })
    assert.equal(status, 201)
  }
  const page = await at(t, path, { mayLoseServer: true })
  await page.keyboard.press('Alt+h')
  await row(page, 'Version 45').waitFor()
  for (const count of [20, 40]) {
    assert.equal(await rows(page).count(), count)
    await page.getByRole('button', { name: 'Show older' }).click()
    await until('more are there', async () => await rows(page).count() > count)
  }
  assert.equal(await rows(page).count(), 45)
  assert.equal(await page.getByRole('button', { name: 'Show older' }).count(), 0)
  const [{ id }] = await versionsOf('pages')
  await server.request('DELETE', `/v1/graphs/pages/versions/${id}`)
  await pick(page, 'Version 45').click()
  await page.getByRole('alert').getByText('The version cannot be shown. The server says: no such version.').waitFor()
  assert.equal(await strip(page).count(), 0)
})

test('on a phone the map makes room for the list and the list for the map', async t => {
  const path = await makeMap(server, 'pocket', 'Root')
  const page = await at(t, path, { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true })
  await page.getByRole('button', { name: 'History' }).tap()
  await page.getByLabel('Keep a version').fill('Small')
  await page.getByRole('button', { name: 'Keep', exact: true }).tap()
  await pick(page, 'Small').tap()
  await strip(page).waitFor()
  assert.equal(await panel(page).count(), 0, 'it is out of the way')
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= 360, `the page is ${width} pixels wide`)
  await page.getByRole('button', { name: 'Back', exact: true }).tap()
  await pick(page, 'Small').waitFor()
  await page.getByRole('button', { name: 'Close history' }).tap()
  await panel(page).waitFor({ state: 'detached' })
  await addChild(page, 'Root', 'after')
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, 'pocket'), ['Root', 'after'])
})
