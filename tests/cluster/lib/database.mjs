/**
 * A PostgreSQL database of one's own, on the server that `TEST_POSTGRES_URL` names.
 */
import { execFileSync } from 'node:child_process'

const PSQL_DEADLINE_MS = 30_000

const server = () => {
  const url = process.env.TEST_POSTGRES_URL
  if (!url) throw new Error('set TEST_POSTGRES_URL to a PostgreSQL where databases can be made, such as postgres://postgres@127.0.0.1:5432/postgres')
  return url
}

const sql = statement =>
  execFileSync('psql', [server(), '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-c', statement], { timeout: PSQL_DEADLINE_MS, stdio: ['ignore', 'ignore', 'inherit'] })

const living = new Set()
process.on('exit', () => {
  for (const database of living) database.discard()
})

let made = 0

export class Database {
  /** An empty database that is dropped after the test (or the suite) `t`. */
  static create (t) {
    const name = `synapti_cluster_${process.pid}_${Date.now().toString(36)}_${made++}`
    sql(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`)
    const database = new Database(name)
    living.add(database)
    t.after(() => database.discard())
    return database
  }

  constructor (name) {
    this.name = name
    const url = new URL(server())
    url.pathname = `/${name}`
    this.url = url.href
  }

  /** Its address for somebody who reaches the server through this port. */
  urlAt (port) {
    const url = new URL(this.url)
    url.hostname = '127.0.0.1'
    url.port = port
    return url.href
  }

  get port () {
    return Number(new URL(this.url).port || 5432)
  }

  /** Drops it, whoever is connected. */
  discard () {
    if (living.delete(this)) sql(`DROP DATABASE IF EXISTS ${this.name} WITH (FORCE)`)
  }
}
