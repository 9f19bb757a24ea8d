/** Two pages, two addresses: `/` and `/m/{graph_id}`. */
import { signal } from '@preact/signals'

export type Route = { readonly page: 'list' } | { readonly page: 'map', readonly id: string } | { readonly page: 'unknown' }

const ID = /^[A-Za-z0-9._~-]{1,128}$/

const read = (): Route => {
  if (location.pathname === '/') return { page: 'list' }
  const [, id] = /^\/m\/([^/]+)$/.exec(location.pathname) ?? []
  return id !== undefined && ID.test(id) ? { page: 'map', id } : { page: 'unknown' }
}

export const route = signal<Route>(read())

addEventListener('popstate', () => { route.value = read() })

export const mapPath = (id: string): string => `/m/${id}`

export const open = (path: string): void => {
  history.pushState(null, '', path)
  route.value = read()
}

/** For links: opens the page without loading anew, unless the person wants another tab. */
export const go = (event: MouseEvent, path: string): void => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return
  event.preventDefault()
  open(path)
}
