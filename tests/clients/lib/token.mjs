/** Tokens as any library makes them. */
import { createHmac } from 'node:crypto'

export const SECRET = 'correct horse battery staple 0123456789'

/** Settings of a server that wants them. */
export const guarded = { SYNAPTI_AUTH_MODE: 'required', SYNAPTI_AUTH_SECRET: SECRET }

const base64url = text => Buffer.from(text).toString('base64url')

/** A token with roles in `graphs`, good for `seconds`. */
export const token = (graphs, { sub = 'ada', seconds = 600, ...claims } = {}) => {
  const payload = { sub, exp: Math.floor(Date.now() / 1000) + seconds, graphs, ...claims }
  const signed = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify(payload))}`
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`
}
