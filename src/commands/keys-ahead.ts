/* Keys ahead: reading ahead for commands that name several keys, as the batch does for a pipeline's (batch.ts).
 *
 * Looked up one after the other, ten keys at random wait for memory twenty times, for each one's bucket and entry.
 * Before the first of a group is looked up, all of the group are hashed, and their buckets and entries read in two
 * tight loops (structures/table-ahead.ts); the lookups are told the hashes. What is read ahead is only read: keys may
 * come and go meanwhile. */
import { hashBytes } from '../lib/siphash.ts'
import { KEYS_AHEAD_MAX } from '../structures/table-ahead.ts'
import type { Call } from './call.ts'

/** To be called before the key of argument `index` is looked up, for each key of the command in turn: the first is
 *  argument 1, and every `step` arguments comes one more. After the last one call `endKeysAhead`. */
export function keyAhead(call: Call, index: number, step: number): void {
  const { keyspace } = call
  const slot = (((index - 1) / step) | 0) % KEYS_AHEAD_MAX
  if (slot === 0) {
    // What a single key needs the batch has read.
    if (index + step >= call.argc) return
    readGroup(call, index, step)
  }
  keyspace.hint(call.bytes, call.pos[index]!, keyspace.ahead.hashes[slot]!)
}

/** The bytes may be others by the time that a key is looked up at the same place. */
export function endKeysAhead(call: Call): void {
  call.keyspace.hintPos = -1
}

function readGroup(call: Call, first: number, step: number): void {
  const { bytes, pos, len } = call
  const { root } = call.db
  const { ahead } = call.keyspace
  const { roots, hashes } = ahead
  const count = Math.min(KEYS_AHEAD_MAX, ((call.argc - first) / step) | 0)
  for (let slot = 0; slot < count; slot++) {
    const index = first + slot * step
    roots[slot] = root
    hashes[slot] = hashBytes(bytes, pos[index]!, len[index]!)
  }
  ahead.touchBuckets(count)
  ahead.touchEntries(count)
}
