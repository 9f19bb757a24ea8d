/**
 * A small disk that can be filled.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, rmdirSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PIECE = Buffer.alloc(4096, 7)

export class SmallDisk {
  /** Mounts a file system of so many megabytes, until the end of the test `t`. */
  constructor (t, megabytes) {
    this.folder = mkdtempSync(join(tmpdir(), 'synapti-disk-'))
    this.ballast = join(this.folder, 'ballast')
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'synapti-test', this.folder], { encoding: 'utf8' })
    if (mounted.status !== 0) {
      rmdirSync(this.folder)
      throw new Error(`cannot mount a small disk (${(mounted.stderr ?? mounted.error?.message ?? '').trim()}): run this as root, or with \`unshare --user --map-root-user --mount\``)
    }
    t.after(() => this.#remove())
  }

  /** Leaves no room at all. */
  fill () {
    const file = openSync(this.ballast, 'a')
    try {
      for (;;) writeSync(file, PIECE)
    } catch (error) {
      if (error.code !== 'ENOSPC') throw error
    } finally {
      closeSync(file)
    }
  }

  /** Gives the room back. */
  free () {
    rmSync(this.ballast)
  }

  #remove () {
    // Lazily: a server that was just killed may still be on its way out.
    spawnSync('umount', ['--lazy', this.folder])
    rmdirSync(this.folder)
  }
}
