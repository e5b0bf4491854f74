/* Key filter: whether a key is certainly none of those that somebody cares for. Of nearly every key that changes it is
 * said without a hash of its whole name, a lookup or a string.
 *
 *   counts   | 0 | 2 | 0 | 0 | 1 | …    keys cared for, by a cheap hash of database, length and a few bytes
 */
import type { Database } from './database.ts'

const SIZE = 4096

/** A cheap hash: of length, first and last bytes. */
function slotOf(db: Database, bytes: Uint8Array, pos: number, len: number): number {
  let hash = db.id * 31 + len
  const last = pos + len - 1
  if (len > 0) hash = Math.imul(hash, 31) + bytes[pos]! + Math.imul(bytes[last]!, 131)
  if (len > 2) hash = Math.imul(hash, 31) + bytes[last - 1]! + Math.imul(bytes[pos + (len >>> 1)]!, 131)
  return (hash ^ (hash >>> 12)) & (SIZE - 1)
}

export class KeyFilter {
  private readonly counts = new Int32Array(SIZE)

  add(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.counts[slotOf(db, bytes, pos, len)]!++
  }

  remove(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.counts[slotOf(db, bytes, pos, len)]!--
  }

  /** False if the key is none of those that were added. */
  mayHave(db: Database, bytes: Uint8Array, pos: number, len: number): boolean {
    return this.counts[slotOf(db, bytes, pos, len)] !== 0
  }
}
