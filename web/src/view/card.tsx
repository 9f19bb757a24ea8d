/** One node as a card. */
import { memo } from './memo.ts'
import { isBright } from '../model/color.ts'
import type { NodeData } from '../../client/src/schema/schema.ts'
import type { Board } from './board.ts'
import { caretIn } from './caret.ts'
import { addChild, rename, toggle } from './commands.ts'
import { Editor } from './editor.tsx'
import type { Holder } from './holders.ts'
import type { Box } from './layout.ts'
import { type Level, shownTitle } from './measure.ts'
import { ideaText, Mark, Verdict } from './verdict.tsx'

export interface CardProps {
  readonly board: Board
  readonly box: Box
  readonly node: NodeData
  readonly level: Level
  readonly color: string
  readonly isSelected: boolean
  readonly isEditing: boolean
  readonly isDragged: boolean
  readonly mark: 'inside' | 'above' | 'below' | null
  readonly children: number
  readonly position: number
  readonly siblings: number
  /** It is an idea that waits for a yes or no. */
  readonly isJudged: boolean
  /** The AI adds to it. */
  readonly isGrowing: boolean
  /** Who else has selected it. */
  readonly others: readonly Holder[]
}

export const cardId = (id: string): string => `node-${id}`

const Title = ({ board, node, others }: CardProps) => {
  const writer = others.find(other => other.caret !== undefined)
  const at = writer === undefined ? null : caretIn(board.session.doc, node.id, writer.caret)
  if (writer === undefined || at === null || at > node.title.length) {
    return <div class={node.title.trim() === '' ? 'title untitled' : 'title'} dir='auto'>{shownTitle(node.title)}</div>
  }
  const style = { '--person': writer.color }
  return <div class='title' dir='auto'>{node.title.slice(0, at)}<span class='caret' style={style} />{node.title.slice(at)}</div>
}

/** More names than this are a number. */
const NAMES_MAX = 3

const Names = ({ others }: { others: readonly Holder[] }) => {
  if (others.length === 0) return null
  const more = others.length - NAMES_MAX
  return (
    <div class='names'>
      {others.slice(0, NAMES_MAX).map(other => <span key={other.id} class='name' style={{ '--person': other.color }}>{other.name}</span>)}
      {more > 0 && <span class='name more'>+{more}</span>}
    </div>
  )
}

const Handle = ({ board, box, node, level, children, isJudged }: CardProps) => {
  const hidden = box.hidden
  const isClosable = children > 0 && level !== 'root'
  return (
    <div class={`handles ${box.side}${isJudged && children > 0 && hidden === 0 ? ' narrow' : ''}`}>
      {isJudged && <Verdict board={board} node={node} />}
      {isClosable && (
        <button
          type='button' class={hidden > 0 ? 'handle count' : 'handle fold'} tabIndex={-1}
          aria-label={hidden > 0 ? `Open ${shownTitle(node.title)}, ${hidden} nodes` : `Close ${shownTitle(node.title)}`}
          onClick={() => toggle(board, node.id)}
        >{hidden > 0 ? hidden : '−'}
        </button>
      )}
      <button type='button' class='handle add' tabIndex={-1} aria-label={`Add a child to ${shownTitle(node.title)}`} onClick={() => addChild(board, node.id)}>+</button>
    </div>
  )
}

export const Card = memo((props: CardProps) => {
  const { board, box, node, level, color, isSelected, isEditing, isDragged, mark, others } = props
  const classes = ['card', level, box.side, isBright(color) ? 'bright' : 'dim',
    isSelected && 'selected', isEditing && 'editing', isDragged && 'dragged', mark !== null && `drop-${mark}`,
    node.proposed && 'proposed', props.isGrowing && 'growing', others.length > 0 && 'taken'].filter(Boolean).join(' ')
  const style = {
    transform: `translate(${box.x}px, ${box.y}px)`,
    width: `${box.w}px`,
    height: `${box.h}px`,
    '--node': color,
    '--person': others[0]?.color ?? 'transparent'
  }
  return (
    <div
      id={cardId(node.id)} class={classes} style={style} data-node={node.id}
      role='treeitem' aria-label={shownTitle(node.title) + ideaText(node)} aria-level={box.depth + 1} aria-setsize={props.siblings}
      aria-posinset={props.position} aria-selected={isSelected} aria-expanded={props.children === 0 ? undefined : box.hidden === 0}
      onPointerEnter={() => { board.hovered = node.id }}
      onPointerLeave={() => { if (board.hovered === node.id) board.hovered = null }}
      onDblClick={() => rename(board, node.id)}
    >
      {isEditing ? <Editor board={board} id={node.id} title={node.title} /> : <Title {...props} />}
      {node.hasSummary && !isEditing && <span class='note' aria-hidden='true' title='Has a summary' />}
      {node.proposed && level !== 'root' && <Mark node={node} />}
      <Names others={others} />
      {!isEditing && <Handle {...props} />}
    </div>
  )
})
