/** A Redis Cluster of one's own, without replicas. */
import assert from 'node:assert/strict'
import { reservedPort } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { Redis } from './redis.mjs'

const SLOTS = 16_384
const NODE_TIMEOUT_MS = 2_000

export class RedisCluster {
  static async start (t, size) {
    const cluster = new RedisCluster(await Promise.all(Array.from({ length: size }, async () => Redis.start(t, {
      args: [
        '--cluster-enabled', 'yes', '--cluster-port', `${await reservedPort()}`, '--cluster-announce-ip', '127.0.0.1',
        '--cluster-node-timeout', `${NODE_TIMEOUT_MS}`, '--cluster-require-full-coverage', 'no'
      ]
    }))))
    await cluster.#form()
    return cluster
  }

  constructor (members) {
    this.members = members
  }

  async #form () {
    const [first, ...others] = this.members
    for (const [index, member] of this.members.entries()) {
      const [from, to] = [index, index + 1].map(part => Math.floor(part * SLOTS / this.members.length))
      await member.cli('CLUSTER', 'ADDSLOTSRANGE', from, to - 1)
      await member.cli('CLUSTER', 'SET-CONFIG-EPOCH', index + 1)
    }
    for (const member of others) await first.cli('CLUSTER', 'MEET', '127.0.0.1', member.port, await busPort(member))
    await this.isWhole()
  }

  /** Waits until every member knows of all slots and all members. */
  async isWhole () {
    return until('the Redis Cluster is whole', async () => {
      for (const member of this.members) {
        const info = await member.cli('CLUSTER', 'INFO')
        for (const line of ['cluster_state:ok', `cluster_slots_ok:${SLOTS}`, `cluster_known_nodes:${this.members.length}`]) assert.ok(info.includes(line), info)
      }
      return true
    })
  }
}

const busPort = async member => (await member.list('CONFIG', 'GET', 'cluster-port'))[1]
