/**
 * By a trace of the server's system calls: an edit is on disk before anybody hears of it.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Extended } from '../../clients/lib/extended.mjs'
import { Server } from '../../clients/lib/server.mjs'
import { until } from '../../clients/lib/wait.mjs'
import { isSync, isToLog, isToSocket, readTrace, tracer } from '../lib/trace.mjs'

const EDITS = 30

/** A WebSocket frame with an ack of an edit below 128. */
const ackFrame = edit => Buffer.from([0x82, 2, 120, edit])

test('every ack, and every frame, follows the flush of its edit', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'synapti-trace-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const trace = join(folder, 'trace')
  const server = await Server.start(t, { wrapper: tracer(trace) })
  const [writer, reader] = [await Extended.join(t, server, 'order'), await Extended.join(t, server, 'order')]

  const edits = []
  for (let index = 0; index < EDITS; index++) {
    const mark = `mark-${String(index).padStart(4, '0')}-${server.port}`
    edits.push({ mark, number: writer.set('key', mark) })
    await writer.saved()
    await until('the other client has the edit', () => reader.map.get('key') === mark)
  }
  assert.deepEqual(await server.stop(), { code: 0, signal: null })
  assert.ok(edits.at(-1).number < 128, 'an ack has one byte for the number')

  const calls = readTrace(trace)
  const flushes = calls.filter(call => isSync(call) && isToLog(call) && call.ok)
  for (const { mark, number } of edits) {
    const holds = call => call.bytes.includes(mark)
    const written = calls.find(call => isToLog(call) && call.ok && holds(call))
    assert.ok(written, `edit ${number} was written to the log`)
    const flushed = flushes.find(flush => flush.began > written.ended)
    assert.ok(flushed, `the log was flushed after edit ${number} was written`)
    const shown = calls.filter(call => isToSocket(call) && holds(call))
    const acked = calls.find(call => isToSocket(call) && call.bytes.includes(ackFrame(number)))
    assert.ok(shown.length >= 1, `edit ${number} was shown`)
    assert.ok(acked, `edit ${number} was acknowledged`)
    for (const call of [...shown, acked]) {
      const what = `edit ${number}: ${call === acked ? 'the ack' : 'the frame'} (line ${call.began + 1}) follows the flush (line ${flushed.ended + 1})`
      assert.ok(call.began > flushed.ended, what)
    }
  }
})
