/** A disk that is full when a test says so, without any rights: the program may not write to any file for a while. */
import { execFileSync } from 'node:child_process'

/** For `Server.start`: a write beyond the limit then fails, where it would otherwise end the program. */
export const MAY_FILL = ['sh', '-c', 'trap "" XFSZ; exec "$0"']

const limit = (server, bytes) => execFileSync('prlimit', ['--pid', String(server.child.pid), `--fsize=${bytes}:unlimited`])

export const fillDisk = server => limit(server, 1)
export const freeDisk = server => limit(server, 'unlimited')
