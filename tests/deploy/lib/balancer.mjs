/**
 * HAProxy with deploy/haproxy.cfg, in front of any two ports.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { reservedPort } from '../../clients/lib/server.mjs'
import { root } from './files.mjs'

/** Debian puts it where only root looks. */
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` }

/** Why tests with a balancer are left out, or false. */
export const noBalancer = spawnSync('haproxy', ['-v'], { env: environment }).error !== undefined && 'HAProxy is not installed'

/** Starts one that is gone after the test `t`. */
export const balance = async (t, [first, second]) => {
  const port = await reservedPort()
  const balancer = spawn('haproxy', ['-db', '-f', 'deploy/haproxy.cfg'], {
    cwd: root,
    env: { ...environment, BALANCER_BIND: `127.0.0.1:${port}`, NODE1: `127.0.0.1:${first}`, NODE2: `127.0.0.1:${second}` },
    stdio: 'ignore'
  })
  t.after(async () => {
    balancer.kill('SIGKILL')
    if (balancer.exitCode === null && balancer.signalCode === null) await once(balancer, 'exit')
  })
  return { http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}/v1/ws` }
}
