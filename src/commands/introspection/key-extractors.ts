/* Key extractors: for the commands whose keys no spec can find, or whose use of them depends on other arguments.
 *
 * Each reads one call's words and adds its keys. They run where the specs give up (see `keysOfCall` in lookup.ts). */

import { KeyFlag, type KeyWords, type Words } from './key-specs.ts'

export type KeyExtractor = (words: Words, keys: KeyWords) => void

const READS = KeyFlag.RO | KeyFlag.ACCESS
const WRITES = KeyFlag.OW | KeyFlag.UPDATE
const READS_AND_WRITES = KeyFlag.RW | KeyFlag.ACCESS | KeyFlag.UPDATE
const MOVES = KeyFlag.RW | KeyFlag.ACCESS | KeyFlag.DELETE

const upper = (words: Words, word: number): string => words.text(word).toUpperCase()

/** SET only writes, unless GET asks for the old value. */
export function setKeys(words: Words, keys: KeyWords): void {
  let flags = WRITES
  for (let word = 3; word < words.argc; word++) {
    if (upper(words, word) === 'GET') flags = READS_AND_WRITES
  }
  keys.add(1, flags)
}

/** BITFIELD with nothing but GETs only reads. What it cannot parse counts as a write. */
export function bitfieldKeys(words: Words, keys: KeyWords): void {
  let word = 2
  while (word < words.argc) {
    const name = upper(words, word)
    const size = name === 'GET' ? 3 : name === 'OVERFLOW' ? 2 : 0
    if (size === 0 || word + size > words.argc) break
    word += size
  }
  keys.add(1, word < words.argc ? READS_AND_WRITES : READS)
}

/** SORT's own key. Those that BY and GET lead to follow from its contents. */
export function sortReadOnlyKeys(_words: Words, keys: KeyWords): void {
  keys.add(1, READS)
}

/** As above, and the destination of the last STORE. */
export function sortKeys(words: Words, keys: KeyWords): void {
  keys.add(1, READS)
  let destination = 0
  for (let word = 2; word < words.argc; word++) {
    const name = upper(words, word)
    if (name === 'LIMIT') word += 2
    else if (name === 'GET' || name === 'BY') word += 1
    else if (name === 'STORE' && word + 1 < words.argc) destination = word + 1
  }
  if (destination !== 0) keys.add(destination, WRITES)
}

/** MIGRATE's one key, or, where that is empty, all that follow KEYS. */
export function migrateKeys(words: Words, keys: KeyWords): void {
  for (let word = 6; word < words.argc; word++) {
    const name = upper(words, word)
    if (name === 'AUTH') word += 1
    else if (name === 'AUTH2') word += 2
    else if (name === 'KEYS') {
      if (words.text(3) !== '') return
      for (let at = word + 1; at < words.argc; at++) keys.add(at, MOVES)
      return
    }
  }
  keys.add(3, MOVES)
}

/** GEORADIUS's key, and the destination of the last STORE or STOREDIST. */
export function georadiusKeys(words: Words, keys: KeyWords): void {
  keys.add(1, KeyFlag.RO | KeyFlag.ACCESS)
  let destination = 0
  for (let word = 5; word + 1 < words.argc; word++) {
    const name = upper(words, word)
    if (name === 'STORE' || name === 'STOREDIST') destination = ++word
  }
  if (destination !== 0) keys.add(destination, WRITES)
}
