/** The channel of one map: the one that is there once somebody has the map open. */
import assert from 'node:assert/strict'
import { until } from '../../clients/lib/wait.mjs'

export class RoomChannel {
  /**
   * Finds the channel of the map `room`, which `open` opens for the first time.
   *
   * @param {{isSharded?: boolean}} [options] whether it is a sharded channel, as in a Redis Cluster
   */
  static async around (redis, room, open, { isSharded = false } = {}) {
    const subcommand = isSharded ? 'SHARDCHANNELS' : 'CHANNELS'
    const before = new Set(await redis.list('PUBSUB', subcommand))
    const opened = await open()
    const isNew = name => !before.has(name) && name.includes(room)
    const name = await until(`there is a channel for ${room}`, async () => (await redis.list('PUBSUB', subcommand)).find(isNew))
    return new RoomChannel(redis, name, opened, isSharded)
  }

  constructor (redis, name, opened, isSharded) {
    Object.assign(this, { redis, name, opened, isSharded })
  }

  async listeners () {
    const lines = await this.redis.list('PUBSUB', this.isSharded ? 'SHARDNUMSUB' : 'NUMSUB', this.name)
    return Number(lines[1])
  }

  async has (count, deadline_ms) {
    return until(`${count} nodes listen to ${this.name}`, async () => {
      assert.equal(await this.listeners(), count)
      return true
    }, { deadline_ms })
  }

  async publish (bytes) {
    return this.redis.publish(this.name, bytes, this.isSharded ? 'SPUBLISH' : 'PUBLISH')
  }
}
