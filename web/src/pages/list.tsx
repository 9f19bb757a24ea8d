/** The list of this server's maps. */
import { useEffect, useState } from 'preact/hooks'
import { demand, forgetToken, held } from '../live/access.ts'
import { deleteGraph, type GraphSummary, listGraphs } from '../live/api.ts'
import { forgetMap } from '../live/keep.ts'
import { go, mapPath } from '../route.ts'
import { ListAccess } from '../view/access.tsx'
import { Confirm } from '../view/dialog.tsx'
import icon from '../icon.svg'
import { ago } from '../view/ago.ts'
import { Create, messageOf } from './create.tsx'

interface Listed {
  readonly graphs: readonly GraphSummary[]
  readonly next: string | null
}

const Row = ({ graph, onDelete }: { graph: GraphSummary, onDelete: () => void }) => {
  const name = graph.topic.trim() || 'Untitled map'
  const changed = new Date(graph.last_modified)
  return (
    <li class='row'>
      <a href={mapPath(graph.id)} onClick={event => go(event, mapPath(graph.id))}>
        <span class='topic' dir='auto'>{name.slice(0, 300)}</span>
        <time dateTime={graph.last_modified} title={changed.toLocaleString()}>changed {ago(changed, new Date())}</time>
      </a>
      <button type='button' class='button quiet' aria-label={`Delete ${name.slice(0, 60)}`} title='Delete' onClick={onDelete}>
        <svg viewBox='0 0 24 24' aria-hidden='true'><path d='M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13' /></svg>
      </button>
    </li>
  )
}

const Rows = ({ listed: { graphs, next }, onDelete, onMore }: { listed: Listed, onDelete: (graph: GraphSummary) => void, onMore: () => void }) => (
  <>
    {graphs.length === 0
      ? <p class='nothing'>{held.value.token === null ? 'There are no maps yet. Type a topic above to make the first one.' : 'There are no maps that you may open.'}</p>
      : <ul class='rows' aria-label='Maps'>{graphs.map(graph => <Row key={graph.id} graph={graph} onDelete={() => onDelete(graph)} />)}</ul>}
    {next !== null && <button type='button' class='button' onClick={onMore}>Show more</button>}
  </>
)

export const ListPage = () => {
  const [listed, setListed] = useState<Listed | null>(null)
  const [failure, setFailure] = useState<string | null>(null)
  const [notice, setNotice] = useState<string | null>(null)
  const [doomed, setDoomed] = useState<GraphSummary | null>(null)

  const load = async (after: Listed | null = null) => {
    const { value: shown } = held
    try {
      const page = await listGraphs(after?.next ?? null)
      if (shown !== held.value) return
      // A map that was changed meanwhile has moved to the front and would be there twice.
      const known = new Set(after?.graphs.map(graph => graph.id))
      setListed({ graphs: [...after?.graphs ?? [], ...page.graphs.filter(graph => !known.has(graph.id))], next: page.next_cursor })
      setFailure(null)
    } catch (error) {
      if (shown === held.value) setFailure(messageOf(error))
    }
  }

  useEffect(() => {
    document.title = 'Maps – Synapti'
    const again = () => { if (document.visibilityState === 'visible') void load() }
    document.addEventListener('visibilitychange', again)
    return () => document.removeEventListener('visibilitychange', again)
  }, [])

  // Another token may show another list.
  const { value: access } = held
  const isLockedOut = demand.value.kind !== 'none'
  useEffect(() => {
    setListed(null)
    setFailure(null)
    void load()
  }, [access])

  const remove = async (graph: GraphSummary) => {
    try {
      await deleteGraph(graph.id)
      forgetMap(graph.id)
      setNotice(null)
    } catch (error) {
      setNotice(`“${graph.topic}” was not deleted. ${messageOf(error)}`)
    }
    await load()
  }

  return (
    <main class='list'>
      <header><img src={icon} alt='' width='40' height='40' /><div><h1>Synapti</h1><p>Maps that you think out together</p></div></header>
      {isLockedOut && <ListAccess />}
      {/* What was typed into it is still there when access is back. */}
      <div hidden={isLockedOut}><Create onFail={setNotice} /></div>
      {!isLockedOut && (
        <>
          {notice !== null && <p class='notice' role='alert'>{notice}</p>}
          {failure !== null && (
            <div class='notice' role='alert'>
              <p>The list of maps could not be loaded. {failure}</p>
              <button type='button' class='button' onClick={() => void load()}>Try again</button>
            </div>
          )}
          {listed === null && failure === null && <p class='hint'>Loading…</p>}
          {listed !== null && <Rows listed={listed} onDelete={setDoomed} onMore={() => void load(listed)} />}
        </>
      )}
      <footer>
        <a href='/docs/'>HTTP API</a><a href='/health'>Server health</a>
        {access.token !== null && <button type='button' class='link' onClick={forgetToken}>Forget my token</button>}
      </footer>
      {doomed !== null && (
        <Confirm
          title={`Delete “${(doomed.topic.trim() || 'Untitled map').slice(0, 80)}”?`} action='Delete for ever'
          text='The map is deleted for everybody, also for those who have it open now. This cannot be undone.'
          onYes={() => void remove(doomed)} onClose={() => setDoomed(null)}
        />
      )}
    </main>
  )
}
