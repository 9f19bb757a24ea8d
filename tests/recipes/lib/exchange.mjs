/**
 * Plays an exchange of the documentation with a server: sends the lines that begin with `>`, and compares what comes with those
 * that begin with `<`.
 */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { until, within } from '../../clients/lib/wait.mjs'
import { bytesOf, hexOf } from './blocks.mjs'

const { WebSocket } = createRequire(new URL('../../clients/package.json', import.meta.url))('ws')

/** Words that the server chooses: the same word of the document has to stand for the same word of the server. */
export class Words {
  #meant = new Map()

  /** What the server meant by a text of the document. */
  translate (text) {
    for (const [written, meant] of this.#meant) text = text.replaceAll(written, meant)
    return text
  }

  /** Compares, and learns what is new. */
  check (written, meant, what) {
    if (!this.#meant.has(written)) this.#meant.set(written, meant)
    assert.equal(meant, this.#meant.get(written), what)
  }
}

const CHOSEN = new Set(['synapti-cursor', 'etag'])

/** Runs of lines in one direction. */
const turns = text => {
  const turns = []
  for (const line of text.trimEnd().split('\n')) {
    const [, side, said] = /^([<>]) ?(.*)$/.exec(line) ?? assert.fail(`neither sent nor answered: ${line}`)
    const isRequest = side === '>' && /^[A-Z]+ \//.test(said)
    if (turns.at(-1)?.side !== side || isRequest) turns.push({ side, lines: [] })
    turns.at(-1).lines.push(said)
  }
  return turns
}

const headersAndBody = lines => {
  const headers = lines.filter(line => /^[A-Za-z-]+: /.test(line)).map(line => line.split(/: (.*)/s).slice(0, 2))
  const body = bytesOf(lines.filter(line => !/^[A-Za-z-]+: /.test(line)).join('\n'))
  return { headers, body }
}

export const play = async (t, server, text, words = new Words()) => {
  const [first, ...rest] = turns(text)
  const path = first.lines[0].split(' ')[1]
  if (path.startsWith('/v1/ws/')) return playSocket(t, server, path, rest)
  if (path.split('?')[0].endsWith('/sse')) return playStream(t, server, path, rest, words)
  const all = [first, ...rest]
  for (let at = 0; at < all.length; at += 2) await playRequest(server, all[at].lines, all[at + 1].lines, words)
}

const playRequest = async (server, asked, wanted, words) => {
  const [method, path] = words.translate(asked[0]).split(' ')
  const { headers, body } = headersAndBody(asked.slice(1).map(line => words.translate(line)))
  const response = await within(`${method} ${path} is answered`, fetch(server.http + path, {
    method, headers, body: body.length > 0 ? body : undefined
  }))
  const got = new Uint8Array(await response.arrayBuffer())
  assert.equal(String(response.status), wanted[0], `${asked[0]}: ${Buffer.from(got)}`)
  const answer = headersAndBody(wanted.slice(1))
  for (const [name, value] of answer.headers) {
    const said = response.headers.get(name) ?? assert.fail(`${asked[0]}: no header ${name}`)
    if (CHOSEN.has(name.toLowerCase())) words.check(value, said, `${asked[0]}: ${name}`)
    else assert.equal(said, value, `${asked[0]}: ${name}`)
  }
  if (answer.body.length > 0) assert.equal(hexOf(got), hexOf(answer.body), asked[0])
}

const playSocket = async (t, server, path, turns) => {
  const socket = new WebSocket(server.ws.replace('/v1/ws', path), { perMessageDeflate: false })
  t.after(() => socket.terminate())
  const frames = []
  socket.on('message', frame => {
    // A slow disk of the machine is not what the document is about.
    if (!/"(un)?saved"/.test(String(frame))) frames.push(hexOf(frame))
  })
  await within('the socket opens', new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject)))
  for (const { side, lines } of turns) {
    const said = lines.map(bytesOf)
    if (side === '>') {
      said.forEach(frame => socket.send(frame))
      continue
    }
    await until(`${said.length} frames have come`, () => frames.length >= said.length, { detail: () => frames })
    assert.deepEqual(sorted(frames.splice(0, said.length)), sorted(said.map(hexOf)))
  }
  assert.deepEqual(frames, [])
}

/** Acknowledgements come in any order with all else. */
const sorted = frames => [frames.filter(frame => !isAck(frame)), frames.filter(isAck)]

const isAck = frame => frame.startsWith('78')

const playStream = async (t, server, path, turns, words) => {
  const aborted = new AbortController()
  t.after(() => aborted.abort())
  const response = await within('the stream opens', fetch(server.http + path, { signal: aborted.signal }))
  assert.equal(response.headers.get('content-type'), 'text/event-stream')
  const chunks = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  const line = async () => {
    while (!text.includes('\n')) {
      const { value, done } = await within('the stream goes on', chunks.read())
      if (done) assert.fail(`the stream has ended: ${text}`)
      text += value
    }
    const end = text.indexOf('\n')
    const read = text.slice(0, end)
    text = text.slice(end + 1)
    return read
  }
  for (const { side, lines } of turns) {
    if (side === '>') {
      const [method, path] = lines[0].split(' ')
      assert.ok((await fetch(server.http + path, { method })).ok)
      continue
    }
    for (const written of lines) {
      let said = await line()
      // What separates two turns is not written down.
      while (said === '' && written !== '') said = await line()
      if (written.startsWith('id: ')) words.check(written.slice(4), said.slice(4), path)
      else assert.equal(said, written)
    }
  }
}
