/** A server that wants tokens, and tokens that it takes. */
import { createHmac } from 'node:crypto'

const SECRET = 'only for tests, and longer than thirty-two bytes'

/** For `Server.start`. */
export const WANTS_TOKENS = { SYNAPTI_AUTH_MODE: 'required', SYNAPTI_AUTH_SECRET: SECRET }

const part = json => Buffer.from(JSON.stringify(json)).toString('base64url')

/**
 * A token (HS256). `graphs` is map id (or `*`) to role.
 *
 * @param {{lasts_seconds?: number, secret?: string}} [options]
 */
export const tokenFor = (sub, graphs, { lasts_seconds = 3600, secret = SECRET } = {}) => {
  const now = Math.floor(Date.now() / 1000)
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub, graphs, iat: now, exp: now + lasts_seconds })}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

/** The server as somebody with this token meets it over HTTP. */
export const withToken = (server, token) => ({
  http: server.http,
  request: (method, path, body, headers = {}) => server.request(method, path, body, { authorization: `Bearer ${token}`, ...headers })
})
