import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

const SIZE_MAX = 12 * 1024

/** From `.test/test`. */
const root = fileURLToPath(new URL('../../', import.meta.url))

/** What a page loads, packed as for a page: minified, and compressed. */
const bytesOf = async (source: string, external: string[] = []): Promise<number> => {
  const folder = mkdtempSync(join(root, '.test', 'size-'))
  try {
    writeFileSync(join(folder, 'entry.js'), source)
    const built = await build({
      root: folder,
      configFile: false,
      logLevel: 'error',
      build: { write: false, target: 'es2022', rollupOptions: { input: join(folder, 'entry.js'), external, preserveEntrySignatures: 'strict' } }
    })
    const { output } = (Array.isArray(built) ? built[0] : built) as { output: Array<{ code?: string }> }
    return gzipSync(output.map(({ code }) => code ?? '').join('')).length
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('the provider is small: with all of lib0 and y-protocols that it needs, and without Yjs', async t => {
  const whole = await bytesOf("export { SynaptiProvider } from '../../src/index.ts'", ['yjs'])
  t.diagnostic(`provider: ${whole} bytes`)
  assert.ok(whole > 2000 && whole < SIZE_MAX, `${whole} bytes`)
})

test('beside Yjs it is smaller still', async t => {
  const yjs = await bytesOf("export * from 'yjs'")
  const both = await bytesOf("export * from 'yjs'; export { SynaptiProvider } from '../../src/index.ts'")
  t.diagnostic(`beside Yjs: ${both - yjs} bytes`)
  assert.ok(both - yjs > 2000 && both - yjs < SIZE_MAX, `${both - yjs} bytes`)
})

test('the schema alone brings nothing of the provider', async t => {
  const schema = await bytesOf("export * from '../../src/schema/index.ts'", ['yjs'])
  t.diagnostic(`schema: ${schema} bytes`)
  assert.ok(schema > 1000 && schema < SIZE_MAX / 2, `${schema} bytes`)
})
