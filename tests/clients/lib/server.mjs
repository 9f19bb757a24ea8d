/**
 * Runs the `synapti` binary for one test file: its own port, its own data folder, nothing left behind.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { addWitness, within } from './wait.mjs'

/** Only the end of a server's log is shown when a test fails. */
const LOG_LINES_SHOWN = 60
const LOG_LINES_KEPT = 5000

/** Starting creates and migrates a database; stopping drains. */
const START_DEADLINE_MS = 30_000
const STOP_DEADLINE_MS = 30_000

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** The program under test: `TEST_BINARY`, else what `cargo build` makes. */
export const binary = () => {
  const path = process.env.TEST_BINARY ?? join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'debug', 'synapti')
  if (!existsSync(path)) throw new Error(`${path} does not exist; run \`cargo build --bin synapti\` or set TEST_BINARY`)
  return path
}

/** The environment without anything that would configure the server by accident. */
const cleanEnvironment = () => Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^SYNAPTI_|_API_KEY$|^TEST_BINARY$/.test(name))
)

/**
 * A free port below the range from which the kernel takes the source ports of outgoing connections. A server that is
 * to come back on its port needs one from there: while it is down, a client of ours could be given its port.
 */
export const reservedPort = async () => {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    const probe = createServer()
    probe.listen(port, '127.0.0.1')
    const free = await Promise.race([
      once(probe, 'listening').then(() => true),
      new Promise(resolve => probe.once('error', () => resolve(false)))
    ])
    if (!free) continue
    probe.close()
    await once(probe, 'close')
    return port
  }
}

const living = new Set()
process.on('exit', () => {
  for (const server of living) server.discard()
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1))

export class Server {
  /**
   * Starts a server that is killed after the test (or the suite) `t`.
   *
   * @param {{after: (hook: () => unknown) => void}} t
   * @param {{restartable?: boolean, env?: Record<string, string>, folder?: string, wrapper?: string[]}} [options]
   *   `restartable` keeps its port over a restart; `folder` takes the data, instead of a new one; `wrapper` is a command
   *   that runs the command which follows it, in its own place
   */
  static async start (t, { restartable = false, env = {}, folder, wrapper } = {}) {
    const server = new Server(env, folder, wrapper)
    t.after(() => server.discard())
    if (restartable) server.port = await reservedPort()
    await server.start()
    return server
  }

  constructor (env, folder = mkdtempSync(join(tmpdir(), 'synapti-test-')), wrapper = []) {
    this.env = env
    this.folder = folder
    this.wrapper = wrapper
    this.port = 0
    this.child = undefined
    this.lines = []
    this.removeWitness = addWitness(() =>
      [`--- log of the server on port ${this.port} (pid ${this.child?.pid}) ---`, ...this.lines.slice(-LOG_LINES_SHOWN)].join('\n'))
    living.add(this)
  }

  get http () {
    return `http://127.0.0.1:${this.port}`
  }

  /** What `WebsocketProvider` takes as its server URL. */
  get ws () {
    return `ws://127.0.0.1:${this.port}/v1/ws`
  }

  get database () {
    return join(this.folder, 'synapti.db')
  }

  /** Starts the program (again, on the same data) and returns when it listens. */
  async start () {
    const [program, ...args] = [...this.wrapper, binary()]
    const child = spawn(program, args, {
      cwd: this.folder,
      env: {
        ...cleanEnvironment(),
        SYNAPTI_LISTEN: `127.0.0.1:${this.port}`,
        SYNAPTI_DATABASE_URL: `sqlite:${this.database}`,
        // What went wrong, without a line for each request.
        SYNAPTI_LOG: 'warn,synapti_server::app=info',
        ...this.env
      },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    this.child = child
    this.exit = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
    const address = new Promise((resolve, reject) => {
      this.exit.then(({ code, signal }) => reject(new Error(`the server ended before it listened (${code ?? signal})\n${this.log()}`)))
      this.readLines(child.stdout, () => {})
      this.readLines(child.stderr, line => {
        const listening = listenAddress(line)
        if (listening !== undefined) resolve(listening)
      })
    })
    const listening = await within('the server listens', address, START_DEADLINE_MS)
    this.port = Number(listening.slice(listening.lastIndexOf(':') + 1))
  }

  readLines (stream, onLine) {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', chunk => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        this.lines.push(line)
        onLine(line)
      }
      if (this.lines.length > 2 * LOG_LINES_KEPT) this.lines.splice(0, this.lines.length - LOG_LINES_KEPT)
    })
  }

  log () {
    return this.lines.slice(-LOG_LINES_SHOWN).join('\n')
  }

  get running () {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  /** Sends the signal and returns `{code, signal}` of the exit. */
  async stop (signal = 'SIGTERM') {
    this.child.kill(signal)
    return within(`the server ends on ${signal}`, this.exit, STOP_DEADLINE_MS)
  }

  /** Kills the process as a power switch would, and waits until it is gone. */
  async kill9 () {
    return this.stop('SIGKILL')
  }

  /** Stops the process where it stands; its sockets stay open and answer nothing. */
  pause () {
    this.child.kill('SIGSTOP')
  }

  resume () {
    this.child.kill('SIGCONT')
  }

  /** Kills without waiting and removes the data: for the end of a test. */
  discard () {
    if (!living.delete(this)) return
    if (this.running) this.child.kill('SIGKILL')
    this.removeWitness()
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 })
  }

  /** `fetch` on a path of this server; a body that is an object is sent as JSON. */
  async request (method, path, body, headers = {}) {
    const response = await within(`${method} ${path} is answered`, fetch(this.http + path, {
      method,
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    }))
    const text = await response.text()
    const json = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : undefined
    return { status: response.status, headers: response.headers, text, json }
  }
}

/** The address in a log line that says that the server listens. */
const listenAddress = line => {
  if (!line.includes('listening')) return undefined
  try {
    const { message, address } = JSON.parse(line)
    return message === 'listening' ? address : undefined
  } catch {
    return undefined
  }
}
