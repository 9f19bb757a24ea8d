/** The fenced blocks of a document, by what their info string says. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../../../', import.meta.url))

export const documentText = path => readFileSync(root + path, 'utf8')

/**
 * Blocks whose info string is a language and `name=…`, as `{language, name, text}`, in the order of the document.
 *
 * @param {string} text the document
 */
export const namedBlocks = text => {
  const blocks = []
  let block
  for (const line of text.split('\n')) {
    if (block !== undefined) {
      if (line === '```') block = undefined
      else block.text += line + '\n'
      continue
    }
    const fence = /^```(\S*)(?: name=(\S+))?$/.exec(line)
    if (fence === null) continue
    block = { language: fence[1], name: fence[2], text: '' }
    if (block.name !== undefined) blocks.push(block)
  }
  if (block !== undefined) throw new Error(`the block ${block.name} does not end`)
  const names = blocks.map(({ name }) => name)
  const twice = names.find((name, at) => names.indexOf(name) !== at)
  if (twice !== undefined) throw new Error(`two blocks are called ${twice}`)
  return blocks
}

/** The bytes of lines of hexadecimal numbers, without remarks. */
export const bytesOf = text => {
  const digits = text.split('\n').map(line => line.split(';')[0].trim()).join(' ').split(/\s+/).filter(Boolean)
  const wrong = digits.find(digit => !/^[0-9a-f]{2}$/.test(digit))
  if (wrong !== undefined) throw new Error(`${wrong} is no byte`)
  return Uint8Array.from(digits, digit => parseInt(digit, 16))
}

export const hexOf = bytes => Buffer.from(bytes).toString('hex').replace(/..(?=.)/g, '$& ')
