/** A new map: empty, or grown by the AI. */
import { useState } from 'preact/hooks'
import { TITLE_LENGTH_MAX } from '../../client/src/schema/schema.ts'
import { createGraph } from '../live/api.ts'
import { begin, NODES_MAX, ownLanguage, TOPIC_LENGTH_MAX, type Wish } from '../live/jobs.ts'
import { mapPath, open } from '../route.ts'
import { Count } from '../view/count.tsx'
import { useFocus } from '../view/focus.ts'
import { begunHere } from '../view/growth.ts'

export const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** What the AI is told about how to write; the server takes any words. */
const STYLES = ['academic', 'simple', 'practical', 'creative'] as const

export const Create = ({ onFail }: { onFail: (message: string | null) => void }) => {
  const [topic, setTopic] = useState('')
  const [busy, setBusy] = useState<'create' | 'grow' | null>(null)
  const [count, setCount] = useState(8)
  const [style, setStyle] = useState<string>(STYLES[0])
  const field = useFocus()
  const run = async (what: 'create' | 'grow', work: () => Promise<string>) => {
    setBusy(what)
    onFail(null)
    try {
      open(mapPath(await work()))
    } catch (error) {
      onFail(`The map was not made. ${messageOf(error)}`)
      setBusy(null)
    }
  }
  const grow = async () => {
    if (topic.trim().length > TOPIC_LENGTH_MAX) throw new Error(`The AI takes topics of up to ${TOPIC_LENGTH_MAX} characters. Make it shorter, or create the map and write it yourself.`)
    const wish: Wish = { kind: 'generate', topic: topic.trim(), max_nodes: count, style_preference: style, language: ownLanguage() }
    const { graph_id, job_id } = await begin(wish)
    begunHere.set(graph_id, { wish, id: job_id })
    return graph_id
  }
  const isOff = busy !== null || topic.trim() === ''
  return (
    <form
      class='create' onSubmit={event => {
        event.preventDefault()
        if (!isOff) void run('create', () => createGraph(topic.trim()))
      }}
    >
      <div class='line'>
        <input
          type='text' aria-label='Topic of a new map' placeholder='What is your next map about?' ref={field} autoComplete='off'
          maxLength={TITLE_LENGTH_MAX} value={topic} onInput={event => setTopic(event.currentTarget.value)}
        />
        <button type='submit' class='button primary' disabled={isOff}>{busy === 'create' ? 'Creating…' : 'Create map'}</button>
        <button type='button' class='button grow' disabled={isOff} onClick={() => void run('grow', grow)}>{busy === 'grow' ? 'Beginning…' : 'Grow with AI'}</button>
      </div>
      <details>
        <summary>How the AI should grow it</summary>
        <div class='line'>
          <Count label='Ideas, at most' max={NODES_MAX} value={count} onCount={setCount} />
          <label>Style <select value={style} onChange={event => setStyle(event.currentTarget.value)}>{STYLES.map(one => <option key={one} value={one}>{one}</option>)}</select></label>
        </div>
      </details>
    </form>
  )
}
