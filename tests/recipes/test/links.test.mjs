/** Links from one document to another lead somewhere. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { documentText, root } from '../lib/blocks.mjs'

/** Prose: what is between fences or back-ticks only looks like a link. */
const prose = path => documentText(path).replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, code => code.slice(1, -1).replace(/[[\]]/g, ''))

/** The names that headings get on the usual forges. */
const anchors = path => prose(path).split('\n').filter(line => /^#+ /.test(line)).map(line =>
  line.replace(/^#+ /, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-'))

const documents = [
  'README.md', 'ARCHITECTURE.md', 'web/README.md', 'web/client/README.md', 'deploy/README.md',
  ...readdirSync(join(root, 'docs')).filter(name => name.endsWith('.md')).map(name => `docs/${name}`)
]

for (const path of documents) {
  test(path, () => {
    const links = [...prose(path).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link).filter(link => !/^[a-z]+:/.test(link))
    for (const link of links) {
      const [file, anchor] = link.split('#')
      const target = file === '' ? path : relative(root, join(root, dirname(path), file))
      assert.ok(existsSync(join(root, target)), `${path} links to ${link}, which is not there`)
      if (anchor !== undefined && target.endsWith('.md')) {
        assert.ok(anchors(target).includes(anchor), `${path} links to ${link}; ${target} has ${anchors(target).join(', ')}`)
      }
    }
  })
}

test('nothing is left alone', () => {
  const linked = documents.map(path => prose(path)).join('\n')
  for (const path of documents.filter(path => path.startsWith('docs/'))) {
    assert.ok(linked.includes(path.slice('docs/'.length)), `no document links to ${path}`)
  }
})
