/** A folder where one recipe runs: its files, the packages that it says it needs, and nothing else. */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { binary } from '../../clients/lib/server.mjs'
import { addWitness, until } from '../../clients/lib/wait.mjs'
import { documentText, namedBlocks, root } from './blocks.mjs'

/** The address that readers type. */
const ADDRESS = '127.0.0.1:8080'

const PYTHON = process.env.TEST_PYTHON ?? 'python3'

const PROGRAMS = { mjs: process.execPath, py: PYTHON, sh: 'bash' }

export const recipes = new Map(namedBlocks(documentText('docs/recipes.md')).map(block => [block.name, block.text]))

/** Whether Python can import a module. */
export const pythonHas = module => spawnSync(PYTHON, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0

export class Kitchen {
  /** @param {string} packages the folder whose `node_modules` has what the recipe installs */
  constructor (t, server, packages = 'tests/clients') {
    this.server = server
    this.packages = join(root, packages, 'node_modules')
    this.folder = mkdtempSync(join(tmpdir(), 'synapti-recipe-'))
    this.output = ''
    mkdirSync(join(this.folder, 'bin'))
    symlinkSync(binary(), join(this.folder, 'bin', 'synapti'))
    const removeWitness = addWitness(() => `--- output of the recipe ---\n${this.output}`)
    t.after(() => {
      removeWitness()
      this.end()
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  /** Writes a recipe down as somebody who copies it would, and installs what it asks for. */
  write (name) {
    const text = recipes.get(name)
    if (text === undefined) throw new Error(`docs/recipes.md has no recipe ${name}`)
    if (!text.includes(ADDRESS) && text.includes('127.0.0.1')) throw new Error(`${name} uses another address than ${ADDRESS}`)
    writeFileSync(join(this.folder, name), text.replaceAll(ADDRESS, `127.0.0.1:${this.server.port}`))
    const install = /^\/\/ npm install (.*)$/m.exec(text)
    install?.[1].split(' ').forEach(name => this.#install(name))
  }

  #install (name) {
    const to = join(this.folder, 'node_modules', name)
    mkdirSync(dirname(to), { recursive: true })
    if (name === '@synapti/client') {
      // As it is published: a link would bring the Yjs that it is developed with.
      const from = join(root, 'web', 'client')
      if (!existsSync(join(from, 'dist'))) throw new Error('web/client is not built: npm ci && npm run build')
      for (const part of ['dist', 'package.json']) cpSync(join(from, part), join(to, part), { recursive: true })
      for (const dependency of ['lib0', 'y-protocols']) {
        symlinkSync(join(this.packages, dependency), join(dirname(dirname(to)), dependency))
      }
      return
    }
    const from = join(this.packages, name)
    if (!existsSync(from)) throw new Error(`${from} is missing: npm ci`)
    symlinkSync(from, to)
  }

  /** Starts a recipe; what it writes is in `output`. */
  start (name) {
    this.write(name)
    this.child = spawn(PROGRAMS[name.split('.').pop()], [name], {
      cwd: this.folder,
      env: { ...process.env, PATH: join(this.folder, 'bin') + delimiter + process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that the parts of a pipe end with it.
      detached: true
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', text => { this.output += text })
    }
    this.child.once('close', code => { this.code = code })
    return this
  }

  /** Waits for text in the output; meanwhile somebody goes on doing something. */
  async says (wanted, meanwhile = () => {}) {
    await until(`the recipe says ${wanted}`, async () => {
      await meanwhile()
      if (this.output.match(wanted)) return true
      if (this.code > 0) throw new Error(`it has ended with ${this.code}`)
      return false
    })
  }

  /** Waits until it has ended well. */
  async ends (meanwhile = () => {}) {
    await until('the recipe ends', async () => {
      await meanwhile()
      return this.code !== undefined
    })
    if (this.code !== 0) throw new Error(`the recipe has ended with ${this.code}\n${this.output}`)
  }

  end () {
    if (this.child === undefined || this.code !== undefined) return
    try {
      process.kill(-this.child.pid, 'SIGKILL')
    } catch (error) {
      if (error.code !== 'ESRCH') throw error
    }
  }
}
