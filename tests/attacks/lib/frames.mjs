/**
 * WebSocket frames byte by byte, right and wrong ones.
 */
export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** Clients mask what they send; any key will do. */
const MASK = Buffer.from([0x12, 0x34, 0x56, 0x78])

/** A frame as clients send them. `rsv` is a number of three bits; `masked: false` is an offence. */
export const frame = (opcode, payload = Buffer.alloc(0), { fin = true, rsv = 0, masked = true } = {}) => {
  const body = Buffer.from(payload)
  const head = [(fin ? 0x80 : 0) | (rsv << 4) | opcode]
  const flag = masked ? 0x80 : 0
  if (body.length < 126) head.push(flag | body.length)
  else if (body.length < 65_536) head.push(flag | 126, body.length >> 8, body.length & 0xFF)
  else {
    const length = Buffer.alloc(8)
    length.writeBigUInt64BE(BigInt(body.length))
    head.push(flag | 127, ...length)
  }
  if (!masked) return Buffer.concat([Buffer.from(head), body])
  for (let at = 0; at < body.length; at++) body[at] ^= MASK[at % 4]
  return Buffer.concat([Buffer.from(head), MASK, body])
}

/** The payload of a close frame. */
export const closing = (code, reason = '') => {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return Buffer.concat([payload, Buffer.from(reason)])
}

/** Cuts what a server sends into `{opcode, payload}`; what is not whole is the second answer. */
export const parse = bytes => {
  const frames = []
  let at = 0
  for (;;) {
    const rest = bytes.subarray(at)
    if (rest.length < 2) break
    let [length, head] = [rest[1] & 0x7F, 2]
    if (length === 126) head = 4
    if (length === 127) head = 10
    if (rest.length < head) break
    if (length === 126) length = rest.readUInt16BE(2)
    if (length === 127) length = Number(rest.readBigUInt64BE(2))
    if (rest.length < head + length) break
    frames.push({ opcode: rest[0] & 0x0F, payload: Buffer.from(rest.subarray(head, head + length)) })
    at += head + length
  }
  return [frames, bytes.subarray(at)]
}
