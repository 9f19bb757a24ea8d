/**
 * People at the page: each has a browser context of their own, as on a machine of their own.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { basename, join } from 'node:path'
import { chromium } from 'playwright-core'
import { until } from '../../clients/lib/wait.mjs'

const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
/** A page that a test answers for (`TEST_SITE`) has no address of its own, and Chromium then keeps it from 127.0.0.1. */
const SITE_FLAGS = process.env.TEST_SITE === undefined ? [] : ['--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests']
/** How long a look at the page may take. */
const LOOK_DEADLINE_MS = 15_000

/** What Chromium writes to the console by itself when a server goes away. */
const LOSS = /WebSocket connection to .* failed|net::ERR_(CONNECTION|NETWORK|EMPTY|SOCKET)|Failed to load resource/
/** And when an answer is no. */
const REFUSAL = /Failed to load resource: .* 40[13]/

const chromiumPath = () => {
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim()
    } catch { /* The next name. */ }
  }
  throw new Error('chromium is missing; on Debian: apt-get install chromium')
}

/** One browser for a test file; closed after the suite `t`. */
export const launch = async t => {
  const browser = await chromium.launch({ executablePath: process.env.TEST_CHROMIUM ?? chromiumPath(), args: [...FLAGS, ...SITE_FLAGS], headless: true })
  t.after(() => browser.close())
  return browser
}

/**
 * A person with a page at `path`. At the end of the test `t` it fails if the page has failed, complained, or asked
 * another server for anything.
 *
 * @param {{mayLoseServer?: boolean, mayBeRefused?: boolean, before?: (page: import('playwright-core').Page) => Promise<void>}} [options] and whatever a
 *   browser context takes; `before` prepares the page before it is opened
 */
export const person = async (t, browser, server, path, { mayLoseServer = false, mayBeRefused = false, before, ...options } = {}) => {
  const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, ...options })
  if (process.env.TEST_SITE !== undefined) await serveFrom(context, process.env.TEST_SITE)
  const page = await context.newPage()
  page.setDefaultTimeout(LOOK_DEADLINE_MS)
  const complaints = []
  page.on('pageerror', error => complaints.push(`exception: ${error.stack}`))
  page.on('console', message => {
    if (!['error', 'warning'].includes(message.type())) return
    if (mayLoseServer && LOSS.test(message.text())) return
    if (mayBeRefused && REFUSAL.test(message.text())) return
    complaints.push(`${message.type()}: ${message.text()}`)
  })
  const origin = new URL(server.http).host
  const foreign = url => {
    const { host, protocol } = new URL(url)
    return protocol !== 'data:' && protocol !== 'blob:' && host !== origin
  }
  page.on('request', request => { if (foreign(request.url())) complaints.push(`request: ${request.url()}`) })
  page.on('websocket', socket => { if (foreign(socket.url())) complaints.push(`socket: ${socket.url()}`) })
  t.after(async () => {
    await context.close()
    assert.deepEqual(complaints, [])
  })
  await before?.(page)
  await page.goto(server.http + path)
  return page
}

/**
 * Answers for the page and its assets from a folder: while working on the page one need not build the program each time.
 * The policy is taken from the program, so that it holds here too.
 */
const serveFrom = async (context, folder) => {
  await context.route(/\/assets\//, route => route.fulfill({ path: join(folder, 'assets', basename(new URL(route.request().url()).pathname)) }))
  await context.route(url => url.pathname === '/' || url.pathname.startsWith('/m/'), async route => {
    const headers = (await route.fetch()).headers()
    await route.fulfill({ path: join(folder, 'index.html'), contentType: 'text/html', headers: { 'content-security-policy': headers['content-security-policy'] } })
  })
}

/** Makes a map over HTTP; `nodes` are `[id, title, parent]`. Returns its path. */
export const makeMap = async (server, id, topic, nodes = []) => {
  const made = await server.request('POST', '/v1/graphs', { id, topic })
  assert.equal(made.status, 201, made.text)
  for (const [node, title, parent] of nodes) {
    const body = { id: node, title, ...(parent === undefined ? {} : { parent_id: parent }) }
    const answer = await server.request('POST', `/v1/graphs/${id}/nodes`, body)
    assert.equal(answer.status, 201, answer.text)
  }
  return `/m/${id}`
}

/** The titles that the server has of a map. */
export const titlesOf = async (server, id) => {
  const { json } = await server.request('GET', `/v1/graphs/${id}`)
  return json.nodes.map(node => node.title).sort()
}

export const nodeOf = async (server, id, title) => {
  const { json } = await server.request('GET', `/v1/graphs/${id}`)
  return json.nodes.find(node => node.title === title)
}

/** The card with exactly this title. */
export const card = (page, title) => page.locator('.frame .card').filter({ has: page.getByText(title, { exact: true }) })

/** What the page says about saving: good, busy or bad. */
export const savedTone = page => page.locator('.saved').getAttribute('data-saved')
export const isSaved = async page => await savedTone(page) === 'good'
export const untilSaved = page => until('the page says that all is saved', () => isSaved(page))

export const titlesShown = page => page.locator('.frame .card .title').allTextContents().then(titles => titles.sort())

/** Selects a card by its title and waits until it is selected. */
export const select = async (page, title) => {
  await card(page, title).click()
  await card(page, title).and(page.locator('.selected')).waitFor()
}

/** Adds a child to a card by keyboard, types its title and leaves the title. */
export const addChild = async (page, parent, title) => {
  await select(page, parent)
  await page.keyboard.press('Tab')
  await page.locator('textarea.title').waitFor()
  await page.keyboard.type(title)
  await page.keyboard.press('Enter')
  await card(page, title).waitFor()
}
