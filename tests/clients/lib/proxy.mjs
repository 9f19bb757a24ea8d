/** Networks between a client and its server, each with one bad habit. */
import { connect, createServer } from 'node:net'
import { once } from 'node:events'

/**
 * Passes connections on to `port`.
 *
 * @param {{cutAfterMs?: number, blocksUpgrades?: boolean, buffersMs?: number}} habits `cutAfterMs`: every connection ends then,
 *   whatever is on its way; `blocksUpgrades`: who asks for a WebSocket is answered 403; `buffersMs`: what the server says is
 *   collected for so long before it is passed on
 */
export const proxy = async (t, port, { cutAfterMs, blocksUpgrades = false, buffersMs } = {}) => {
  const counts = { connections: 0, cut: 0 }
  const open = new Set()
  const listener = createServer(client => {
    counts.connections++
    const server = connect(port, '127.0.0.1')
    open.add(client).add(server)
    const timers = []
    const end = () => {
      timers.forEach(clearTimeout)
      for (const side of [client, server]) {
        side.destroy()
        open.delete(side)
      }
    }
    for (const side of [client, server]) side.on('error', end).on('close', end)
    if (cutAfterMs !== undefined) timers.push(setTimeout(() => { counts.cut++; end() }, cutAfterMs))
    client.on('data', chunk => {
      if (blocksUpgrades && /\r\nupgrade: websocket/i.test(chunk.toString('latin1'))) {
        client.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
        server.destroy()
      } else server.write(chunk)
    })
    let held = []
    server.on('data', chunk => {
      if (buffersMs === undefined) return client.write(chunk)
      if (held.push(chunk) > 1) return
      timers.push(setTimeout(() => { client.write(Buffer.concat(held)); held = [] }, buffersMs))
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  t.after(() => {
    listener.close()
    open.forEach(side => side.destroy())
  })
  return { http: `http://127.0.0.1:${listener.address().port}`, port: listener.address().port, counts }
}
