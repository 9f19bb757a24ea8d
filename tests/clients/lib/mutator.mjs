/**
 * Small random changes to known updates, the same kinds as in `protocol/tests/fuzz/mutate.rs`.
 */

/** Bytes that mean something to the formats: tags, flags, and the edges of numbers. */
const TELLING_BYTES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 0x20, 0x40, 0x7f, 0x80, 0x81, 0x84, 0xff, 116, 117, 118, 119, 125, 0x22, 0x5b]

const byte = random => random.chance(0.5) ? random.pick(TELLING_BYTES) : random.int(256)

const change = (random, bytes, inputs) => {
  if (bytes.length === 0) return bytes.push(byte(random))
  const at = random.int(bytes.length)
  switch (random.int(8)) {
    case 0: bytes[at] ^= 1 << random.int(8); break
    case 1: bytes[at] = byte(random); break
    case 2: bytes.splice(at, 0, byte(random)); break
    case 3: bytes.splice(at, 1); break
    case 4: bytes.length = at; break
    case 5: bytes[at] = (bytes[at] + 1) & 0xff; break
    case 6: {
      const piece = bytes.slice(at, at + 1 + random.int(16))
      for (let times = random.int(8); times >= 0; times--) bytes.splice(at, 0, ...piece)
      break
    }
    default: {
      const other = random.pick(inputs)
      bytes.length = at
      bytes.push(...other.slice(random.int(other.length + 1)))
    }
  }
}

/** `input` with one to three changes. */
export const mutationOf = (random, input, inputs) => {
  const bytes = [...input]
  for (let changes = random.int(3); changes >= 0; changes--) change(random, bytes, inputs)
  return Uint8Array.from(bytes)
}
