/* A listpack's elements as bulk strings, one after the other: what LRANGE, HGETALL and SMEMBERS reply of small values.
 * Short strings, which most elements are, are written in one loop that knows how they lie (Reply.bulkRun). */
import { posOf, type Ref } from '../memory/memory.ts'
import { NO_ELEMENT } from '../structures/listpack.ts'
import type { Call } from './call.ts'

/** Replies with up to `count` elements of a listpack from the one at `from` on; answers how many there were. */
export function replyListpack(call: Call, block: Ref, from: number, count: number): number {
  const { reply, keyspace } = call
  const { listpacks } = keyspace.lists
  const view = keyspace.memory.viewOf(block)
  const start = posOf(block)
  let left = count
  for (let off = from; off !== NO_ELEMENT; ) {
    left -= reply.bulkRun(view, start + off, left)
    off = listpacks.elementAt(block, reply.runEnd - start)
    if (left === 0 || off === NO_ELEMENT) break
    off = listpacks.locate(block, off)
    reply.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
    if (--left === 0) break
  }
  return count - left
}
