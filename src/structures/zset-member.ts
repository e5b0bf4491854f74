/* Members of a large sorted set: the entries of its table, which its index refers to.
 *
 *   word  0      1      2      [3]
 *       +------+------+------+----------+--------------+
 *       | head | low  | high | long len | member bytes |      low, high: the score's words (lib/double-words.ts)
 *       +------+------+------+----------+--------------+
 *         always               from 65,535 bytes on
 *
 * `head` is entry-head.ts's: the member is the key, and type, encoding and flags are zero. The bytes never change, so a
 * member lies where it is until it is freed; a new score is written in place. The score is kept as it was given, -0
 * included. A member owns nothing else: `memory.free` frees it.
 *
 * Always: key word = 3 + 1 (long); the block is just as large as the head says; the score is not NaN. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { fromWords, highWord, lowWord } from '../lib/double-words.ts'
import { blockSizeFor, CHUNK_MASK, CHUNK_SHIFT, type Memory, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, KEY_WORD_MASK, keyLenOf } from './entry-head.ts'

const LOW = 1
const HIGH = 2
const FIXED_WORDS = 3

/** Makes a member with the bytes copied in. Allocates. */
export function createMember(memory: Memory, score: number, bytes: Uint8Array, pos: number, len: number): Ref {
  const long = len >= KEY_LEN_LONG
  const keyWord = long ? FIXED_WORDS + 1 : FIXED_WORDS
  const member = memory.alloc((keyWord << 2) + len)
  const chunk = member >>> CHUNK_SHIFT
  const words = memory.words[chunk]!
  const head = (member & CHUNK_MASK) << 2
  words[head] = keyWord | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT)
  words[head + LOW] = lowWord(score)
  words[head + HIGH] = highWord(score)
  if (long) words[head + FIXED_WORDS] = len
  copyBytes(bytes, pos, memory.bytes[chunk]!, (head + keyWord) << 2, len)
  return member
}

export function scoreOf(memory: Memory, member: Ref): number {
  const words = memory.words[member >>> CHUNK_SHIFT]!
  const head = (member & CHUNK_MASK) << 2
  return fromWords(words[head + HIGH]!, words[head + LOW]!)
}

/** Writes the score; a member that an index holds must be moved there too (SortedIndex.rescore). */
export function setScore(memory: Memory, member: Ref, score: number): void {
  memory.setWord(member, LOW, lowWord(score))
  memory.setWord(member, HIGH, highWord(score))
}

/** The essay's "Always". */
export function verifyMember(memory: Memory, member: Ref): void {
  const head = memory.word(member, 0)
  const keyWord = head & KEY_WORD_MASK
  const long = head >>> KEY_LEN_SHIFT === KEY_LEN_LONG
  assert(keyWord === (long ? FIXED_WORDS + 1 : FIXED_WORDS), 'the key begins behind the score')
  const size = (keyWord << 2) + keyLenOf(memory, member)
  assert(memory.capacity(member) === blockSizeFor(size), 'a member has a block of its size')
  assert(!Number.isNaN(scoreOf(memory, member)), 'a score is a number')
}
