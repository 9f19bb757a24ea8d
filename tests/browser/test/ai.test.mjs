/** The AI grows a map while people look on: here by template, which needs no key and no network. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { withProvider } from '../../clients/lib/ai.mjs'
import { concepts } from '../../clients/lib/provider.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { card, launch, makeMap, nodeOf, person, select, untilSaved } from '../lib/browser.mjs'
import { tokenFor, WANTS_TOKENS, withToken } from '../lib/tokens.mjs'

const server = await Server.start({ after })
const browser = await launch({ after })

const run = page => page.locator('.run')
const ideas = page => page.locator('.card.proposed')
const button = (page, name) => page.getByRole('button', { name, exact: true })
const verdict = (page, how, title) => button(page.locator('.frame'), `${how} ${title}`)

const nodesOf = async id => (await server.request('GET', `/v1/graphs/${id}`)).json.nodes
const proposedOf = async id => (await nodesOf(id)).filter(node => node.state === 'proposed').map(node => node.title).sort()

/** Notes every text that an idea has shown, how many ideas there were, and what was said of runs: a template is soon over. */
const watch = page => page.evaluate(() => {
  const [texts, counts, runs] = [new Set(), new Set(), new Set()]
  globalThis.noted = () => ({ texts: [...texts], counts: [...counts], runs: [...runs] })
  const note = () => {
    const titles = document.querySelectorAll('.frame .card.proposed .title')
    counts.add(titles.length)
    for (const title of titles) texts.add(title.textContent)
    for (const row of document.querySelectorAll('.run')) runs.add(row.textContent)
  }
  new MutationObserver(note).observe(document.body, { subtree: true, childList: true, characterData: true })
})
const noted = page => page.evaluate(() => globalThis.noted())
const heard = (page, text) => until(`a run says ${text}`, async () => (await noted(page)).runs.some(run => run.includes(text)))

const over = page => run(page).filter({ hasText: /ideas? by template(?!,| so far)/ })

/** Expands a node, waits until that is over, and returns the titles of the ideas. */
const expand = async (page, id, title, keys = 'Control+e') => {
  await select(page, title)
  await page.keyboard.press(keys)
  await over(page).waitFor()
  return await proposedOf(id)
}

test('a map grows from a topic on the list, idea by idea, and is accepted as a whole', async t => {
  const page = await person(t, browser, server, '/')
  await watch(page)
  await page.getByLabel('Topic of a new map').fill('Solar system')
  await page.getByText('How the AI should grow it').click()
  await page.getByLabel('Ideas, at most').fill('6')
  await button(page, 'Grow with AI').click()
  await page.waitForURL(/\/m\/.+$/)
  assert.equal(await page.getByText('This map is empty').count(), 0)
  await heard(page, '…')
  await over(page).waitFor()
  const id = new URL(page.url()).pathname.slice(3)
  const titles = await proposedOf(id)
  assert.ok(titles.length >= 1 && titles.length <= 6, titles.join())
  await until('all ideas are on the page', async () => await ideas(page).count() === titles.length)
  const { counts } = await noted(page)
  assert.ok(counts.some(count => count > 0 && count < titles.length), `they came at once: ${counts}`)
  await page.getByRole('button', { name: 'People here: you', exact: true }).waitFor()
  assert.equal(await page.locator('.card .names .name, .pointer').count(), 0, 'the AI is no person')
  assert.match(await ideas(page).first().getAttribute('aria-label'), /, idea by template, not accepted yet$/)
  await button(page, 'Accept all').click()
  await until('nothing is only proposed', async () => await ideas(page).count() === 0)
  await run(page).filter({ hasText: 'accepted' }).waitFor()
  assert.deepEqual(await proposedOf(id), [])
  await page.getByRole('button', { name: /^Dismiss/ }).click()
  await run(page).waitFor({ state: 'detached' })
  await untilSaved(page)
})

test('a node is expanded as one says; one idea is accepted, one rejected, the rest undone, and a second person sees it all word by word', async t => {
  const path = await makeMap(server, 'judged', 'Planets', [['orbit', 'Orbit']])
  const [ann, bob] = [await person(t, browser, server, path), await person(t, browser, server, path)]
  await watch(bob)
  await select(ann, 'Orbit')
  await button(ann, 'Expand with AI').click()
  await ann.getByLabel('Ideas, at most').fill('3')
  await ann.getByLabel('Look at, separated by commas').fill('moons of the outer planets, history of the telescopes')
  await button(ann, 'Expand').click()
  await heard(bob, 'Expanding “Orbit”…')
  await over(ann).waitFor()
  await run(bob).waitFor({ state: 'detached' })
  const titles = await proposedOf('judged')
  assert.ok(titles.length >= 2 && titles.length <= 3, titles.join())
  for (const title of titles) await card(bob, title).and(bob.locator('.proposed')).waitFor()
  const { texts } = await noted(bob)
  assert.ok(titles.some(title => texts.some(text => text.length > 0 && text.length < title.length && title.startsWith(text))), `nothing was seen half written: ${texts.join(' | ')}`)
  await verdict(ann, 'Accept', titles[0]).click()
  await card(bob, titles[0]).and(bob.locator(':not(.proposed)')).waitFor()
  await verdict(bob, 'Reject', titles[1]).click()
  await card(ann, titles[1]).waitFor({ state: 'detached' })
  assert.equal((await nodeOf(server, 'judged', titles[0])).state, undefined)
  await button(run(ann), 'Undo').click()
  await until('what nobody touched is gone', async () => await ideas(bob).count() === 0 && await ideas(ann).count() === 0)
  assert.ok((await nodesOf('judged')).some(node => node.title === 'Orbit'))
})

test('by keyboard: expand at once, accept, reject, and go on', async t => {
  const page = await person(t, browser, server, await makeMap(server, 'keys', 'Planets', [['orbit', 'Orbit']]))
  const [first, second, ...rest] = await expand(page, 'keys', 'Orbit')
  assert.ok(rest.length >= 1)
  await select(page, first)
  await page.keyboard.press('Control+Enter')
  await card(page, first).and(page.locator(':not(.proposed)')).waitFor()
  await select(page, second)
  await page.keyboard.press('Control+Delete')
  await card(page, second).waitFor({ state: 'detached' })
  await card(page, 'Orbit').and(page.locator('.selected')).waitFor()
  await page.keyboard.press('Control+Shift+E')
  await button(page, 'Expand').waitFor()
  await page.keyboard.press('Escape')
  await button(page, 'Expand').waitFor({ state: 'detached' })
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('role')), 'tree', 'the map has the keyboard again')
  await button(page, 'Reject all').click()
  await until('all are rejected', async () => await ideas(page).count() === 0)
  await run(page).filter({ hasText: '1 idea by template, accepted' }).waitFor()
  assert.deepEqual(await proposedOf('keys'), [])
})

test('a run is stopped, by whoever sees it', async t => {
  const { provider, server } = await withProvider(t)
  // It says two ideas and half of a third, and then nothing more.
  provider.next(say => say.text(concepts(['Moons', 'Rings', 'Comets']).replace(/mets.*/, '')))
  const path = await makeMap(server, 'stopped', 'Planets')
  const [ann, bob] = [await person(t, browser, server, path), await person(t, browser, server, path)]
  await select(ann, 'Planets')
  await ann.keyboard.press('Control+e')
  await card(bob, 'Co').waitFor()
  await button(run(bob), 'Stop').click()
  // What is whole stays, what was half-written goes.
  await run(ann).filter({ hasText: 'Stopped. 2 ideas by ' }).waitFor()
  await until('half an idea is gone', async () => await ideas(bob).count() === 2)
  await button(run(ann), 'Undo').click()
  await until('it is gone', async () => await ideas(bob).count() === 0)
})

test('who writes meanwhile keeps the keyboard, and what they look at stays where it is', async t => {
  const page = await person(t, browser, server, await makeMap(server, 'meanwhile', 'Planets', [['orbit', 'Orbit'], ['rings', 'Rings']]))
  await select(page, 'Orbit')
  await page.keyboard.press('Control+e')
  await select(page, 'Rings')
  const before = await card(page, 'Rings').boundingBox()
  await page.keyboard.press('F2')
  await page.keyboard.press('End')
  for (const letter of ' of ice') {
    await page.keyboard.type(letter)
    const count = await ideas(page).count()
    await until('something has grown, or all has', async () => await ideas(page).count() > count || await over(page).count() > 0)
  }
  const after = await page.locator('.card.editing').boundingBox()
  // It is on the left: it grows away from its parent.
  const [right, middle] = [box => box.x + box.width, box => box.y + box.height / 2]
  assert.ok(Math.abs(right(before) - right(after)) < 2 && Math.abs(middle(before) - middle(after)) < 2, JSON.stringify({ before, after }))
  await page.keyboard.press('Enter')
  await over(page).waitFor()
  await card(page, 'Rings of ice').waitFor()
  const [title] = await proposedOf('meanwhile')
  await select(page, title)
  await page.keyboard.press('F2')
  await page.keyboard.press('End')
  await page.keyboard.type(', in my words')
  await page.keyboard.press('Enter')
  await card(page, `${title}, in my words`).and(page.locator('.proposed')).waitFor()
  await untilSaved(page)
  await button(run(page), 'Undo').click()
  await until('what nobody touched is gone', async () => await ideas(page).count() === 1)
  await run(page).filter({ hasText: '1 stayed, because somebody has changed it' }).waitFor()
  assert.deepEqual(await proposedOf('meanwhile'), [`${title}, in my words`], 'what somebody has changed stays')
})

test('who may only read sees ideas and runs, and no buttons for them', async t => {
  const locked = await Server.start(t, { env: WANTS_TOKENS })
  const owner = withToken(locked, tokenFor('olga', { '*': 'owner' }))
  const path = await makeMap(owner, 'read', 'Planets', [['orbit', 'Orbit']])
  const viewer = await person(t, browser, locked, `${path}#token=${tokenFor('vera', { read: 'viewer' })}`)
  await card(viewer, 'Orbit').waitFor()
  await viewer.getByText('Read only', { exact: true }).waitFor()
  await watch(viewer)
  const begun = await owner.request('POST', '/v1/graphs/read/nodes/orbit/expand', { max_children: 2 })
  assert.equal(begun.status, 202, begun.text)
  await heard(viewer, 'Expanding “Orbit”…')
  assert.ok((await noted(viewer)).runs.every(text => !text.includes('Stop')))
  await run(viewer).waitFor({ state: 'detached' })
  await ideas(viewer).first().click()
  await over(viewer).waitFor()
  assert.equal(await viewer.getByRole('button', { name: /^(Accept|Reject|Expand|Stop|Check)/ }).count(), 0)
  await viewer.keyboard.press('Control+e')
  await viewer.keyboard.press('Control+Enter')
  await viewer.getByText('You may only read this map.').waitFor()
  assert.equal((await owner.request('GET', '/v1/graphs/read')).json.nodes.filter(node => node.state === 'proposed').length, 2)
})

test('the coherence of a map is checked, and what is missing can be added', async t => {
  const page = await person(t, browser, server, await makeMap(server, 'coherent', 'Planets', [['orbit', 'Orbit'], ['rings', 'Rings']]))
  // A template does not know the topic, so it never says what is missing.
  await page.route(/\/v1\/jobs\//, async route => {
    const response = await route.fetch()
    const job = await response.json().catch(() => null)
    if (job?.result == null) return route.fulfill({ response })
    assert.deepEqual(job.result.missing_concepts, [])
    await route.fulfill({ response, json: { ...job, result: { ...job.result, missing_concepts: ['Comets'] } } })
  })
  await card(page, 'Rings').waitFor()
  await button(page, 'Check coherence').click()
  const panel = page.getByRole('complementary', { name: 'Coherence' })
  await panel.getByText('of 100').waitFor()
  await panel.getByText('by template').waitFor()
  await button(panel, 'Add Comets').click()
  await card(page, 'Comets').waitFor()
  await panel.getByText('Added', { exact: true }).waitFor()
  await untilSaved(page)
  assert.equal((await nodeOf(server, 'coherent', 'Comets')).source, 'human')
  await page.keyboard.press('Escape')
  await panel.waitFor({ state: 'detached' })
})

test('what cannot be begun says why, and can be tried again', async t => {
  const page = await person(t, browser, server, await makeMap(server, 'again', 'Planets', [['orbit', 'Orbit']]), { mayLoseServer: true })
  const path = '**/v1/graphs/again/nodes/orbit/expand'
  await page.route(path, route => route.fulfill({ status: 503, json: { error: { code: 'queue_full', message: 'too many runs are waiting' } } }))
  await select(page, 'Orbit')
  await page.keyboard.press('Control+e')
  await run(page).filter({ hasText: 'The server says: too many runs are waiting.' }).waitFor()
  await page.unroute(path)
  await button(page, 'Try again').click()
  await over(page).waitFor()
  assert.ok((await proposedOf('again')).length > 0)
})

test('on a phone and in the dark it is all there, by touch', async t => {
  const path = await makeMap(server, 'small', 'Planets', [['orbit', 'Orbit']])
  const page = await person(t, browser, server, path, { viewport: { width: 360, height: 700 }, hasTouch: true, isMobile: true, colorScheme: 'dark' })
  await card(page, 'Orbit').tap()
  await button(page, 'Expand with AI').tap()
  await page.getByLabel('Ideas, at most').fill('2')
  await button(page, 'Expand').tap()
  await over(page).waitFor()
  for (const name of ['Accept all', 'Reject all', 'Check coherence']) {
    const { x, y, width, height } = await button(page, name).boundingBox()
    assert.ok(x >= 0 && y >= 0 && x + width <= 360 && y + height <= 700, `${name} is out of sight`)
  }
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 360)
  await button(page, 'Accept all').tap()
  await until('nothing is only proposed', async () => await ideas(page).count() === 0)
})
