/** The page by itself: addresses and headers, the keyboard, a phone, hostile titles, a large map. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { join } from '../../clients/lib/client.mjs'
import { addNode, initMap, nodeOf as nodeIn, typeInto } from '../../clients/lib/map.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { card, launch, makeMap, nodeOf, person, select, titlesOf, titlesShown, untilSaved } from '../lib/browser.mjs'

const server = await Server.start({ after })
const browser = await launch({ after })

const field = page => page.locator('textarea.title')

test('pages and assets have their headers, and other addresses are no pages', async () => {
  for (const path of ['/', '/m/any-id', '/m/a.b~c_d']) {
    const page = await server.request('GET', path)
    assert.equal(page.status, 200)
    assert.match(page.headers.get('content-type'), /^text\/html/)
    assert.equal(page.headers.get('cache-control'), 'no-cache')
    const policy = page.headers.get('content-security-policy')
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/)
    assert.doesNotMatch(policy, /unsafe|http/)
    const again = await fetch(server.http + path, { headers: { 'if-none-match': page.headers.get('etag') } })
    assert.equal(again.status, 304)
    assert.equal((await fetch(server.http + path, { method: 'HEAD' })).status, 200)
  }
  const { text } = await server.request('GET', '/')
  const assets = text.match(/\/assets\/[^"]+/g)
  assert.ok(assets.length >= 3, text)
  for (const path of assets) {
    const asset = await server.request('GET', path)
    assert.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable', path)
    assert.equal(asset.headers.get('x-content-type-options'), 'nosniff')
  }
  for (const path of ['/nothing', '/m', '/m/', '/m/a/b', '/assets/nothing.js', '/index.html', '/assets/..%2findex.html']) {
    const answer = await server.request('GET', path)
    assert.deepEqual([answer.status, answer.json?.error.code], [404, 'not_found'], path)
  }
  assert.equal((await server.request('GET', '/m/not%20an%20id')).json.error.code, 'invalid_graph_id')
})

test('a whole session by keyboard', async t => {
  const page = await person(t, browser, server, '/')
  await page.keyboard.type('Keys only')
  await page.keyboard.press('Enter')
  await card(page, 'Keys only').waitFor()
  const id = new URL(page.url()).pathname.slice('/m/'.length)
  await page.keyboard.press('ArrowRight')
  for (const title of ['one', 'two', 'three']) {
    await page.keyboard.press(title === 'one' ? 'Tab' : 'Enter')
    await field(page).waitFor()
    await page.keyboard.type(title)
    await page.keyboard.press('Enter')
    await card(page, title).and(page.locator('.selected')).waitFor()
  }
  // All three are on the side of the first, in this sequence; the third goes under the second.
  await page.keyboard.press('Alt+ArrowRight')
  await until('three is under two', async () => (await nodeOf(server, id, 'three')).parent_id === (await nodeOf(server, id, 'two')).id)
  await page.keyboard.press('Alt+ArrowLeft')
  await until('three is out again', async () => (await nodeOf(server, id, 'three')).parent_id === (await nodeOf(server, id, 'Keys only')).id)
  await page.keyboard.press('ArrowUp')
  await card(page, 'two').and(page.locator('.selected')).waitFor()
  assert.equal(await page.locator('.frame').getAttribute('aria-activedescendant'), await card(page, 'two').getAttribute('id'))
  await page.keyboard.press('w')
  await until('typing renames', async () => await field(page).inputValue() === 'w')
  await page.keyboard.type('as two')
  await page.keyboard.press('Escape')
  await card(page, 'was two').waitFor()
  await page.keyboard.press('Tab')
  await field(page).waitFor()
  await page.keyboard.press('Escape')
  await until('a node that was left without a title goes away', async () => (await titlesShown(page)).length === 4)
  await page.keyboard.press('?')
  await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor()
  await page.keyboard.press('Escape')
  await page.getByRole('heading', { name: 'Keys', exact: true }).waitFor({ state: 'detached' })
  await card(page, 'one').click()
  await page.keyboard.press('Delete')
  await card(page, 'one').waitFor({ state: 'detached' })
  await page.keyboard.press('Control+z')
  await card(page, 'one').waitFor()
  await page.keyboard.press('Control+Shift+z')
  await card(page, 'one').waitFor({ state: 'detached' })
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, id), ['Keys only', 'three', 'was two'])
})

test('the root and the name of the map', async t => {
  const page = await person(t, browser, server, await makeMap(server, 'root', 'Old name'))
  await select(page, 'Old name')
  await page.keyboard.press('Delete')
  await page.keyboard.press('F2')
  await field(page).waitFor()
  await page.keyboard.type('New name')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'New name' }).waitFor()
  await untilSaved(page)
  assert.equal((await server.request('GET', '/v1/graphs/root')).json.topic, 'New name')
})

test('a phone: everything by touch', async t => {
  const path = await makeMap(server, 'phone', 'Pocket', [['a', 'First']])
  const page = await person(t, browser, server, path, { viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true })
  const tool = name => page.getByRole('toolbar', { name: 'Selected node' }).getByRole('button', { name, exact: true })
  await card(page, 'First').tap()
  await tool('Add child').tap()
  await field(page).waitFor()
  await page.keyboard.insertText('Second')
  await page.locator('.frame').tap({ position: { x: 20, y: 120 } })
  await card(page, 'Second').tap()
  await tool('Rename').tap()
  await field(page).waitFor()
  await page.keyboard.insertText('Renamed')
  await page.keyboard.press('Enter')
  await card(page, 'Renamed').tap()
  await tool('Add sibling').tap()
  await field(page).waitFor()
  await page.keyboard.insertText('Third')
  await page.keyboard.press('Enter')
  await card(page, 'Renamed').tap()
  await tool('Delete').tap()
  await card(page, 'Renamed').waitFor({ state: 'detached' })
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, 'phone'), ['First', 'Pocket', 'Third'])
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  assert.ok(width <= 390, `the page is ${width} pixels wide`)
})

test('titles of any kind are text', async t => {
  const titles = [
    '<img src=x onerror="document.title=1">', '</textarea><script>alert(1)</script>', 'مرحبا بالعالم', '👩‍👩‍👧 😀 🏳️‍🌈', 'a\u202Eb', 'e\u0301\u0300'.repeat(20),
    'two\nlines', '  spaces  '
  ]
  const client = await join(t, server, 'hostile')
  initMap(client.doc, 'Hostile')
  titles.forEach((title, at) => addNode(client.doc, { id: `n${at}`, title, parent: 'root', order: `a${at}` }))
  addNode(client.doc, { id: 'long', title: 'long '.repeat(2048), parent: 'root', order: 'b00' })
  addNode(client.doc, { id: 'returns', title: 'one\r\ntwo', parent: 'root', order: 'b01' })
  client.doc.getMap('nodes').get('returns').set('color', 'url(javascript:alert(1))')
  client.awareness.setLocalState({ user: { name: '<b>evil</b>', color: 'red;background:url(x)' }, selected: {}, cursor: { x: 'NaN' } })
  const page = await person(t, browser, server, '/m/hostile')
  for (const [at, title] of titles.entries()) {
    await page.locator(`[data-node=n${at}] .title`).waitFor()
    assert.equal(await page.locator(`[data-node=n${at}] .title`).textContent(), title)
  }
  assert.equal(await page.locator('.frame img, .frame script').count(), 0)
  assert.ok((await page.locator('[data-node=long] .title').textContent()).length < 1000)
  assert.ok((await page.locator('[data-node=long]').boundingBox()).height < 300)
  await page.locator('[data-node=returns]').click()
  await page.keyboard.press('F2')
  await field(page).waitFor()
  await page.keyboard.press('End')
  await page.keyboard.type('!')
  await until('typing goes to where the caret is', () => nodeIn(client.doc, 'returns').get('title').toString() === 'one\ntwo!' || nodeIn(client.doc, 'returns').get('title').toString() === 'one two!')
  await page.keyboard.press('Escape')
  assert.equal(await page.evaluate(() => document.title), 'Hostile – Synapti')
})

test('a title that is a plain string becomes a shared text when it is renamed', async t => {
  const client = await join(t, server, 'plain')
  initMap(client.doc, 'Plain')
  client.doc.getMap('nodes').get('root').set('title', 'string')
  const page = await person(t, browser, server, '/m/plain')
  await select(page, 'string')
  await page.keyboard.press('F2')
  await field(page).waitFor()
  await page.keyboard.press('End')
  await page.keyboard.type('s')
  await until('it is a text that others can type into', () => {
    const title = nodeIn(client.doc, 'root').get('title')
    return typeof title === 'object' && title.toString() === 'strings'
  })
  typeInto(nodeIn(client.doc, 'root').get('title'), '?')
  await until('both are there', async () => await field(page).inputValue() === 'strings?')
})

test('an input method composes while somebody else types', async t => {
  const client = await join(t, server, 'composed')
  initMap(client.doc, 'map')
  const page = await person(t, browser, server, '/m/composed')
  await select(page, 'map')
  await page.keyboard.press('F2')
  await field(page).waitFor()
  await page.keyboard.press('End')
  const protocol = await page.context().newCDPSession(page)
  await protocol.send('Input.imeSetComposition', { text: 'あ', selectionStart: 1, selectionEnd: 1 })
  typeInto(nodeIn(client.doc, 'root').get('title'), 'The ', 0)
  await until('the composition is seen by others', () => nodeIn(client.doc, 'root').get('title').toString() === 'The mapあ')
  assert.equal(await field(page).inputValue(), 'mapあ', 'the field is left alone')
  await protocol.send('Input.imeSetComposition', { text: 'あい', selectionStart: 2, selectionEnd: 2 })
  await protocol.send('Input.insertText', { text: '愛' })
  await until('the field has caught up', async () => await field(page).inputValue() === 'The map愛')
  await page.keyboard.type('!')
  await until('and goes on', () => nodeIn(client.doc, 'root').get('title').toString() === 'The map愛!')
})

test('the node that I work with stays where it is while others build around it', async t => {
  const client = await join(t, server, 'steady')
  initMap(client.doc, 'Steady')
  for (let at = 0; at < 6; at++) addNode(client.doc, { id: `n${at}`, title: `Branch ${at}`, parent: 'root', order: `a${at}` })
  const page = await person(t, browser, server, '/m/steady')
  await select(page, 'Branch 4')
  const before = await card(page, 'Branch 4').boundingBox()
  for (let at = 0; at < 5; at++) addNode(client.doc, { id: `m${at}`, title: `Child ${at}`, parent: 'n0', order: `a${at}` })
  await card(page, 'Child 4').waitFor()
  const moved = await card(page, 'Branch 4').boundingBox()
  assert.ok(Math.abs(moved.x - before.x) < 1 && Math.abs(moved.y - before.y) < 1, JSON.stringify([before, moved]))
})

test('two thousand nodes open, and a rename among them is live', async t => {
  const client = await join(t, server, 'large')
  initMap(client.doc, 'Large')
  client.doc.transact(() => {
    for (let at = 0; at < 1999; at++) {
      addNode(client.doc, { id: `n${at}`, title: `Node ${at}`, parent: at < 8 ? 'root' : `n${Math.floor((at - 8) / 5)}`, order: `a${at % 10}` })
    }
  })
  const page = await person(t, browser, server, '/m/large')
  await card(page, 'Large').waitFor()
  const drawn = await page.locator('.frame .card').count()
  assert.ok(drawn > 20 && drawn < 1000, `${drawn} cards are drawn`)
  await select(page, 'Large')
  await page.keyboard.press('F2')
  await field(page).waitFor()
  await page.keyboard.press('End')
  await page.keyboard.type(' map')
  await until('the other one reads each letter', () => nodeIn(client.doc, 'root').get('title').toString() === 'Large map')
  typeInto(nodeIn(client.doc, 'root').get('title'), '!')
  await until('and is read', async () => await field(page).inputValue() === 'Large map!')
  await page.keyboard.press('Escape')
  await page.keyboard.press('0')
  await until('all of it is in sight', async () => await page.locator('.frame .card').count() === 2000)
})
