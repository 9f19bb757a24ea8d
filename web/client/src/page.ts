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
  const show = (event: PageTransitionEvent) => { if (event.persisted) onShow() }
  window.addEventListener('online', onOnline)
  window.addEventListener('pagehide', onHide)
  window.addEventListener('pageshow', show)
  return () => {
    window.removeEventListener('online', onOnline)
    window.removeEventListener('pagehide', onHide)
    window.removeEventListener('pageshow', show)
  }
}
