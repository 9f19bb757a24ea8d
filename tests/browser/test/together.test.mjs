/** Two people at one map. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { addChild, card, isSaved, launch, makeMap, nodeOf, person, select, titlesOf, titlesShown, untilSaved } from '../lib/browser.mjs'

const server = await Server.start({ after })
const browser = await launch({ after })

/** Two people at a new map. */
const two = async (t, id, nodes) => {
  const path = await makeMap(server, id, 'Root', nodes)
  const [ann, bob] = [await person(t, browser, server, path), await person(t, browser, server, path)]
  for (const page of [ann, bob]) await card(page, 'Root').waitFor()
  return [ann, bob]
}

test('a map is made from the list, opened, and found in the list again', async t => {
  const page = await person(t, browser, server, '/')
  await page.getByText('There are no maps yet').waitFor()
  await page.getByLabel('Topic of a new map').fill('Solar system')
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/m\/[0-9a-f-]+$/)
  await card(page, 'Solar system').waitFor()
  await untilSaved(page)
  await page.getByRole('link', { name: 'Back to the list of maps' }).click()
  await page.getByRole('link', { name: /Solar system/ }).waitFor()
  await page.reload()
  await page.getByRole('link', { name: /Solar system/ }).press('Enter')
  await card(page, 'Solar system').waitFor()
})

test('deleting a map asks, says that it is for ever, and tells who has it open', async t => {
  const path = await makeMap(server, 'doomed', 'Doomed')
  const [page, witness] = [await person(t, browser, server, '/'), await person(t, browser, server, path)]
  await card(witness, 'Doomed').waitFor()
  await page.getByRole('button', { name: 'Delete Doomed' }).click()
  await page.getByText('This cannot be undone').waitFor()
  await page.getByRole('button', { name: 'Cancel' }).click()
  assert.equal((await server.request('GET', '/v1/graphs/doomed')).status, 200)
  await page.getByRole('button', { name: 'Delete Doomed' }).click()
  await page.getByRole('button', { name: 'Delete for ever' }).click()
  await page.getByRole('link', { name: /Doomed/ }).waitFor({ state: 'detached' })
  await witness.getByRole('heading', { name: 'This map was deleted' }).waitFor()
  await witness.keyboard.press('Tab')
  assert.equal(await witness.locator('textarea.title').count(), 0, 'a deleted map cannot be edited')
  await witness.reload()
  await witness.getByRole('heading', { name: 'This map was deleted' }).waitFor()
  assert.equal(await card(witness, 'Doomed').count(), 0, 'nor does it come back from the browser')
  await witness.getByRole('link', { name: 'Back to the list', exact: true }).click()
  await witness.getByLabel('Topic of a new map').waitFor()
})

test('a title that is being typed is seen letter by letter', async t => {
  const [ann, bob] = await two(t, 'letters')
  await select(ann, 'Root')
  await ann.keyboard.press('Tab')
  await ann.locator('textarea.title').waitFor()
  await ann.keyboard.type('Mer')
  await card(bob, 'Mer').waitFor()
  assert.equal(await ann.locator('textarea.title').count(), 1, 'Ann is still typing')
  await ann.keyboard.type('cury')
  await card(bob, 'Mercury').waitFor()
  await ann.keyboard.press('Enter')
  await untilSaved(ann)
  assert.deepEqual(await titlesOf(server, 'letters'), ['Mercury', 'Root'])
})

test('both type in one title at the same time and no letter is lost', async t => {
  const [ann, bob] = await two(t, 'same-title', [['n', 'shared']])
  for (const page of [ann, bob]) {
    await select(page, 'shared')
    await page.keyboard.press('F2')
    await page.locator('textarea.title').waitFor()
  }
  await ann.keyboard.press('Home')
  await bob.keyboard.press('End')
  await Promise.all([
    ann.keyboard.type('abcdefghijklm', { delay: 15 }),
    bob.keyboard.type('nopqrstuvwxyz', { delay: 15 })
  ])
  const expected = 'abcdefghijklmsharednopqrstuvwxyz'
  for (const page of [ann, bob]) {
    await until('the field shows the letters of both', async () => await page.locator('textarea.title').inputValue() === expected)
  }
  await ann.keyboard.press('Enter')
  await bob.keyboard.press('Enter')
  await untilSaved(ann)
  await untilSaved(bob)
  assert.deepEqual(await titlesOf(server, 'same-title'), ['Root', expected].sort())
})

test('moving by drag, by key, closing and deleting are seen by the other', async t => {
  const [ann, bob] = await two(t, 'moves', [['a', 'Alpha'], ['b', 'Beta'], ['a1', 'Alpha one', 'a']])
  const [from, to] = [await card(ann, 'Beta').boundingBox(), await card(ann, 'Alpha').boundingBox()]
  await ann.mouse.move(from.x + 10, from.y + 10)
  await ann.mouse.down()
  await ann.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 })
  await ann.locator('.card.drop-inside').waitFor()
  await bob.getByText('moves “Beta”').waitFor()
  await ann.mouse.up()
  await until('the target of the drop stays where it is', async () => {
    const { x, y } = await card(ann, 'Alpha').boundingBox()
    return Math.abs(x - to.x) < 1 && Math.abs(y - to.y) < 1 && await ann.locator('[data-node=b][aria-level="3"]').count() === 1
  })
  await until('Beta is under Alpha', async () => (await nodeOf(server, 'moves', 'Beta')).parent_id === 'a')
  await select(ann, 'Beta')
  await ann.keyboard.press('Alt+ArrowUp')
  await until('Beta is the first child', async () => (await bob.locator('[data-node=b]').getAttribute('aria-posinset')) === '1')
  await select(ann, 'Alpha')
  await ann.keyboard.press(' ')
  await card(bob, 'Beta').waitFor({ state: 'detached' })
  await bob.getByRole('button', { name: 'Open Alpha, 2 nodes' }).click()
  await card(ann, 'Beta').waitFor()
  await select(ann, 'Alpha')
  await ann.keyboard.press('Delete')
  await ann.getByText('The 2 nodes below it go too.').waitFor()
  await ann.getByRole('button', { name: 'Delete 3 nodes' }).click()
  await until('Bob sees the root alone', async () => (await titlesShown(bob)).join() === 'Root')
  await ann.keyboard.press('Control+z')
  await until('undo brings the branch back', async () => (await titlesShown(bob)).length === 4)
})

test('undo takes back what I did and leaves what others did', async t => {
  const [ann, bob] = await two(t, 'undo')
  await addChild(ann, 'Root', 'by Ann')
  await card(bob, 'by Ann').waitFor()
  await addChild(bob, 'Root', 'by Bob')
  await card(ann, 'by Bob').waitFor()
  await until('Ann has undone all of hers', async () => {
    await ann.keyboard.press('Control+z')
    return await card(ann, 'by Ann').count() === 0 && await card(ann, 'Untitled').count() === 0
  })
  await until('Bob sees it', async () => (await titlesShown(bob)).join() === 'Root,by Bob')
})

test('names, selections and pointers of others are seen, and go when they leave', async t => {
  const [ann, bob] = await two(t, 'presence', [['a', 'Alpha']])
  await bob.getByRole('button', { name: /People here/ }).click()
  await bob.getByLabel('Your name').fill('Bob the builder')
  await bob.keyboard.press('Enter')
  await ann.getByRole('button', { name: 'People here: you, Bob the builder' }).waitFor()
  await select(bob, 'Alpha')
  await ann.locator('[data-node=a].taken .names').getByText('Bob the builder').waitFor()
  const box = await card(bob, 'Root').boundingBox()
  await bob.mouse.move(box.x + 5, box.y + 5, { steps: 3 })
  await ann.locator('.pointer .name').getByText('Bob the builder').waitFor()
  await bob.reload()
  await ann.getByRole('button', { name: 'People here: you, Bob the builder' }).waitFor()
  await bob.context().close()
  await ann.locator('.pointer').waitFor({ state: 'detached' })
  await ann.getByRole('button', { name: 'People here: you', exact: true }).waitFor()
})

test('the summary is written together, and colours are seen', async t => {
  const [ann, bob] = await two(t, 'details', [['a', 'Alpha']])
  for (const page of [ann, bob]) {
    await select(page, 'Alpha')
    await page.keyboard.press('Alt+Enter')
  }
  await ann.getByLabel('Summary').pressSequentially('one ')
  await until('Bob reads it', async () => await bob.getByLabel('Summary').inputValue() === 'one ')
  await bob.getByLabel('Summary').focus()
  await bob.keyboard.press('End')
  await bob.keyboard.type('two')
  await until('Ann reads it', async () => await ann.getByLabel('Summary').inputValue() === 'one two')
  await bob.getByRole('radio', { name: '#10B981' }).click()
  await ann.getByRole('radio', { name: '#10B981', checked: true }).waitFor()
  await until('it is saved', () => isSaved(bob))
  const node = await nodeOf(server, 'details', 'Alpha')
  assert.deepEqual([node.summary, node.color], ['one two', '#10B981'])
})

test('a map that nobody has begun waits for a topic', async t => {
  const page = await person(t, browser, server, '/m/nobody-began')
  await page.getByLabel('Topic').fill('First')
  assert.equal((await server.request('GET', '/v1/graphs/nobody-began')).json.nodes.length, 0)
  await page.keyboard.press('Enter')
  await card(page, 'First').waitFor()
  await untilSaved(page)
  const { json } = await server.request('GET', '/v1/graphs/nobody-began')
  assert.deepEqual([json.topic, json.nodes.length], ['First', 1])
})

test('who types in a branch that another closes finds themselves at its top', async t => {
  const [ann, bob] = await two(t, 'closing', [['a', 'Alpha'], ['a1', 'Alpha one', 'a']])
  await select(ann, 'Alpha one')
  await ann.keyboard.press('F2')
  await ann.locator('textarea.title').waitFor()
  await select(bob, 'Alpha')
  await bob.keyboard.press(' ')
  await card(ann, 'Alpha').and(ann.locator('.selected')).waitFor()
  assert.equal(await ann.locator('textarea.title').count(), 0)
  await ann.keyboard.press('Tab')
  await ann.keyboard.type('new')
  await card(bob, 'new').waitFor()
  await card(bob, 'Alpha one').waitFor()
})

test('the root and the name of the map are undone together', async t => {
  const [ann] = await two(t, 'undo-name')
  await select(ann, 'Root')
  await ann.keyboard.press('F2')
  await ann.keyboard.type('Trunk')
  await ann.keyboard.press('Enter')
  await ann.getByRole('heading', { name: 'Trunk' }).waitFor()
  await ann.keyboard.press('Control+z')
  await card(ann, 'Root').waitFor()
  await ann.getByRole('heading', { name: 'Root' }).waitFor()
})
