/** What a browser says of the network and of the page. Elsewhere nothing is said. */

export interface PageListener {
  readonly onOnline: () => void
  /** The page goes, perhaps to be shown again later. */
  readonly onHide: () => void
  readonly onShow: () => void
}

/** Answers how to stop listening. */
export const watchPage = ({ onOnline, onHide, onShow }: PageListener): (() => void) => {
  if (typeof window === 'undefined' || typeof window.addEventListener !== 'function') return () => {}
  const page = window
  const show = (event: PageTransitionEvent) => { if (event.persisted) onShow() }
  page.addEventListener('online', onOnline)
  page.addEventListener('pagehide', onHide)
  page.addEventListener('pageshow', show)
  return () => {
    page.removeEventListener('online', onOnline)
    page.removeEventListener('pagehide', onHide)
    page.removeEventListener('pageshow', show)
  }
}
