/** All that a document holds, whatever its root types are called and whatever they hold. */
import * as Y from 'yjs'

/** Values as they can be compared: shared types by their content, everything else as it is. */
const plain = content => {
  if (content instanceof Y.ContentType) return { type: kindOf(content.type), ...shapeOf(content.type) }
  if (content instanceof Y.ContentFormat) return { format: content.key, value: content.value }
  if (content instanceof Y.ContentEmbed) return { embed: content.embed }
  if (content instanceof Y.ContentBinary) return { binary: [...content.content] }
  if (content instanceof Y.ContentDoc) return { guid: content.doc.guid }
  return undefined
}

const kindOf = type => type.nodeName === undefined ? type.constructor.name : `${type.constructor.name} ${type.nodeName}`

/** The live content of a shared type, in order and by key. A text is one string, however it was written. */
const shapeOf = type => {
  const list = []
  for (let item = type._start; item !== null; item = item.right) {
    // Some writers left items of no length behind.
    if (item.deleted || item.length === 0) continue
    const { content } = item
    if (content instanceof Y.ContentString) {
      if (typeof list.at(-1)?.text === 'string') list.at(-1).text += content.str
      else list.push({ text: content.str })
    } else if (content instanceof Y.ContentAny || content instanceof Y.ContentJSON) {
      list.push(...content.arr.map(value => ({ value })))
    } else {
      list.push(plain(content))
    }
  }
  const map = {}
  for (const key of [...type._map.keys()].sort()) {
    const item = type._map.get(key)
    if (!item.deleted) map[key] = plain(item.content) ?? { value: item.content.getContent()[item.length - 1] }
  }
  return { list, map }
}

/** Root types that hold something, clocks, and what is deleted. */
export const shape = doc => ({
  roots: Object.fromEntries([...doc.share.keys()].sort()
    .map(name => [name, shapeOf(doc.share.get(name))])
    .filter(([, { list, map }]) => list.length > 0 || Object.keys(map).length > 0)),
  vector: [...Y.decodeStateVector(Y.encodeStateVector(doc))].filter(([, clock]) => clock > 0).sort(([a], [b]) => a - b),
  deleted: [...Y.createDeleteSetFromStructStore(doc.store).clients]
    .map(([client, ranges]) => [client, ranges.filter(({ len }) => len > 0).map(({ clock, len }) => [clock, len])])
    .filter(([, ranges]) => ranges.length > 0)
    .sort(([a], [b]) => a - b)
})
