/**
 * A `redis-server` of one's own: in memory only, on a port that it keeps over a restart.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { reservedPort } from '../../clients/lib/server.mjs'
import { addWitness, until, within } from '../../clients/lib/wait.mjs'

const run = promisify(execFile)

const CLI_DEADLINE_MS = 10_000
const LOG_LINES_SHOWN = 20

const living = new Set()
process.on('exit', () => {
  for (const redis of living) redis.discard()
})

export class Redis {
  /**
   * @param {{args?: string[], cli?: string[]}} [options] `args` for `redis-server`, beside those that every one gets; `cli` for
   *   each `redis-cli`, such as a password
   */
  static async start (t, { args = [], cli = [] } = {}) {
    const redis = new Redis(await reservedPort(), args, cli)
    t.after(() => redis.discard())
    await redis.start()
    return redis
  }

  constructor (port, args, cli) {
    this.port = port
    this.args = args
    this.cliArgs = cli
    this.folder = mkdtempSync(join(tmpdir(), 'synapti-redis-'))
    this.log = []
    this.removeWitness = addWitness(() => [`--- log of the Redis on port ${port} ---`, ...this.log.slice(-LOG_LINES_SHOWN)].join('\n'))
    living.add(this)
  }

  get url () {
    return `redis://127.0.0.1:${this.port}`
  }

  get running () {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  /** Starts it, empty, and returns when it takes connections. */
  async start () {
    const child = spawn('redis-server', [
      '--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.folder, '--save', '', '--appendonly', 'no', ...this.args
    ], { stdio: ['ignore', 'pipe', 'pipe'] })
    this.child = child
    this.exit = once(child, 'exit')
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', text => this.log.push(...text.split('\n').filter(Boolean)))
    }
    await until('Redis takes connections', () => {
      if (!this.running) throw new Error('redis-server has ended')
      return this.log.some(line => line.startsWith(`${child.pid}:`) && line.includes('Ready to accept connections'))
    })
  }

  /** Ends it at once, as a crash does. */
  async kill () {
    this.child.kill('SIGKILL')
    await within('Redis is gone', this.exit)
  }

  /** Stops it where it stands: connections stay open, and nothing is answered. */
  pause () {
    this.child.kill('SIGSTOP')
  }

  resume () {
    this.child.kill('SIGCONT')
  }

  /** What `redis-cli` prints for the command. */
  async cli (...command) {
    const { stdout } = await run('redis-cli', [...this.#address(), ...command.map(String)], { timeout: CLI_DEADLINE_MS })
    return stdout.trim()
  }

  /** The lines that it prints, without empty ones. */
  async list (...command) {
    return (await this.cli(...command)).split('\n').filter(Boolean)
  }

  /** Publishes bytes as they are; returns how many have been sent them. */
  async publish (channel, bytes) {
    const child = execFile('redis-cli', [...this.#address(), '-x', 'PUBLISH', channel], { timeout: CLI_DEADLINE_MS })
    let printed = ''
    child.stdout.on('data', text => { printed += text })
    child.stdin.end(bytes)
    await once(child, 'close')
    return Number(printed.trim())
  }

  /** Notes what is published on the channels that the pattern names, as `{channel, bytes}`, until `stop()`. */
  async listen (t, pattern) {
    const child = spawn('redis-cli', [...this.#address(), '--no-raw', 'PSUBSCRIBE', pattern], { stdio: ['ignore', 'pipe', 'inherit'] })
    t.after(() => child.kill('SIGKILL'))
    const heard = []
    let printed = ''
    child.stdout.setEncoding('latin1')
    child.stdout.on('data', text => {
      printed += text
      const whole = printed.lastIndexOf('\n') + 1
      const messages = printed.slice(0, whole).matchAll(/\d\) "pmessage"\n *2\) "(.*)"\n *3\) "(.*)"\n *4\) "(.*)"\n/g)
      let read = 0
      for (const message of messages) {
        heard.push({ channel: unescaped(message[2]).toString(), bytes: unescaped(message[3]) })
        read = message.index + message[0].length
      }
      printed = printed.slice(read)
    })
    await until('redis-cli has subscribed', async () => await this.cli('PUBSUB', 'NUMPAT') !== '0')
    const stop = async () => {
      child.kill('SIGKILL')
      await until('redis-cli has gone', async () => await this.cli('PUBSUB', 'NUMPAT') === '0')
    }
    return { heard, stop }
  }

  discard () {
    if (!living.delete(this)) return
    if (this.running) this.child.kill('SIGKILL')
    this.removeWitness()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  #address () {
    return ['-h', '127.0.0.1', '-p', `${this.port}`, ...this.cliArgs]
  }
}

const ESCAPES = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b', '"': '"', '\\': '\\' }

/** The bytes that `redis-cli` shows in quotes. */
const unescaped = shown =>
  Buffer.from(shown.replace(/\\(?:x([0-9a-f]{2})|(.))/g, (_all, hex, letter) => hex === undefined ? ESCAPES[letter] : String.fromCharCode(parseInt(hex, 16))), 'latin1')
