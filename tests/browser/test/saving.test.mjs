/** What the page says about saving: only what the server has acknowledged is saved, and it is said when it cannot save. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { addChild, card, launch, makeMap, person, savedTone, titlesOf, untilSaved } from '../lib/browser.mjs'
import { fillDisk, freeDisk, MAY_FILL } from '../lib/full-disk.mjs'

const ACK = 120

const browser = await launch({ after })

/** Lets everything through to the page but acknowledgements, which wait until `release` is called. */
const holdAcks = () => {
  const waiting = []
  let isHeld = false
  let release = () => {}
  const before = page => page.routeWebSocket(/\/v1\/ws\//, socket => {
    const server = socket.connectToServer()
    server.onMessage(message => {
      if (isHeld && message[0] === ACK) waiting.push(message)
      else socket.send(message)
    })
    release = () => {
      isHeld = false
      for (const message of waiting.splice(0)) socket.send(message)
    }
  })
  return { before, hold: () => { isHeld = true }, release: () => release(), waiting }
}

test('an edit is called saved when it is acknowledged, and not when others see it', async t => {
  const server = await Server.start(t)
  const path = await makeMap(server, 'm', 'Root')
  const acks = holdAcks()
  const [ann, bob] = [await person(t, browser, server, path, { before: acks.before }), await person(t, browser, server, path)]
  for (const page of [ann, bob]) await card(page, 'Root').waitFor()
  await untilSaved(ann)
  acks.hold()
  await addChild(ann, 'Root', 'held')
  await card(bob, 'held').waitFor()
  await until('the server has acknowledged it', () => acks.waiting.length > 0)
  // Said only when the acknowledgement has been missing for seconds: so it was looked at for that long.
  await ann.getByText('the server is slow to answer').waitFor()
  assert.equal(await savedTone(ann), 'busy')
  assert.equal(await savedTone(bob), 'good')
  acks.release()
  await untilSaved(ann)
  assert.deepEqual(await titlesOf(server, 'm'), ['Root', 'held'])
})

test('while the disk is full everybody is told, goes on, and is told when it is over', async t => {
  const server = await Server.start(t, { wrapper: MAY_FILL })
  const path = await makeMap(server, 'm', 'Root')
  const [ann, bob] = [await person(t, browser, server, path), await person(t, browser, server, path, { viewport: { width: 390, height: 800 } })]
  const banner = page => page.getByText('The server cannot save at the moment. Keep this page open.')
  for (const page of [ann, bob]) {
    await card(page, 'Root').waitFor()
    await untilSaved(page)
    assert.equal(await banner(page).count(), 0)
  }
  fillDisk(server)
  try {
    await addChild(ann, 'Root', 'while full')
    for (const page of [ann, bob]) {
      await card(page, 'while full').waitFor()
      await banner(page).waitFor()
      assert.equal(await page.locator('.saved').textContent(), 'Not saved yet')
    }
    await addChild(bob, 'while full', 'by Bob')
    await card(ann, 'by Bob').waitFor()
    assert.deepEqual([await savedTone(ann), await savedTone(bob)], ['busy', 'busy'])
    const late = await person(t, browser, server, path)
    await card(late, 'by Bob').waitFor()
    await banner(late).waitFor()
  } finally {
    freeDisk(server)
  }
  // It is said for some seconds only.
  await Promise.all([ann, bob].map(page => page.getByText('Saved. The server can save again.').waitFor()))
  for (const page of [ann, bob]) {
    await untilSaved(page)
    assert.equal(await banner(page).count(), 0)
  }
  assert.deepEqual(await titlesOf(server, 'm'), ['Root', 'by Bob', 'while full'])
})

test('a server that is restarted is left and found again without alarm', async t => {
  const server = await Server.start(t, { restartable: true })
  const path = await makeMap(server, 'm', 'Root')
  const page = await person(t, browser, server, path, { mayLoseServer: true })
  await card(page, 'Root').waitFor()
  await untilSaved(page)
  await page.evaluate(() => {
    window.said = []
    const mark = document.querySelector('.saved')
    new MutationObserver(() => window.said.push(mark.textContent)).observe(mark, { childList: true, characterData: true, subtree: true })
  })
  assert.equal((await server.stop()).code, 0)
  await until('the page has noticed', () => page.evaluate(() => window.said.length > 0))
  assert.equal(await page.evaluate(() => window.said[0]), 'The server restarts – your changes are kept in this browser')
  await server.start()
  await addChild(page, 'Root', 'after')
  await untilSaved(page)
  assert.deepEqual(await titlesOf(server, 'm'), ['Root', 'after'])
})
