/** The map itself: one layer that the camera moves, with curves below, cards above, and other people's pointers on top. */
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import type { Other } from '../live/presence.ts'
import type { Board } from './board.ts'
import { Card, cardId } from './card.tsx'
import { judgedRun } from './commands.ts'
import type { Holder } from './holders.ts'
import { onMapKey } from './keys.ts'
import { middleOf } from './layout.ts'
import { levelOf, shownTitle } from './measure.ts'
import { watchPointer } from './pointer.ts'

/** Below this scale letters are not readable, and the cards are drawn as plain blocks. */
const FAR_SCALE = 0.28

const NOBODY: readonly Holder[] = []
const ALONE = [1, 1] as const

const Curves = ({ board }: { board: Board }) => {
  const colors = board.colors.value
  const { curves, links } = board.drawn.value
  return (
    <svg class='curves' aria-hidden='true'>
      {curves.map(({ id, path }) => <path key={id} class='branch' d={path} style={{ stroke: `color-mix(in srgb, ${colors.get(id) ?? 'gray'} 88%, var(--ink))` }} />)}
      {links.map(({ id, path }) => <path key={id} class='cross' d={path} />)}
      {links.map(({ id, label, x, y }) => label === '' ? null : <text key={`t${id}`} class='cross-label' x={x} y={y}>{label.slice(0, 60)}</text>)}
    </svg>
  )
}

const Cards = ({ board }: { board: Board }) => {
  const model = board.model.value
  const colors = board.colors.value
  const dragging = board.dragging.value
  const holders = board.holders.value
  const ranks = board.ranks.value
  const growing = board.growth.growing.value
  return (
    <>
      {board.drawn.value.cards.map(box => {
        const node = model.nodes.get(box.id)
        const place = model.tree.places.get(box.id)
        if (node === undefined || place === undefined) return null
        const [position, siblings] = ranks.get(box.id) ?? ALONE
        return (
          <Card
            key={box.id} board={board} box={box} node={node} level={levelOf(model, box.id)} color={colors.get(box.id) ?? '#6B7280'}
            isSelected={board.selected.value === box.id} isEditing={board.editing.value?.id === box.id}
            isDragged={dragging?.id === box.id} mark={dragging?.drop?.target === box.id ? dragging.drop.mark : null}
            isJudged={judgedRun(board, box.id) !== null} isGrowing={growing.has(box.id)}
            children={place.children.length} siblings={siblings} position={position} others={holders.get(box.id) ?? NOBODY}
          />
        )
      })}
    </>
  )
}

/** Where somebody's pointer is on this screen's map. */
const placeOf = (board: Board, { cursor }: Other): { x: number, y: number } | null => {
  const box = cursor?.node == null ? undefined : board.boxes.value.get(cursor.node)
  if (cursor === null || box === undefined) return cursor
  const middle = middleOf(box)
  return { x: middle.x + cursor.dx, y: middle.y + cursor.dy }
}

const Pointers = ({ board }: { board: Board }) => {
  const scale = board.scale.value
  return (
    <>
      {board.others.value.map(other => {
        const place = placeOf(board, other)
        if (place === null) return null
        const dragged = other.drag === null ? undefined : board.model.value.nodes.get(other.drag)
        const style = { transform: `translate(${place.x}px, ${place.y}px) scale(${1 / scale})`, '--person': other.color }
        return (
          <div key={other.id} class='pointer' style={style} aria-hidden='true'>
            <svg width='16' height='18' viewBox='0 0 16 18'><path d='M1 1l14 9-6.5 1L5 17z' /></svg>
            <span class='name'>{dragged === undefined ? other.name : `${other.name} moves “${shownTitle(dragged.title).slice(0, 40)}”`}</span>
          </div>
        )
      })}
    </>
  )
}

/** What is being dragged here, under the pointer. */
const Ghost = ({ board }: { board: Board }) => {
  const dragging = board.dragging.value
  if (dragging === null) return null
  const title = shownTitle(board.model.value.nodes.get(dragging.id)?.title ?? '').slice(0, 60)
  return <div class='ghost' aria-hidden='true' style={{ transform: `translate(${dragging.x}px, ${dragging.y}px)` }}>{title}</div>
}

export const Scene = ({ board }: { board: Board }) => {
  const frame = useRef<HTMLDivElement>(null)
  const layer = useRef<HTMLDivElement>(null)
  const room = useRef<HTMLDivElement>(null)

  useLayoutEffect(() => {
    if (frame.current === null || layer.current === null || room.current === null) return
    board.attach(frame.current, layer.current, room.current)
    const stop = watchPointer(board, frame.current)
    frame.current.focus({ preventScroll: true })
    return stop
  }, [board])

  // Focus comes back to the map when a title is left.
  const isEditing = board.editing.value !== null
  useLayoutEffect(() => {
    if (!isEditing && document.activeElement === document.body) frame.current?.focus({ preventScroll: true })
  }, [isEditing])

  // Keys that go to nothing in particular are meant for the map.
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.target !== document.body || frame.current === null) return
      frame.current.focus({ preventScroll: true })
      onMapKey(board, event)
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [board])

  const selected = board.selected.value
  return (
    <div
      ref={frame} class={`frame${board.scale.value < FAR_SCALE ? ' far' : ''}${board.isEditable.value ? '' : board.isReadOnly.value ? ' read-only' : ' frozen'}`} role='tree' tabIndex={0} aria-label={board.past.value === null ? 'Mind map' : 'Mind map as it was'}
      aria-activedescendant={selected === null ? undefined : cardId(selected)}
      onKeyDown={event => { if (event.target === event.currentTarget) onMapKey(board, event) }}
    >
      <div ref={layer} class='layer' role='presentation'>
        <Curves board={board} />
        <Cards board={board} />
        <Ghost board={board} />
        <Pointers board={board} />
      </div>
      <div ref={room} class='measure' aria-hidden='true' />
    </div>
  )
}
