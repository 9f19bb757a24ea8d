/**
 * A local server that plays a provider of models: OpenAI's chat completions, Anthropic's messages or Gemini's streams, framed
 * as the recorded answers in `server/tests/data/ai-streams` are. What it says, and when, a test decides.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'

export const KEY = 'sk-test-0123456789-secret'

/** What every whole answer says that it has used up. */
export const USAGE = { input: 120, output: 45 }

const sse = (data, event) => `${event === undefined ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`

const openaiChunk = (model, more) => sse({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1762317021, model, system_fingerprint: null, usage: null, ...more })
const openaiChoice = (model, delta, finish_reason = null) => openaiChunk(model, { choices: [{ index: 0, delta, logprobs: null, finish_reason }] })
const anthropic = data => sse(data, data.type)
const gemini = (model, text, more = {}) => sse({
  candidates: [{ content: { parts: [{ text }], role: 'model' }, index: 0, ...more }],
  usageMetadata: { promptTokenCount: USAGE.input, candidatesTokenCount: USAGE.output, totalTokenCount: USAGE.input + USAGE.output },
  modelVersion: model,
  responseId: 'bH6LaZW8Fp'
})

/** How each of them begins, says a text, refuses, and ends; and where requests carry what. */
const WIRES = {
  openai: {
    base: '/v1',
    path: '/v1/chat/completions',
    model: 'gpt-test',
    key: headers => headers.authorization?.replace(/^Bearer /, ''),
    schema: body => body.response_format?.json_schema?.schema,
    instructions: body => body.messages.filter(({ role }) => role === 'system').map(({ content }) => content).join(),
    material: body => body.messages.filter(({ role }) => role === 'user').map(({ content }) => content).join(),
    begin: model => openaiChoice(model, { role: 'assistant', content: '', refusal: null }),
    text: (model, content) => openaiChoice(model, { content }),
    refuse: (model, refusal) => openaiChoice(model, { refusal }) + openaiChoice(model, {}, 'stop') + sse('[DONE]'),
    end: (model, { length }) => openaiChoice(model, {}, length ? 'length' : 'stop') + openaiChunk(model, {
      choices: [], usage: { prompt_tokens: USAGE.input, completion_tokens: USAGE.output, total_tokens: USAGE.input + USAGE.output }
    }) + sse('[DONE]')
  },
  anthropic: {
    base: '',
    path: '/v1/messages',
    model: 'claude-test',
    key: headers => headers['x-api-key'],
    schema: body => body.output_config?.format?.schema ?? body.tools?.[0]?.input_schema,
    instructions: body => JSON.stringify(body.system),
    material: body => body.messages.map(({ content }) => typeof content === 'string' ? content : content.map(({ text }) => text).join('')).join(),
    begin: model => anthropic({ type: 'message_start', message: { model, id: 'msg_01', type: 'message', role: 'assistant', content: [], stop_reason: null, stop_sequence: null, usage: { input_tokens: USAGE.input, output_tokens: 1 } } }) +
      anthropic({ type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } }) + anthropic({ type: 'ping' }),
    text: (_model, text) => anthropic({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } }),
    refuse: () => anthropic({ type: 'message_delta', delta: { stop_reason: 'refusal', stop_sequence: null }, usage: { output_tokens: 1 } }) + anthropic({ type: 'message_stop' }),
    end: (_model, { length }) => anthropic({ type: 'content_block_stop', index: 0 }) +
      anthropic({ type: 'message_delta', delta: { stop_reason: length ? 'max_tokens' : 'end_turn', stop_sequence: null }, usage: { input_tokens: USAGE.input, output_tokens: USAGE.output } }) +
      anthropic({ type: 'message_stop' })
  },
  gemini: {
    base: '/v1beta',
    path: '/v1beta/models/gemini-test:streamGenerateContent',
    model: 'gemini-test',
    key: headers => headers['x-goog-api-key'],
    schema: body => body.generationConfig?.responseJsonSchema,
    instructions: body => body.systemInstruction.parts.map(({ text }) => text).join(),
    material: body => body.contents.flatMap(({ parts }) => parts.map(({ text }) => text)).join(),
    begin: () => '',
    text: gemini,
    refuse: model => gemini(model, '', { finishReason: 'SAFETY' }),
    end: (model, { length }) => gemini(model, '', { finishReason: length ? 'MAX_TOKENS' : 'STOP' })
  }
}

/** What a request asks for, told from the schema of the answer. */
const kindOf = schema => {
  const names = Object.keys(schema?.properties ?? {})
  return { nodes: 'generate', sub_concepts: 'expand', coherence_score: 'coherence' }[names[0]] ??
    (names.includes('coherence_score') ? 'coherence' : undefined)
}

export const summaryOf = title => `What ${title} is about.`

/** The answer to an expansion, as a model writes it. */
export const concepts = (titles, more = {}) => JSON.stringify({
  sub_concepts: titles.map(title => ({ title, summary: summaryOf(title), expandable: true, relationship: 'part of', strength: 0.7, ...more }))
})

/** The answer to a generation. */
export const branches = titles => JSON.stringify({
  nodes: titles.map((title, at) => ({ title, summary: summaryOf(title), category: 'concept', importance: 1 - at / 10 }))
})

export const VERDICT = { coherence_score: 0.75, strengths: ['Clear centre'], improvements: ['Say more of roots'], missing_concepts: ['Water'] }

const USUAL = {
  generate: say => say.whole(branches(['Leaves', 'Stems', 'Roots'])),
  expand: say => say.whole(concepts(['Light', 'Water', 'Air'])),
  coherence: say => say.whole(JSON.stringify(VERDICT))
}

/** A door that opens when the test says so. */
export const gate = () => {
  let open
  const passed = new Promise(resolve => { open = resolve })
  return { passed, open }
}

export class Provider {
  /** @param {'openai' | 'anthropic' | 'gemini'} wire which protocol it speaks */
  static async start (t, wire = 'openai') {
    const provider = new Provider(WIRES[wire], wire)
    t.after(() => provider.close())
    provider.listener.listen(0, '127.0.0.1')
    await once(provider.listener, 'listening')
    return provider
  }

  constructor (wire, name) {
    Object.assign(this, { wire, name, requests: [], scripts: [], unexpected: [], say: new Set() })
    this.listener = createServer((request, response) => this.#answer(request, response).catch(error => {
      if (!response.destroyed) this.unexpected.push(error)
      response.destroy()
    }))
  }

  get origin () {
    return `http://127.0.0.1:${this.listener.address().port}`
  }

  /** The settings of a server that asks it. */
  get env () {
    return {
      SYNAPTI_AI_PROVIDER: this.name,
      SYNAPTI_AI_BASE_URL: this.origin + this.wire.base,
      SYNAPTI_AI_API_KEY: KEY,
      SYNAPTI_AI_MODEL: this.wire.model
    }
  }

  /** The next requests are answered by these, in this order; then as usual. Whatever a script does not end ends with the test. */
  next (...scripts) {
    this.scripts.push(...scripts)
  }

  /** How often it was asked, about this text when one is given. */
  asked (about) {
    return this.requests.filter(({ body }) => about === undefined || JSON.stringify(body).includes(about)).length
  }

  close () {
    this.listener.closeAllConnections()
    this.listener.close()
  }

  async #answer (request, response) {
    let text = ''
    request.setEncoding('utf8')
    for await (const chunk of request) text += chunk
    const body = JSON.parse(text)
    const schema = this.wire.schema(body)
    const asked = {
      method: request.method,
      url: request.url,
      path: request.url.split('?')[0],
      headers: request.headers,
      key: this.wire.key(request.headers),
      body,
      schema,
      kind: kindOf(schema),
      instructions: this.wire.instructions(body),
      material: this.wire.material(body),
      closed: once(response, 'close').then(() => true)
    }
    this.requests.push(asked)
    const script = this.scripts.shift() ?? USUAL[asked.kind]
    if (script === undefined) throw new Error(`nobody knows what to answer to ${text}`)
    await script(new Say(this.wire, response), asked)
  }
}

/** What a script answers with. */
class Say {
  constructor (wire, response) {
    Object.assign(this, { wire, response })
  }

  /** The next words of the model. */
  text (...pieces) {
    if (!this.response.headersSent) this.#raw(this.wire.begin(this.wire.model))
    for (const piece of pieces) this.#raw(this.wire.text(this.wire.model, piece))
  }

  end ({ length = false } = {}) {
    this.#raw(this.wire.end(this.wire.model, { length }))
    this.response.end()
  }

  /** Everything, a few characters at a time. */
  whole (text, size = 7) {
    this.text(...text.match(new RegExp(`[^]{1,${size}}`, 'gu')) ?? [])
    this.end()
  }

  refuse (why) {
    this.#raw(this.wire.begin(this.wire.model) + this.wire.refuse(this.wire.model, why))
    this.response.end()
  }

  /** An answer that is no stream. */
  status (code, { headers = {}, message = 'no' } = {}) {
    this.response.writeHead(code, { 'content-type': 'application/json', ...headers })
    this.response.end(JSON.stringify({ error: { message, type: 'error', code: null } }))
  }

  /** The connection breaks, in the middle of a frame when something was said. */
  cut () {
    if (this.response.headersSent) this.response.write('data: {"cho', () => this.response.destroy())
    else this.response.destroy()
  }

  #raw (frames) {
    if (!this.response.headersSent) this.response.writeHead(200, { 'content-type': 'text/event-stream' })
    this.response.write(frames)
  }
}
