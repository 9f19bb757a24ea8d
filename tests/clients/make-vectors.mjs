#!/usr/bin/env node
/**
 * Writes the histories that the Rust tests of the crate `crdt` replay: what npm's `yjs` made, and what it says the
 * result is. Run `npm run vectors` after a change here; a test checks that the files are what this script makes.
 *
 * Each file `crdt/tests/data/yjs-histories-<kind>.json` is
 *
 *     {"yjs": "<version>", "about": "<what is special>", "histories": [{
 *       "seed": 1,
 *       "updates": ["<base64 of one update, format v1>", …],
 *       "expected": {"meta": {…}, "nodes": {…}, "edges": {…}, "text": "…", "list": […]},
 *       "stateVector": "<base64, format v1>"
 *     }, …]}
 *
 * `expected` is `toJSON()` of the roots `meta`, `nodes`, `edges` (Y.Map), `list` (Y.Array), and the string of `text`
 * (Y.Text, whose formatting is left out). Texts inside of maps are strings. `stateVector` belongs to the state after all
 * updates. Applying the updates in any order and number of times must end there.
 *
 * The kinds: `maps` re-parents, edits and deletes nodes concurrently; `texts` edits one formatted text; `lists` an
 * array with maps in it; `merged` holds updates that were merged in random groups, skips included; `surrogates`
 * edits between the two halves of characters outside of the basic plane, where Yjs puts U+FFFD for each half.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import * as Y from 'yjs'
import { mergeRandomly, randomHistory } from './lib/histories.mjs'
import { toJSON } from './lib/map.mjs'

const KINDS = [
  { kind: 'maps', count: 20, first: 1000, options: { focus: 'map', edits: 40 }, about: 'concurrent edits of a map: new nodes, re-parenting, titles, deletes, cross links' },
  { kind: 'texts', count: 16, first: 2000, options: { focus: 'text', edits: 40 }, about: 'concurrent edits of one formatted text, with characters outside of the basic plane' },
  { kind: 'lists', count: 10, first: 3000, options: { focus: 'list', edits: 30 }, about: 'concurrent edits of an array with values of every kind and maps in it' },
  { kind: 'merged', count: 16, first: 4000, options: { edits: 40 }, merge: true, about: 'updates merged in random groups, so that they hold skips' },
  { kind: 'surrogates', count: 12, first: 5000, options: { focus: 'text', edits: 24, split: true }, about: 'edits between the halves of a surrogate pair' }
]

const base64 = bytes => Buffer.from(bytes).toString('base64')

const yjsVersion = JSON.parse(readFileSync(new URL('node_modules/yjs/package.json', import.meta.url), 'utf8')).version

const vector = (seed, { options, merge }) => {
  const { updates, doc } = randomHistory(seed, options)
  return {
    seed,
    updates: (merge ? mergeRandomly(seed, updates) : updates).map(base64),
    expected: toJSON(doc),
    stateVector: base64(Y.encodeStateVector(doc))
  }
}

/** The content of every file, by its path. */
export const vectorFiles = () => KINDS.map(kind => {
  const histories = Array.from({ length: kind.count }, (_, index) => vector(kind.first + index, kind))
  // One history a line: a change of one shows as one changed line.
  const lines = histories.map(history => JSON.stringify(history)).join(',\n')
  return {
    kind: kind.kind,
    path: fileURLToPath(new URL(`../../crdt/tests/data/yjs-histories-${kind.kind}.json`, import.meta.url)),
    content: `{"yjs":${JSON.stringify(yjsVersion)},"about":${JSON.stringify(kind.about)},"histories":[\n${lines}\n]}\n`
  }
})

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { path, content } of vectorFiles()) {
    mkdirSync(new URL('../../crdt/tests/data/', import.meta.url), { recursive: true })
    writeFileSync(path, content)
    console.log(`${path}: ${content.length} bytes`)
  }
}
