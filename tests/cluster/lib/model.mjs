/**
 * A server that speaks OpenAI's chat completions and says slowly what the test has told it to say.
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { lasting } from './pause.mjs'

const MAP_TEXT = /<map>\n(.*)\n<\/map>/s

/** What the model says about one topic. */
export class Lesson {
  /**
   * @param {string} topic the map's, by which requests are known
   * @param {{titles?: string[], letters?: number, every_ms?: number, stopIn?: string, stops?: number}} [options]
   *   `titles` are offered to every request, whatever is there already; `letters` are sent every `every_ms`; the first `stops`
   *   requests stand still in the middle of the text `stopIn` until `goOn()`
   */
  constructor (topic, { titles = words(5), letters = 4, every_ms = 10, stopIn, stops = 1 } = {}) {
    Object.assign(this, { topic, titles, letters, every_ms, stopIn, stops })
    this.asked = []
    this.openMax = 0
    this.going = new Promise(resolve => { this.goOn = resolve })
  }

  get open () {
    return this.asked.filter(({ isOpen }) => isOpen).length
  }

  /** The answer to what is asked about this node of the map. */
  answer (title) {
    // Different nodes get different children: those of a second level would be refused as none of theirs otherwise.
    const suffix = title === undefined || title === this.topic ? '' : ` of ${title}`
    const nodes = this.titles.map(word => ({ title: word + suffix, summary: summaryOf(word + suffix), expandable: true, importance: 0.5, relationship: 'part of', strength: 0.5 }))
    return JSON.stringify({ nodes })
  }
}

/** What the model has to say about a title. */
export const summaryOf = title => `About ${title}: what it is, how it came to be, and why it matters.`

/** Titles in which one is easily told apart from a part of another one. */
export const words = count => ['Alpha particles', 'Beta testing', 'Gamma rays', 'Delta rivers', 'Epsilon greedy', 'Zeta potential', 'Theta waves', 'Kappa numbers'].slice(0, count)

export class Model {
  static async start (t) {
    const model = new Model()
    t.after(() => model.close())
    model.server.listen(0, '127.0.0.1')
    await once(model.server, 'listening')
    model.port = model.server.address().port
    return model
  }

  constructor () {
    this.lessons = new Map()
    this.server = createServer((request, response) => this.#take(request, response).catch(() => response.destroy()))
  }

  /** What a node calls it by; the model then knows who asks. */
  baseUrl (node) {
    return `http://127.0.0.1:${this.port}/${node}/v1`
  }

  /** From now on it knows about this topic. */
  learn (topic, options) {
    const lesson = new Lesson(topic, options)
    this.lessons.set(topic, lesson)
    return lesson
  }

  close () {
    for (const lesson of this.lessons.values()) lesson.goOn()
    this.server.closeAllConnections()
    this.server.close()
  }

  async #take (request, response) {
    const parts = []
    for await (const part of request) parts.push(part)
    const body = JSON.parse(Buffer.concat(parts))
    const data = JSON.parse(MAP_TEXT.exec(body.messages.at(-1).content)[1])
    const lesson = this.lessons.get(data.topic)
    if (lesson === undefined || 'outline' in data) return say(response, JSON.stringify({ coherence_score: 0.8, strengths: ['It is short.'], improvements: [], missing_concepts: [] }))
    const asked = { by: request.url.split('/')[1], at: performance.now(), data, isOpen: true, isStanding: false, isWhole: false, goneAt: undefined }
    lesson.asked.push(asked)
    lesson.openMax = Math.max(lesson.openMax, lesson.open)
    response.on('close', () => Object.assign(asked, { isOpen: false, goneAt: performance.now() }))
    await this.#tell(lesson, asked, response)
  }

  async #tell (lesson, asked, response) {
    const text = lesson.answer(asked.data.node?.title)
    const found = lesson.stopIn === undefined || lesson.asked.length > lesson.stops ? -1 : text.indexOf(lesson.stopIn)
    const stopAt = found < 0 ? Infinity : found + Math.ceil(lesson.stopIn.length / 2)
    begin(response)
    for (let at = 0; at < text.length && asked.isOpen;) {
      if (at === stopAt) {
        asked.isStanding = true
        await lesson.going
        asked.isStanding = false
      }
      const end = Math.min(at + lesson.letters, at < stopAt ? stopAt : Infinity, text.length)
      response.write(chunk({ content: text.slice(at, end) }))
      at = end
      await lasting(lesson.every_ms)
    }
    asked.isWhole = asked.isOpen
    finish(response)
  }
}

const begin = response => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(chunk({ role: 'assistant', content: '' }))
}

const say = (response, text) => {
  begin(response)
  response.write(chunk({ content: text }))
  finish(response)
}

const chunk = (delta, finish_reason = null) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'scripted', choices: [{ index: 0, delta, finish_reason }] })}\n\n`

const finish = response => {
  response.write(chunk({}, 'stop'))
  response.write(`data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'scripted', choices: [], usage: { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 } })}\n\n`)
  response.end('data: [DONE]\n\n')
}
