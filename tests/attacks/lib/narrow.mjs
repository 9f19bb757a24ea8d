/**
 * Clients behind a network that carries little, and at times nothing.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { within } from '../../clients/lib/wait.mjs'

const source = fileURLToPath(new URL('narrow.c', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'synapti-narrow-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
const program = join(folder, 'narrow')
execFileSync('cc', ['-O1', '-Wall', '-o', program, source])

export class Narrow {
  /** A way to the server for one connection, which carries so many bytes a second from there. */
  static async open (t, server, bytesPerSecond) {
    const child = spawn(program, [String(server.port), String(bytesPerSecond)], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => child.kill('SIGKILL'))
    const [line] = await within('the narrow network is there', once(child.stdout, 'data'))
    return new Narrow(child, Number(line.toString()))
  }

  constructor (child, port) {
    this.child = child
    this.port = port
  }

  /** What clients take for the server's rooms, and for its API. */
  get ws () {
    return `ws://127.0.0.1:${this.port}/v1/ws`
  }

  get http () {
    return `http://127.0.0.1:${this.port}`
  }

  /** From now on nothing is carried. */
  stop () {
    this.child.kill('SIGSTOP')
  }

  /** And now it is again. */
  goOn () {
    this.child.kill('SIGCONT')
  }
}
