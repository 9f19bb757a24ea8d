/**
 * The cases of groups 2 to 5 and 7 of the Autobahn test suite, adapted to a server that speaks a binary protocol: where a case
 * sends a text message and expects it back, this one sends a question that is answered.
 *
 * A case is `{send, chops?, answers?, pongs?, close}`: the frames; whether each is written by itself ('frames') or each byte
 * ('octets'); how many answers have to come; the payloads of the pongs; and the code with which the server has to close. A case
 * that does not end the connection by itself is ended with a close frame of code 1000.
 */
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, closing, frame } from './frames.mjs'

const NORMAL = 1000
const PROTOCOL_ERROR = 1002
const INVALID_PAYLOAD = 1007

/** SyncStep1 of somebody who has nothing: answered with a SyncStep2. */
export const QUESTION = Buffer.from([0, 0, 1, 0])
const [FIRST, SECOND] = [QUESTION.subarray(0, 2), QUESTION.subarray(2)]
/** A notice, which only servers have to say: taken and ignored. */
const LARGE = Buffer.concat([Buffer.from([121, 0x80, 0x80, 0x10]), Buffer.alloc(256 * 1024, 'x')])

const ask = (options) => frame(BINARY, QUESTION, options)
const begin = () => frame(BINARY, FIRST, { fin: false })
const complete = () => frame(CONTINUATION, SECOND)
const close = (code, reason) => frame(CLOSE, closing(code, reason))
const numbered = count => Array.from({ length: count }, (_, index) => Buffer.from(`payload-${index}`))

const refused = (...send) => ({ send, close: PROTOCOL_ERROR })
const fine = (...send) => ({ send, answers: 1, close: NORMAL })
const pinged = (payload, chops) => ({ send: [frame(PING, payload)], chops, pongs: [payload], close: NORMAL })
/** A question that is answered, then an offence, then a ping that is not. */
const afterAnswer = (offence, chops) => ({ send: [ask(), offence, frame(PING)], chops, answers: 1, close: PROTOCOL_ERROR })
const nothingToContinue = (fin, chops) => ({ send: [frame(CONTINUATION, QUESTION, { fin }), ask()], chops, close: PROTOCOL_ERROR })
const inParts = (chops, ...between) => ({
  send: [begin(), ...between, complete()], chops, answers: 1, pongs: between.map(() => Buffer.from('between')), close: NORMAL
})
/** Pings while a message is on its way are answered at once. */
const slowly = chops => ({
  send: [
    frame(BINARY, QUESTION.subarray(0, 1), { fin: false }), frame(CONTINUATION, QUESTION.subarray(1, 2), { fin: false }),
    frame(PING, Buffer.from('one')), 'pong',
    frame(CONTINUATION, QUESTION.subarray(2, 3), { fin: false }), frame(CONTINUATION, Buffer.alloc(0), { fin: false }),
    frame(PING, Buffer.from('two')), 'pong', frame(CONTINUATION, QUESTION.subarray(3))
  ],
  chops,
  answers: 1,
  pongs: [Buffer.from('one'), Buffer.from('two')],
  close: NORMAL
})
const between = frame(PING, Buffer.from('between'))

export const CASES = {
  2.1: pinged(Buffer.alloc(0)),
  2.2: pinged(Buffer.from('Hello, world!')),
  2.3: pinged(Buffer.from([0x00, 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0x00, 0xFF])),
  2.4: pinged(Buffer.alloc(125, 0xFE)),
  2.5: refused(frame(PING, Buffer.alloc(126, 0xFE))),
  2.6: pinged(Buffer.alloc(125, 0xFE), 'octets'),
  2.7: { send: [frame(PONG)], close: NORMAL },
  2.8: { send: [frame(PONG, Buffer.from('unsolicited'))], close: NORMAL },
  2.9: { send: [frame(PONG, Buffer.from('unsolicited')), frame(PING, Buffer.from('ping'))], pongs: [Buffer.from('ping')], close: NORMAL },
  '2.10': { send: numbered(10).map(payload => frame(PING, payload)), pongs: numbered(10), close: NORMAL },
  2.11: { send: numbered(10).map(payload => frame(PING, payload)), pongs: numbered(10), chops: 'octets', close: NORMAL },

  3.1: refused(ask({ rsv: 1 })),
  3.2: afterAnswer(ask({ rsv: 2 })),
  3.3: afterAnswer(ask({ rsv: 3 }), 'frames'),
  3.4: afterAnswer(ask({ rsv: 4 }), 'octets'),
  3.5: refused(frame(BINARY, Buffer.alloc(8, 0xFF), { rsv: 5 })),
  3.6: refused(frame(PING, Buffer.from('Hello'), { rsv: 6 })),
  3.7: refused(frame(CLOSE, closing(1000), { rsv: 7 })),

  '4.1.1': refused(frame(3)),
  '4.1.2': refused(frame(4, Buffer.from('reserved opcode payload'))),
  '4.1.3': afterAnswer(frame(5)),
  '4.1.4': afterAnswer(frame(6, Buffer.from('reserved'))),
  '4.1.5': afterAnswer(frame(7, Buffer.from('reserved'))),
  '4.2.1': refused(frame(11)),
  '4.2.2': refused(frame(12, Buffer.from('reserved'))),
  '4.2.3': afterAnswer(frame(13)),
  '4.2.4': afterAnswer(frame(14, Buffer.from('reserved'))),
  '4.2.5': afterAnswer(frame(15, Buffer.from('reserved'))),

  5.1: refused(frame(PING, Buffer.from('fragment1'), { fin: false }), frame(CONTINUATION, Buffer.from('fragment2'))),
  5.2: refused(frame(PONG, Buffer.from('fragment1'), { fin: false }), frame(CONTINUATION, Buffer.from('fragment2'))),
  5.3: inParts(),
  5.4: inParts('frames'),
  5.5: inParts('octets'),
  5.6: inParts(undefined, between),
  5.7: inParts('frames', between),
  5.8: inParts('octets', between),
  5.9: nothingToContinue(true),
  '5.10': nothingToContinue(true, 'frames'),
  5.11: nothingToContinue(true, 'octets'),
  5.12: nothingToContinue(false),
  5.13: nothingToContinue(false, 'frames'),
  5.14: nothingToContinue(false, 'octets'),
  5.15: {
    send: [begin(), complete(), frame(CONTINUATION, QUESTION, { fin: false }), ask()], answers: 1, close: PROTOCOL_ERROR
  },
  5.16: refused(frame(CONTINUATION, QUESTION, { fin: false }), begin(), complete(), frame(CONTINUATION, QUESTION, { fin: false }), begin(), complete()),
  5.17: refused(frame(CONTINUATION, QUESTION), begin(), complete(), frame(CONTINUATION, QUESTION), begin(), complete()),
  5.18: refused(begin(), frame(BINARY, SECOND)),
  5.19: slowly(),
  '5.20': slowly('octets'),

  '7.1.1': fine(ask(), close(1000)),
  '7.1.2': { send: [close(1000), close(1000)], close: NORMAL },
  '7.1.3': { send: [close(1000), frame(PING)], close: NORMAL },
  '7.1.4': { send: [close(1000), ask()], close: NORMAL },
  '7.1.5': { send: [begin(), close(1000), complete()], close: NORMAL },
  '7.1.6': { send: [frame(BINARY, LARGE), close(1000), frame(PING)], close: NORMAL },

  // A close frame without a code is answered with one without.
  '7.3.1': { send: [frame(CLOSE)], close: 1005 },
  '7.3.2': refused(frame(CLOSE, Buffer.from('a'))),
  '7.3.3': { send: [close(1000)], close: NORMAL },
  '7.3.4': { send: [close(1000, 'Hello World!')], close: NORMAL },
  '7.3.5': { send: [close(1000, '*'.repeat(123))], close: NORMAL },
  '7.3.6': refused(close(1000, '*'.repeat(124))),
  '7.5.1': { send: [frame(CLOSE, Buffer.concat([closing(1000), Buffer.from([0xCE, 0xBA, 0xED, 0xA0, 0x80])]))], close: INVALID_PAYLOAD },
  ...Object.fromEntries([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
    .map((code, index) => [`7.7.${index + 1}`, { send: [close(code)], close: code }])),
  ...Object.fromEntries([0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999]
    .map((code, index) => [`7.9.${index + 1}`, refused(close(code))])),
  '7.13.1': refused(close(5000)),
  '7.13.2': refused(close(65535)),

  // Not in the suite: this protocol is binary, and clients mask.
  'a text message': { send: [frame(TEXT, Buffer.from('Hello, world!'))], close: 4400 },
  'a text message that is not UTF-8': { send: [frame(TEXT, Buffer.from([0xCE, 0xBA, 0xED, 0xA0, 0x80]))], close: INVALID_PAYLOAD },
  'a frame without a mask': refused(frame(BINARY, QUESTION, { masked: false }))
}
