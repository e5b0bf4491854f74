/* Members of a large set: the entries of its table.
 *
 *   word  0      [1]
 *       +------+----------+--------------+
 *       | head | long len | member bytes |      the long length from 65,535 bytes on
 *       +------+----------+--------------+
 *
 * `head` is structures/entry-head.ts's: the member is the key, and type, encoding and flags are zero. A member owns
 * nothing else: `memory.free` frees it. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { blockSizeFor, CHUNK_MASK, CHUNK_SHIFT, type Memory, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, keyLenOf } from '../structures/entry-head.ts'

/** Makes a member with the bytes copied in. Allocates. */
export function createSetMember(memory: Memory, bytes: Uint8Array, pos: number, len: number): Ref {
  const long = len >= KEY_LEN_LONG
  const keyWord = long ? 2 : 1
  const member = memory.alloc((keyWord << 2) + len)
  const chunk = member >>> CHUNK_SHIFT
  const words = memory.words[chunk]!
  const head = (member & CHUNK_MASK) << 2
  words[head] = keyWord | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT)
  if (long) words[head + 1] = len
  copyBytes(bytes, pos, memory.bytes[chunk]!, (head + keyWord) << 2, len)
  return member
}

export function verifySetMember(memory: Memory, member: Ref): void {
  const long = memory.word(member, 0) >>> KEY_LEN_SHIFT === KEY_LEN_LONG
  const size = (long ? 8 : 4) + keyLenOf(memory, member)
  assert(memory.capacity(member) === blockSizeFor(size), 'a member has a block of its size')
}
