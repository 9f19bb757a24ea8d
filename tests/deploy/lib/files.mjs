/**
 * What is in deploy/, as text and as data.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

export const root = fileURLToPath(new URL('../../../', import.meta.url))

export const text = path => readFileSync(join(root, path), 'utf8')

/** Paths of all files below deploy/, from the root of the repository. What git ignores is somebody's own. */
export const deployed = readdirSync(join(root, 'deploy'), { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile() && !['.env', 'tls.pem'].includes(entry.name))
  .map(entry => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
  .sort()

/** The documents of a YAML file; anything that YAML frowns upon is an error. */
export const yaml = path => parseAllDocuments(text(path), { merge: true }).map(document => {
  const [problem] = [...document.errors, ...document.warnings]
  if (problem !== undefined) throw new Error(`${path}: ${problem.message}`)
  return document.toJS()
})

/** The variables of a file that sets them, as systemd and docker compose read it. */
export const variables = path => Object.fromEntries(
  text(path).split('\n').filter(line => /^[A-Z]/.test(line)).map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)])
)
