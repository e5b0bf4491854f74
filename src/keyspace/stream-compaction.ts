/* Compaction of streams, as value-compaction.ts says.
 *
 *   cursor   0 … 2^32                        rank of a node
 *            2^32 * (1 + g) + 0              group g itself
 *            2^32 * (1 + g) + 1 + p          what it has pending, from place p on; and, counted on from there,
 *                                            consumer by consumer: the consumer itself, and what it has pending */
import { NONE, type Ref } from '../memory/memory.ts'
import type { Streams } from './streams.ts'
import { COMPACTED } from './value-compaction.ts'

const PHASE = 2 ** 32

export function compactStream(streams: Streams, entry: Ref, cursor: number): number {
  const { log, groups } = streams
  const root = streams.moveRoot(entry)
  if (cursor < log.nodeCount(root)) return log.compact(root, cursor)
  const rank = cursor < PHASE ? 0 : Math.floor(cursor / PHASE) - 1
  if (rank >= groups.groupCount(root)) return COMPACTED
  const place = cursor < PHASE ? 0 : cursor % PHASE
  const next = compactGroup(streams, root, rank, place)
  return next < 0 ? (rank + 2) * PHASE : (rank + 1) * PHASE + next
}

/** Moves a little of a group; returns the place to go on from, or -1 if that was all. */
function compactGroup(streams: Streams, root: Ref, rank: number, place: number): number {
  const { groups } = streams
  if (place === 0) {
    groups.compactGroup(root, rank)
    return 1
  }
  const group = groups.groupAt(root, rank)
  let before = 1
  const pending = groups.pendingRoot(group)
  if (pending !== NONE && place < before + groups.pending.count(pending)) {
    groups.pending.compact(pending, place - before)
    return before + groups.pending.rankAfterLeaf(place - before)
  }
  before += groups.pendingCount(group)
  const consumers = groups.consumerCount(group)
  for (let at = 0; at < consumers; at++) {
    if (place <= before) {
      groups.compactConsumer(group, at)
      return before + 1
    }
    before++
    const consumer = groups.consumerAt(group, at)
    const count = groups.ownedCount(consumer)
    if (place < before + count) {
      const owned = groups.ownedRoot(consumer)
      groups.owned.compact(owned, place - before)
      return before + groups.owned.rankAfterLeaf(place - before)
    }
    before += count
  }
  return -1
}
