/** The network between one node and Redis fails in every way that networks do. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { allClosed } from '../lib/check.mjs'
import { Cluster, metric } from '../lib/cluster.mjs'
import { lasting } from '../lib/pause.mjs'
import { LIVE_WITHIN_MS, Scene } from '../lib/scene.mjs'

const SILENT_MS = 8_000
const FLICKERING_MS = 10_000
const FLICKER_EVERY_MS = 300
const SLOW_MS = 3_000

/** A connection that nobody answers has to be given up first. */
const LIVE_AFTER_SILENCE_MS = 2 * LIVE_WITHIN_MS

const cluster = await Cluster.start({ after })
const [, , node] = cluster.nodes
const { link } = node

const scene = async t => {
  t.after(() => link.pass())
  return Scene.begin(t, cluster)
}

test('a link goes silent and its connections stay open', async t => {
  const people = await scene(t)
  const before = link.accepted
  link.swallow()
  await people.editsGoOn('while the link is silent', SILENT_MS)
  link.pass()
  await people.allIsWell('the link passes again', { live_ms: LIVE_AFTER_SILENCE_MS })
  assert.ok(link.accepted > before, 'the node has connected anew')
})

test('a link is cut', async t => {
  const people = await scene(t)
  link.cut()
  await people.allIsWell('the link was cut')
})

test('a link is down for a while', async t => {
  const people = await scene(t)
  await link.refuse()
  await people.editsGoOn('while the link is down', SLOW_MS)
  await link.accept()
  await people.allIsWell('the link is up')
})

test('a link is slow: half a second each way', async t => {
  const people = await scene(t)
  link.delay(500)
  await people.editsGoOn('while the link is slow', SLOW_MS)
  await people.live('while the link is slow')
  link.pass()
  await people.allIsWell('the link is fast again')
})

test('a link is cut every 300 ms', async t => {
  const people = await scene(t)
  const before = link.accepted
  const timer = setInterval(() => link.cut(), FLICKER_EVERY_MS)
  t.after(() => clearInterval(timer))
  await people.editsGoOn('while the link flickers', FLICKERING_MS)
  clearInterval(timer)
  const reconnects = link.accepted - before
  await people.allIsWell('the link is steady')
  t.diagnostic(`${reconnects} connections within ${FLICKERING_MS} ms; synapti_bus_reconnects_total ${await metric(node, 'synapti_bus_reconnects_total')}`)
  assert.ok(reconnects < FLICKERING_MS / 20, 'a node does not knock without pause')
})

test('all links are cut at once, again and again', async t => {
  const people = await scene(t)
  for (let round = 0; round < 5; round++) {
    for (const { link } of cluster.nodes) link.cut()
    await lasting(500)
  }
  await people.allIsWell('all links were cut')
})

test('nothing of it stays open', () => allClosed(cluster))
