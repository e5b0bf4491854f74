/* Fields past their time: taken away when somebody meets them, or when the expiry index says so, and told of: as HDEL
 * to those who repeat what was done (Keyspace.removals), as `hexpired` to those who listen, and as `del` when the last
 * field has gone, and with it the hash. */
import type { Ref } from '../memory/memory.ts'
import type { Database } from './database.ts'
import { Event } from './events.ts'

/** Takes away up to `most` fields of a hash that are past their time; whether the hash has gone with them. `hash` is
 *  that of its key. */
export function expireFields(db: Database, entry: Ref, hash: number, most: number): boolean {
  const { keyspace } = db
  const { expiring } = keyspace.hashes
  const count = expiring.countDue(entry, keyspace.dueBefore, most)
  if (count === 0) return false
  db.willChange(entry)
  if (keyspace.removals !== null) {
    for (let rank = 0; rank < count; rank++) {
      expiring.locateDue(entry, rank)
      tellRemoved(db, entry, expiring.bytes, expiring.pos, expiring.len)
    }
  }
  expiring.removeDue(entry, count)
  keyspace.stats.expiredFields += count
  return tellExpired(db, entry, hash)
}

/** Takes away the field past its time that a command has just met (Hashes.hasMetPast), of which these are the bytes;
 *  `tellExpired` is to follow. Does nothing while nothing may be taken away. */
export function expireMet(db: Database, entry: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
  const { keyspace } = db
  if (keyspace.expiryPaused) return false
  db.willChange(entry)
  if (keyspace.removals !== null) tellRemoved(db, entry, bytes, pos, len)
  keyspace.hashes.expiring.remove(entry)
  keyspace.stats.expiredFields++
  return true
}

function tellRemoved(db: Database, entry: Ref, bytes: Uint8Array, pos: number, len: number): void {
  const { entries, memory, removals } = db.keyspace
  const keyBytes = memory.bytesOf(entry)
  removals!.fieldExpired(db, keyBytes, entries.keyPos(entry), entries.keyLen(entry), bytes, pos, len)
}

/** Fields have been taken away: tells who listens, and takes away the hash if it is empty. Whether it is. */
export function tellExpired(db: Database, entry: Ref, hash: number): boolean {
  const { keyspace } = db
  const { entries, memory } = keyspace
  const bytes = memory.bytesOf(entry)
  const pos = entries.keyPos(entry)
  const len = entries.keyLen(entry)
  const isGone = keyspace.hashes.size(entry) === 0
  if (keyspace.hasListeners) keyspace.tell(db, bytes, pos, len, Event.HEXPIRED)
  if (!isGone) return false
  keyspace.table.find(db.root, bytes, pos, len, hash)
  db.detachEntry(entry)
  if (keyspace.hasListeners) keyspace.tell(db, bytes, pos, len, Event.DEL)
  keyspace.freeEntry(entry)
  return true
}
