/**
 * Several nodes with one database, and one Redis behind a link for each node.
 */
import { Server } from '../../clients/lib/server.mjs'
import { Database } from './database.mjs'
import { Link } from './link.mjs'
import { Redis } from './redis.mjs'

const NAMES = ['A', 'B', 'C', 'D', 'E']

export class Cluster {
  /**
   * Starts everything; all of it ends after the test (or the suite) `t`.
   *
   * @param {{nodes?: number, redis?: boolean | Redis, links?: boolean, storeLinks?: boolean, env?: Record<string, string>}} [options]
   *   `redis` may be one that is there; without `links` the nodes are given its own address; with `storeLinks` PostgreSQL
   *   is behind links too
   */
  static async start (t, { nodes = 3, redis = true, links = true, storeLinks = false, env = {} } = {}) {
    const cluster = new Cluster(t, env)
    // The nodes end before what they stand on.
    t.after(() => cluster.nodes.forEach(node => node.discard()))
    cluster.database = Database.create(t)
    if (redis !== false) cluster.redis = redis === true ? await Redis.start(t) : redis
    Object.assign(cluster, { hasLinks: links, hasStoreLinks: storeLinks })
    await Promise.all(NAMES.slice(0, nodes).map(name => cluster.add(name)))
    cluster.nodes.sort((a, b) => a.name.localeCompare(b.name))
    return cluster
  }

  constructor (t, env) {
    this.t = t
    this.env = env
    this.nodes = []
  }

  /** One more node. */
  async add (name, env = {}) {
    const link = this.redis !== undefined && this.hasLinks ? await Link.open(this.t, this.redis.port) : undefined
    const url = link?.url ?? this.redis?.url
    const storeLink = this.hasStoreLinks ? await Link.open(this.t, this.database.port) : undefined
    const node = await Server.start(this.t, {
      restartable: true,
      env: { SYNAPTI_DATABASE_URL: storeLink === undefined ? this.database.url : this.database.urlAt(storeLink.port), ...(url === undefined ? {} : { SYNAPTI_REDIS_URL: url }), ...this.env, ...env }
    })
    this.nodes.push(Object.assign(node, { name, link, storeLink }))
    return node
  }

  /** A node that is not needed any more. */
  remove (node) {
    node.discard()
    this.nodes = this.nodes.filter(other => other !== node)
  }

  get running () {
    return this.nodes.filter(node => node.running)
  }

  /** The node after this one, in a circle, among those that run. */
  after (node) {
    const at = this.nodes.indexOf(node)
    return [...this.nodes.slice(at + 1), ...this.nodes.slice(0, at)].find(other => other.running)
  }

  /** Asks all running nodes the same; answers in their order. */
  async ask (method, path, body, headers) {
    return Promise.all(this.running.map(node => node.request(method, path, body, headers)))
  }
}

/** All counters and gauges of a node, by name with labels. */
export const metrics = async node => {
  const { text } = await node.request('GET', '/metrics')
  return new Map(text.split('\n').filter(line => line !== '' && !line.startsWith('#')).map(line => {
    const end = line.lastIndexOf(' ')
    return [line.slice(0, end), Number(line.slice(end + 1))]
  }))
}

/** The sum of a metric over its labels, of those that contain `label`; 0 when it is not there. */
export const metric = async (node, name, label = '') =>
  [...await metrics(node)]
    .filter(([full]) => (full === name || full.startsWith(`${name}{`)) && full.includes(label))
    .reduce((sum, [, value]) => sum + value, 0)

/** `up`, `away` or `off`. */
export const busStatus = async node => (await node.request('GET', '/health')).json.components.bus.status
