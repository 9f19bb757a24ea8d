/** The channel on which nodes talk about one map: its name has the map's id in it. */
import assert from 'node:assert/strict'
import { until } from '../../clients/lib/wait.mjs'

export class RoomChannel {
  /** Waits until some node listens to it. `isSharded`: it is a sharded channel, as in a Redis Cluster. */
  static async of (redis, room, { isSharded = false } = {}) {
    const name = await until(`there is a channel for ${room}`, async () =>
      (await redis.list('PUBSUB', isSharded ? 'SHARDCHANNELS' : 'CHANNELS')).find(name => name.includes(room)))
    return new RoomChannel(redis, name, isSharded)
  }

  constructor (redis, name, isSharded) {
    Object.assign(this, { redis, name, isSharded })
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
}
