/**
 * A disk that is slow to flush: see slow-disk.c.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scratchFolder } from './folder.mjs'

const source = fileURLToPath(new URL('slow-disk.c', import.meta.url))

export class SlowDisk {
  constructor (t, delayMs) {
    const folder = scratchFolder(t, 'slow-disk')
    this.library = join(folder, 'slow-disk.so')
    this.delayFile = join(folder, 'delay')
    this.logFile = join(folder, 'log')
    const compiled = spawnSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', this.library, source, '-ldl'], { encoding: 'utf8' })
    if (compiled.status !== 0) throw new Error(`cc cannot compile ${source} (on Debian: apt-get install build-essential): ${compiled.stderr ?? compiled.error?.message}`)
    this.delay(delayMs)
  }

  /** For the server that is to suffer from it. */
  get env () {
    return { LD_PRELOAD: this.library, SLOW_DISK_DELAY: this.delayFile, SLOW_DISK_LOG: this.logFile }
  }

  /** Flushes that begin from now on take so many milliseconds longer. */
  delay (ms) {
    // A reader finds the old file or the new one, whole.
    writeFileSync(`${this.delayFile}.new`, `${ms}\n`)
    renameSync(`${this.delayFile}.new`, this.delayFile)
  }

  /** Flushes of the store's log that have begun, by number, and whether each has ended. */
  logFlushes () {
    const lines = existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').split('\n') : []
    const flushes = new Map()
    for (const line of lines) {
      const [what, number, path] = line.split(' ')
      if (what === 'begin' && path.endsWith('-wal')) flushes.set(Number(number), false)
      if (what === 'end' && flushes.has(Number(number))) flushes.set(Number(number), true)
    }
    return flushes
  }
}
