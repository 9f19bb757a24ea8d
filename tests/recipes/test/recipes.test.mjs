/** Each recipe of docs/recipes.md does what it says, as it stands there. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Kitchen, pythonHas, recipes } from '../lib/kitchen.mjs'

const cooked = new Set()

/** A server with the map of the recipes, and a folder to cook in. */
const kitchen = async (t, packages) => {
  const server = await Server.start(t, { restartable: true })
  const prepared = new Kitchen(t, server, packages)
  await prepared.start('begin.sh').ends()
  assert.match(prepared.output, /"topic":"Planets"/)
  prepared.output = ''
  prepared.code = undefined
  return prepared
}

const recipe = (names, { packages, needs } = {}, cook) => {
  names.forEach(name => cooked.add(name))
  const skip = needs !== undefined && !pythonHas(needs) ? `${needs} is not installed` : false
  test(names.join(', '), { skip }, async t => {
    const prepared = await kitchen(t, packages)
    await cook(prepared, prepared.server)
  })
}

const titles = async server => (await server.request('GET', '/v1/graphs/my-map')).json.nodes.map(node => node.title)
const topic = async server => (await server.request('GET', '/v1/graphs/my-map')).json.topic
const add = (server, title) => server.request('POST', '/v1/graphs/my-map/nodes', { title })

/** The server is gone at once, and comes back. */
const restart = async server => {
  await server.kill9()
  await server.start()
}

const has = (server, title) => until(`the server has ${title}`, async () => (await titles(server)).includes(title))

recipe(['y-websocket.mjs'], {}, async (recipe, server) => {
  recipe.start('y-websocket.mjs')
  await has(server, 'Mars')
  await add(server, 'Venus')
  await recipe.says(/'Venus'/)
})

recipe(['hocuspocus.mjs'], { packages: 'tests/hocuspocus' }, async (recipe, server) => {
  recipe.start('hocuspocus.mjs')
  await recipe.says(/saved/)
  await until('the server has the topic', async () => (await topic(server)) === 'Planets and moons')
  await server.request('PATCH', '/v1/graphs/my-map', { topic: 'Moons' })
  await recipe.says(/topic: Moons/)
})

recipe(['synapti-client.mjs'], {}, async (recipe, server) => {
  recipe.start('synapti-client.mjs')
  await recipe.says(/^connected (ws|sse|poll)$/m)
  await recipe.says(/^saved$/m)
  assert.deepEqual(await titles(server), ['Planets', 'Jupiter'])
  await add(server, 'Io')
  await recipe.says(/3 nodes/)
})

recipe(['read.sh'], {}, async (recipe, server) => {
  let edits = 0
  recipe.start('read.sh')
  await recipe.ends(() => add(server, `node ${edits++}`))
  assert.equal(recipe.output, '200\n')
  assert.ok(JSON.parse(readFileSync(join(recipe.folder, 'map.json'), 'utf8')).nodes.length > 1)
})

recipe(['make-edit.mjs', 'edit.sh'], {}, async (recipe, server) => {
  recipe.write('make-edit.mjs')
  recipe.start('edit.sh')
  await recipe.says(/durable: 1/)
  assert.equal(await topic(server), 'The solar system')
  let edits = 0
  await recipe.ends(() => add(server, `node ${edits++}`))
  assert.equal(recipe.output, 'durable: 1\n200\n')
  assert.ok(readFileSync(join(recipe.folder, 'news.bin')).includes('node '))
})

recipe(['read_map.py'], {}, async (recipe, server) => {
  recipe.start('read_map.py')
  await recipe.says(/^# Planets\n- Planets$/m)
  await add(server, 'Venus')
  await recipe.says(/^ {2}- Venus$/m)
  await restart(server)
  await add(server, 'Mars')
  await recipe.says(/^ {2}- Mars$/m)
})

recipe(['follow.py'], {}, async (recipe, server) => {
  recipe.start('follow.py')
  await recipe.says(/^1 notice \{'kind': 'role', 'role': 'owner'\}\n\d SyncStep1 of \d+ bytes\n\d SyncStep2 of \d+ bytes$/m)
  await add(server, 'Venus')
  await recipe.says(/^\d Update of \d+ bytes$/m)
  await restart(server)
  await recipe.says(/Update of[^]* SyncStep1 of[^]* SyncStep2 of/)
  await server.request('DELETE', '/v1/graphs/my-map')
  await recipe.ends()
  assert.match(recipe.output, /closed: 4410 this graph has been deleted\n$/)
})

recipe(['document.py'], { needs: 'pycrdt' }, async (recipe, server) => {
  recipe.start('document.py')
  await recipe.says(/\['Planets'\]/)
  await add(server, 'Venus')
  await recipe.says(/\['Planets', 'Venus'\]/)
  await restart(server)
  await add(server, 'Mars')
  await recipe.says(/\['Mars', 'Planets', 'Venus'\]/)
})

recipe(['commands.sh'], {}, async (recipe, server) => {
  recipe.start('commands.sh')
  await recipe.says(/- Saturn and its moons .*\n +- Titan/)
  let edits = 0
  await recipe.says(/new: \{.*"title":"Io/, () => add(server, `Io ${edits++}`))
})

test('every recipe is run', () => {
  assert.deepEqual([...recipes.keys()].filter(name => name !== 'begin.sh').sort(), [...cooked].sort())
})
