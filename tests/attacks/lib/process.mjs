/**
 * What the system says of the server's process.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { until } from '../../clients/lib/wait.mjs'

/** Files and sockets that it has open. */
export const openFiles = server => readdirSync(`/proc/${server.child.pid}/fd`).length

/** Its memory that no file backs. */
export const memoryBytes = server => {
  const [, kilobytes] = /^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))
  return 1024 * Number(kilobytes)
}

/** Waits until it has no more files open than `before`. */
export const filesClosed = (server, before) =>
  until('the server has closed what the attackers left', () => openFiles(server) <= before, { detail: () => ({ before, now: openFiles(server) }) })

/** A counter or gauge of its `/metrics`. */
export const metric = async (server, name) => {
  const { text } = await server.request('GET', '/metrics')
  const line = text.split('\n').find(line => line.startsWith(`${name} `))
  return line === undefined ? 0 : Number(line.slice(name.length + 1))
}
