/** Long polling: for networks that let nothing else through. Any node may answer any request. */
import { endFrom, sync } from './http.ts'
import { STEP1, STEP2, syncMessage } from './message.ts'
import { Timers } from './timers.ts'
import { type End, LOST, type Open, TOO_MUCH } from './transport.ts'
import { Writer } from './writer.ts'

const WAIT_S = 25
/** While others show themselves: their presence comes with the answers. */
const WAIT_AMONG_OTHERS_S = 5
/** A request without an answer is given up this long after it should have come. */
const LATE_MS = 10_000
/** Where a proxy cuts requests that take this long or longer, shorter ones are tried. */
const CUT_FROM_MS = 4000
/** Between requests where waiting ones are not allowed. */
const SHORT_EVERY_MS = 2000
/** So many answers without news may come at once before there are pauses. */
const QUICK_FREE = 3
const PAUSE_MS_MAX = 2000
const PAUSE_FIRST_MS = 125
/** Refusals in a row that a connection that was good survives. */
const SOFT_REFUSALS_MAX = 3

const NOTHING = syncMessage(STEP2, new Uint8Array([0, 0]))

export const openPoll: Open = (route, listener) => {
  const timers = new Timers()
  const abort = new AbortController()
  let isClosed = false
  let quick = 0
  let refusals = 0
  let isShort = false
  let longest_s = WAIT_S
  let isLate = false

  const close = (): void => {
    isClosed = true
    timers.clearAll()
    writer.close()
    abort.abort()
  }
  const end = (why: End): void => {
    if (isClosed) return
    close()
    listener.ended(why)
  }
  const writer = new Writer(route, listener, end)
  const pause = (delay_ms: number): Promise<void> => new Promise(resolve => timers.set('pause', delay_ms, resolve))
  const jittered = (delay_ms: number): number => delay_ms * (0.5 + route.random() / 2)

  /** Asks once; answers whether there was news. */
  const ask = async (wait_s: number): Promise<boolean> => {
    const late = new AbortController()
    timers.set('late', wait_s * 1000 + LATE_MS, () => {
      isLate = true
      late.abort(new Error('the server does not answer'))
    })
    const stop = () => late.abort()
    abort.signal.addEventListener('abort', stop)
    try {
      const messages = [syncMessage(STEP1, route.stateVector())]
      const answer = await sync(route, { messages, cursor: writer.cursor, wait_s, signal: late.signal })
      if (isClosed) return false
      listener.opened()
      writer.cursor = answer.cursor
      listener.behind(answer.isBehind)
      return answer.messages.map(message => listener.message(message)).includes(true)
    } finally {
      timers.clear('late')
      abort.signal.removeEventListener('abort', stop)
    }
  }

  const begin = async (): Promise<void> => {
    await ask(0)
    // A map without anything in it may be answered with nothing.
    if (!isClosed) listener.message(NOTHING)
    while (!isClosed) await round()
  }

  const round = async (): Promise<void> => {
    const wait_s = isShort ? 0 : Math.min(longest_s, route.isAlone() ? WAIT_S : WAIT_AMONG_OTHERS_S)
    const begin_ms = Date.now()
    try {
      const isNews = await ask(wait_s)
      refusals = 0
      if (isShort) return await pause(jittered(2 * SHORT_EVERY_MS))
      const isQuick = !isNews && Date.now() - begin_ms < wait_s * 500
      quick = isQuick ? quick + 1 : 0
    } catch (error) {
      return await refused(endFrom(error), Date.now() - begin_ms)
    }
    // Somebody who alternates between nodes makes every cursor a foreign one.
    if (quick > QUICK_FREE) await pause(jittered(Math.min(PAUSE_MS_MAX, PAUSE_FIRST_MS * 2 ** (quick - QUICK_FREE))))
  }

  const refused = async (why: End, took_ms: number): Promise<void> => {
    if (isClosed) return
    refusals++
    // A kept connection may be closed by the other side just when it is used again: one failure is none.
    const isBroken = why.code === LOST && !isLate
    const mayBeChance = isBroken && refusals === 1
    const isCut = isBroken && took_ms >= CUT_FROM_MS && took_ms < longest_s * 1000
    if (refusals > SOFT_REFUSALS_MAX || (why.code !== TOO_MUCH && !isCut && !mayBeChance)) return end(why)
    if (isCut) longest_s = Math.max(1, Math.floor(took_ms / 2000))
    if (why.code === TOO_MUCH) {
      // As a rule it is the waiting that is too much.
      isShort = true
      await pause((why.retryAfter_ms ?? 0) + jittered(SHORT_EVERY_MS))
    }
  }

  begin().catch((error: unknown) => end(endFrom(error)))
  return {
    name: 'poll',
    edit: message => writer.edit(message),
    presence: message => writer.presence(message),
    farewell: message => writer.farewell(message),
    close
  }
}
