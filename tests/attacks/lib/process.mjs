/**
 * What the system says of the server's process.
 */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'
import { until } from '../../clients/lib/wait.mjs'

/** Sockets that it has open. Files come and go with the readers of its database. */
export const openSockets = server => {
  const folder = `/proc/${server.child.pid}/fd`
  return readdirSync(folder).filter(fd => linkOf(`${folder}/${fd}`).startsWith('socket:')).length
}

// One that was closed since the list was read is none.
const linkOf = path => {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Its memory that no file backs. */
export const memoryBytes = server => {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))
  return 1024 * Number(kilobytes)
}

/** Waits until it has no more sockets open than `before`. */
export const socketsClosed = (server, before) =>
  until('the server has closed what the attackers left', () => openSockets(server) <= before, { detail: () => ({ before, now: openSockets(server) }) })

/** A counter or gauge of its `/metrics`. */
export const metric = async (server, name) => {
  const { text } = await server.request('GET', '/metrics')
  const line = text.split('\n').find(line => line.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}
