/** Chooses the page, and keeps a failure in one from leaving a blank screen. */
import { useErrorBoundary } from 'preact/hooks'
import { ListPage } from './pages/list.tsx'
import { MapPage } from './pages/map.tsx'
import { route } from './route.ts'

const Broken = ({ error }: { error: unknown }) => (
  <main class='list'>
    <h1>This page has failed</h1>
    <p>What you changed is kept in this browser. Reload the page to go on; if it fails again, please report this:</p>
    <pre>{error instanceof Error ? error.message : String(error)}</pre>
    <p><button type='button' class='button primary' onClick={() => location.reload()}>Reload</button> <a class='button' href='/'>Back to the list</a></p>
  </main>
)

const Unknown = () => (
  <main class='list'>
    <h1>There is no such page</h1>
    <p>The address of a map is <code>/m/</code> with the map's id.</p>
    <p><a class='button primary' href='/'>Back to the list</a></p>
  </main>
)

const Page = () => {
  const { value } = route
  switch (value.page) {
    case 'list': return <ListPage />
    case 'map': return <MapPage key={value.id} id={value.id} />
    default: return <Unknown />
  }
}

export const App = () => {
  const [error] = useErrorBoundary()
  return error === undefined ? <Page /> : <Broken error={error} />
}
