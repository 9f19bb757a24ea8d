import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder until the end of the test `t`. */
export const scratchFolder = (t, name) => {
  const folder = mkdtempSync(join(tmpdir(), `synapti-${name}-`))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
