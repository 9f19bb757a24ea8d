/** Ids that nobody else makes. `crypto.randomUUID` is no choice: browsers have it on secure origins only. */
const LETTERS = '0123456789abcdefghijklmnopqrstuv'
const LENGTH = 20

/** 100 bits of chance. */
export const newId = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(LENGTH)), byte => LETTERS.charAt(byte & 31)).join('')
