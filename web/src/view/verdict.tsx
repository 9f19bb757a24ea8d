/** Yes or no to an idea that the AI has put on the map. */
import type { NodeData } from '../../client/src/schema/schema.ts'
import type { Board } from './board.ts'
import { shownTitle } from './measure.ts'

export const VERDICT_ICONS = { accept: 'M4 13l5 5L20 6', reject: 'M6 6l12 12M18 6L6 18' }

/** For screen readers, after the title. */
export const ideaText = ({ proposed, source }: NodeData): string =>
  !proposed ? '' : source === 'template' ? ', idea by template, not accepted yet' : ', idea by AI, not accepted yet'

export const Mark = ({ node }: { node: NodeData }) => (
  <svg class='idea' viewBox='0 0 24 24' aria-hidden='true'>
    <title>{node.source === 'template' ? 'Idea by template' : 'Idea by AI'}</title><path d='M12 2l2.6 7.4L22 12l-7.4 2.6L12 22l-2.6-7.4L2 12l7.4-2.6z' />
  </svg>
)

export const Verdict = ({ board, node }: { board: Board, node: NodeData }) => {
  const button = (how: 'accept' | 'reject', label: string) => (
    <button
      type='button' class={`handle ${how}`} tabIndex={-1} aria-label={`${label} ${shownTitle(node.title)}`} title={label}
      onMouseDown={event => event.preventDefault()} onClick={() => { if (node.run !== null) board.growth.judge(how, node.run, node.id) }}
    ><svg viewBox='0 0 24 24' aria-hidden='true'><path d={VERDICT_ICONS[how]} /></svg>
    </button>
  )
  return <>{button('accept', 'Accept')}{button('reject', 'Reject')}</>
}
