/* The head that every entry of a table begins with, so that one table serves keys, fields and members alike.
 *
 *   word 0    31            16 15     12 11      8    7    6    4 3        0
 *            +----------------+---------+---------+--------+------+----------+
 *            |   key length   |  flags  | encoding| hashed | type | key word |
 *            +----------------+---------+---------+--------+------+----------+
 *
 * `key word` is the word, counted from the entry's start, at which the key's bytes begin. A key of 65,535 bytes or more
 * has KEY_LEN_LONG there and its true length in the word just before its bytes. A shorter one may be `hashed`: then its
 * hash is in that word. The table reads these three fields only; type, encoding and flags belong to whoever owns the
 * entry. */
import { hashWords } from '../lib/siphash.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, posOf, type Ref } from '../memory/memory.ts'

export const KEY_WORD_MASK = 15
export const KEY_HASHED = 1 << 7
export const TYPE_SHIFT = 4
export const ENCODING_SHIFT = 8
export const FLAGS_SHIFT = 12
export const KEY_LEN_SHIFT = 16
export const KEY_LEN_LONG = 0xffff

/** Position of the entry's key in its chunk. */
export function keyPosOf(memory: Memory, entry: Ref): number {
  return posOf(entry) + ((memory.word(entry, 0) & KEY_WORD_MASK) << 2)
}

/** Length of the entry's key in bytes. */
export function keyLenOf(memory: Memory, entry: Ref): number {
  const words = memory.words[entry >>> CHUNK_SHIFT]!
  const head = (entry & CHUNK_MASK) << 2
  const meta = words[head]!
  const len = meta >>> KEY_LEN_SHIFT
  return len === KEY_LEN_LONG ? words[head + (meta & KEY_WORD_MASK) - 1]! : len
}

/** The hash of an entry's key. */
export function keyHashOf(memory: Memory, entry: Ref): number {
  const words = memory.words[entry >>> CHUNK_SHIFT]!
  const head = (entry & CHUNK_MASK) << 2
  return hashOfKey(words, head, words[head]!)
}

/** The same, by the words that the entry is in, where its head is among them, and the head. Keys are
 *  read by words: blocks begin, and end, with one. */
export function hashOfKey(words: Int32Array, head: number, meta: number): number {
  const keyWord = head + (meta & KEY_WORD_MASK)
  if ((meta & KEY_HASHED) !== 0) return words[keyWord - 1]!
  const len = meta >>> KEY_LEN_SHIFT
  return hashWords(words, keyWord, len === KEY_LEN_LONG ? words[keyWord - 1]! : len)
}
