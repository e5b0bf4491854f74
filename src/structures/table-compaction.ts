/* Compaction of a table (table.ts): its blocks are moved out of chunks that are being emptied, one bucket's at a time.
 *
 *   root | … | directory |  ->  directory | segment | … |  ->  segment | bucket | … |  ->  overflow bucket  ->  …
 *                                                                          `-> entries
 *
 * Each is written where its new ref belongs; entries are moved by the caller, who knows what hangs at them.
 *
 * A position in hash order stays good whatever happens to the table between two calls. */
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { BITS, DEPTH, DIRECTORY, LINE_SHIFT, LINE_WORDS, NEXT, SLOT_0 } from './table-layout.ts'

/** Moves an entry, and what hangs at it, if they must; returns its ref. */
export interface EntryMover {
  moveEntry(entry: Ref): Ref
}

/** Moves what must be moved of the bucket at a position; returns the next position, SCAN_END after the last. The root
 *  stays where it is. Allocates. */
export function compactBucket(memory: Memory, root: Ref, position: number, mover: EntryMover): number {
  const hash = position | 0
  const depthMax = memory.word(root, DEPTH)
  const directory = memory.move(memory.word(root, DIRECTORY) as Ref)
  memory.setWord(root, DIRECTORY, directory)
  const pair = ((hash >>> 1) >>> (31 - depthMax)) << 1
  const depth = memory.word(directory, pair + 1)
  const bits = memory.word(root, BITS)
  let block = memory.word(directory, pair) as Ref
  if (memory.mustMove(block)) {
    block = memory.move(block)
    const span = 1 << (depthMax - depth)
    const first = (pair >> 1) & ~(span - 1)
    for (let index = first; index < first + span; index++) memory.setWord(directory, index << 1, block)
  }
  let bucket = (((hash << depth) >>> (32 - bits)) + 1) << LINE_SHIFT
  for (;;) {
    for (let slot = SLOT_0; slot < LINE_WORDS; slot++) {
      const entry = memory.word(block, bucket + slot) as Ref
      if (entry === NONE) continue
      const moved = mover.moveEntry(entry)
      if (moved !== entry) memory.setWord(block, bucket + slot, moved)
    }
    const next = memory.word(block, bucket + NEXT) as Ref
    if (next === NONE) break
    const moved = memory.move(next)
    memory.setWord(block, bucket + NEXT, moved)
    block = moved
    bucket = 0
  }
  const width = 2 ** (32 - depth - bits)
  return (Math.floor(position / width) + 1) * width
}
