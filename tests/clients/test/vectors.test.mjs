/** The recorded histories are what their script makes from the pinned `yjs`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { vectorFiles } from '../make-vectors.mjs'

for (const { kind, path, content } of vectorFiles()) {
  test(`yjs-histories-${kind}.json is up to date (else run \`npm run vectors\`)`, () => {
    assert.ok(readFileSync(path, 'utf8') === content)
  })
}
