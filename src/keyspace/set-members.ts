/* Members of a large set: the entries of its table.
 *
 *   word  0      [1]
 *       +------+------------------+--------------+
 *       | head | hash or long len | member bytes |
 *       +------+------------------+--------------+
 *
 * `head` is structures/entry-head.ts's: the member is the key, and type, encoding and flags are zero. The long length
 * is there from 65,535 bytes on; the hash where it costs nothing, since the block is no larger with it: for three
 * lengths of four. A member owns nothing else: `memory.free` frees it. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { hashBytes } from '../lib/siphash.ts'
import { blockSizeFor, CHUNK_MASK, CHUNK_SHIFT, type Memory, type Ref } from '../memory/memory.ts'
import { KEY_HASHED, KEY_LEN_LONG, KEY_LEN_SHIFT, KEY_WORD_MASK, keyLenOf, keyPosOf } from '../structures/entry-head.ts'

/** Longer ones have no hash: their blocks come in other sizes than multiples of 16. */
const HASHED_LEN_MAX = 240

/** Whether a member of this length has its hash. */
function isHashed(len: number): boolean {
  return len <= HASHED_LEN_MAX && ((len + 3) & 15) < 12
}

/** Makes a member with the bytes, which have this hash, copied in. Allocates. */
export function createSetMember(memory: Memory, bytes: Uint8Array, pos: number, len: number, hash: number): Ref {
  const long = len >= KEY_LEN_LONG
  const hashed = isHashed(len)
  const keyWord = long || hashed ? 2 : 1
  const member = memory.alloc((keyWord << 2) + len)
  const chunk = member >>> CHUNK_SHIFT
  const words = memory.words[chunk]!
  const head = (member & CHUNK_MASK) << 2
  words[head] = keyWord | (hashed ? KEY_HASHED : 0) | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT)
  if (hashed) words[head + 1] = hash
  else if (long) words[head + 1] = len
  copyBytes(bytes, pos, memory.bytes[chunk]!, (head + keyWord) << 2, len)
  return member
}

export function verifySetMember(memory: Memory, member: Ref): void {
  const head = memory.word(member, 0)
  const len = keyLenOf(memory, member)
  assert(memory.capacity(member) === blockSizeFor(4 + len + (len >= KEY_LEN_LONG ? 4 : 0)), 'a block of its size')
  assert(((head & KEY_HASHED) !== 0) === isHashed(len), 'a member has its hash where there is room')
  assert((head & KEY_WORD_MASK) === (len >= KEY_LEN_LONG || isHashed(len) ? 2 : 1), 'the bytes lie behind')
  if (!isHashed(len)) return
  const hash = hashBytes(memory.bytesOf(member), keyPosOf(memory, member), len)
  assert(memory.word(member, 1) === hash, 'the hash is that of the bytes')
}
