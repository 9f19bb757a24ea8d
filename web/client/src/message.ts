/** Messages of y-protocols and of `synapti.v1`, as bytes. */
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'

export const SYNC = 0
export const AWARENESS = 1
export const AUTH = 2
export const QUERY_AWARENESS = 3
export const ACK = 120
export const NOTICE = 121

export const STEP1 = 0
export const STEP2 = 1
export const UPDATE = 2

const write = (run: (encoder: encoding.Encoder) => void): Uint8Array => {
  const encoder = encoding.createEncoder()
  run(encoder)
  return encoding.toUint8Array(encoder)
}

export const syncMessage = (kind: typeof STEP1 | typeof STEP2 | typeof UPDATE, body: Uint8Array): Uint8Array => write(encoder => {
  encoding.writeVarUint(encoder, SYNC)
  encoding.writeVarUint(encoder, kind)
  encoding.writeVarUint8Array(encoder, body)
})

export const awarenessMessage = (update: Uint8Array): Uint8Array => write(encoder => {
  encoding.writeVarUint(encoder, AWARENESS)
  encoding.writeVarUint8Array(encoder, update)
})

/** The body of `/sync`: each message with its length before it. */
export const pack = (messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => write(encoder => {
  for (const message of messages) encoding.writeVarUint8Array(encoder, message)
}) as Uint8Array<ArrayBuffer>

export const unpack = (body: Uint8Array): Uint8Array[] => {
  const decoder = decoding.createDecoder(body)
  const messages: Uint8Array[] = []
  while (decoding.hasContent(decoder)) messages.push(decoding.readVarUint8Array(decoder))
  return messages
}

export const isStep1 = (message: Uint8Array): boolean => message[0] === SYNC && message[1] === STEP1
export const isStep2 = (message: Uint8Array): boolean => message[0] === SYNC && message[1] === STEP2
