/**
 * The system calls of a server, in the order in which they began and ended.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const TRACED = 'fdatasync,fsync,pwrite64,pwritev,write,writev,sendto,sendmsg'

/** As much of what is written as shows a whole page of the log. */
const STRING_BYTES_MAX = 70_000

/** A command that runs another one in its own place, and writes down what it does. */
export const tracer = file => {
  const found = spawnSync('strace', ['--version'])
  if (found.status !== 0) throw new Error('`strace` is missing or does not run. On Debian: apt-get install strace')
  return ['strace', '-D', '-f', '-tt', '-y', '-xx', '-s', String(STRING_BYTES_MAX), '-e', `trace=${TRACED}`, '-o', file]
}

/**
 * Reads a trace: one entry for each call, with the lines at which it began and ended.
 *
 * @returns {{name: string, file: string, bytes: Buffer, began: number, ended: number, ok: boolean}[]}
 */
export const readTrace = file => {
  const calls = []
  const unfinished = new Map()
  const lines = readFileSync(file, 'latin1').split('\n')
  lines.forEach((line, at) => {
    const [, thread, rest] = /^(\d+) +\S+ (.*)$/s.exec(line) ?? []
    if (rest === undefined) return
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/s.exec(rest)
    if (resumed !== null) {
      const call = unfinished.get(thread)
      unfinished.delete(thread)
      if (call !== undefined) finish(call, at, resumed[2])
      return
    }
    const begun = /^(\w+)\((?:\d+<((?:[^>]|->)*)>)?(.*)$/s.exec(rest)
    if (begun === null) return
    const [, name, path = '', tail] = begun
    const call = { name, file: text(path), bytes: bytes(tail), began: at, ended: Infinity, ok: false }
    calls.push(call)
    if (tail.endsWith('<unfinished ...>')) unfinished.set(thread, call)
    else finish(call, at, tail)
  })
  return calls
}

const finish = (call, at, tail) => {
  call.ended = at
  call.ok = /\) += \d+$/.test(tail)
}

/** With `-xx` every string is `\x…` throughout; paths may be, too. */
const text = path => path.includes('\\x') ? bytes(`"${path}"`).toString('latin1') : path

const bytes = tail => Buffer.concat(
  Array.from(tail.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, hex]) => Buffer.from(hex.replaceAll('\\x', ''), 'hex'))
)

export const isSync = ({ name }) => name === 'fdatasync' || name === 'fsync'
export const isToSocket = ({ file }) => /^(socket|TCP)/.test(file)
export const isToLog = ({ file }) => file.endsWith('-wal')
