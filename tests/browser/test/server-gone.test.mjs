/** What the page says and keeps when its server is slow, gone, and back. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { addChild, card, launch, makeMap, person, savedTone, select, titlesOf, titlesShown, untilSaved } from '../lib/browser.mjs'

const browser = await launch({ after })

const setUp = async t => {
  const server = await Server.start(t, { restartable: true })
  const path = await makeMap(server, 'm', 'Root')
  const open = async () => {
    const page = await person(t, browser, server, path, { mayLoseServer: true })
    await card(page, 'Root').waitFor()
    await untilSaved(page)
    return page
  }
  return { server, path, open }
}

const untilLost = page => until('the page says that it is not connected', async () =>
  (await page.locator('.saved').textContent()).startsWith('Not connected – your changes are kept in this browser and will be sent'))

test('nothing is called saved while the server stands still', async t => {
  const { server, open } = await setUp(t)
  const page = await open()
  await select(page, 'Root')
  server.child.kill('SIGSTOP')
  try {
    await page.keyboard.press('Tab')
    await page.keyboard.type('x')
    await page.keyboard.press('Enter')
    await until('the page says that it is saving', async () => await savedTone(page) === 'busy')
    // Said only when the answer has been missing for seconds: so it was looked at for that long.
    await page.getByText('the server is slow to answer').waitFor()
    assert.equal(await savedTone(page), 'busy')
  } finally {
    server.child.kill('SIGCONT')
  }
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, 'm'), ['Root', 'x'])
})

test('edits made while the server is dead arrive when it is back, from everybody', async t => {
  const { server, path, open } = await setUp(t)
  const [ann, bob] = [await open(), await open()]
  await addChild(ann, 'Root', 'before')
  await card(bob, 'before').waitFor()
  await select(ann, 'Root')
  await ann.keyboard.press('Tab')
  await ann.keyboard.type('in the mid')
  await server.kill9()
  await untilLost(ann)
  await untilLost(bob)
  await ann.keyboard.type('dle')
  await ann.keyboard.press('Enter')
  await addChild(bob, 'before', 'by Bob')
  assert.equal(await savedTone(ann), 'bad')
  await server.start()
  await untilSaved(ann)
  await untilSaved(bob)
  const expected = ['Root', 'before', 'by Bob', 'in the middle']
  await until('the server has all', async () => (await titlesOf(server, 'm')).join() === expected.join())
  const fresh = await person(t, browser, server, path)
  for (const page of [ann, bob, fresh]) {
    await until('all see all', async () => (await titlesShown(page)).join() === expected.join())
  }
})

test('edits made without a server outlive the tab', async t => {
  const { server, open } = await setUp(t)
  const page = await open()
  await server.kill9()
  await untilLost(page)
  await addChild(page, 'Root', 'kept')
  await page.evaluate(() => { window.isOld = true })
  // Transactions on one store follow each other: when this one is done, so are those that keep the edits.
  await page.evaluate(() => new Promise((resolve, reject) => {
    const request = indexedDB.open('synapti-map-m')
    request.onerror = reject
    request.onsuccess = () => {
      const transaction = request.result.transaction('updates', 'readwrite')
      transaction.objectStore('updates').count()
      transaction.oncomplete = resolve
    }
  }))
  await server.start()
  await page.reload()
  assert.equal(await page.evaluate(() => window.isOld), undefined)
  await card(page, 'kept').waitFor()
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, 'm'), ['Root', 'kept'])
})

test('a map that was deleted while the page was away ends with the reason', async t => {
  const { server, open } = await setUp(t)
  const page = await open()
  await server.kill9()
  await untilLost(page)
  await addChild(page, 'Root', 'too late')
  await server.start()
  await server.request('DELETE', '/v1/graphs/m')
  await page.getByRole('heading', { name: 'This map was deleted' }).waitFor()
  await page.getByRole('link', { name: 'Back to the list', exact: true }).click()
  await page.getByText('There are no maps yet').waitFor()
})

test('a list that cannot be loaded says why and tries again', async t => {
  const { server } = await setUp(t)
  const page = await person(t, browser, server, '/', { mayLoseServer: true })
  await page.getByRole('link', { name: /Root/ }).waitFor()
  await server.kill9()
  await page.getByRole('button', { name: 'Delete Root' }).click()
  await page.getByRole('button', { name: 'Delete for ever' }).click()
  await page.getByText('was not deleted. The server cannot be reached.').waitFor()
  await server.start()
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByText('The list of maps could not be loaded').waitFor({ state: 'detached' })
})
