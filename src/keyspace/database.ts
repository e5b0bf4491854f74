/* A database: a table of entries, how many of them expire, and when.
 *
 * Lookups are the one way to a key: they hash it once (`hash` stays for the insert that may follow), take away what has
 * run out of time, and count hits. `lookupRead` is for commands that only look, `lookupWrite` for those that will
 * change what they find. After a lookup that found, the table still knows the slot: `replace` and `remove` mean that
 * entry.
 *
 * Always: `expiring` entries of the table have an expiry, `dueSum` is the sum of those; each of them has a record in
 * the index at or before its time, and so has each hash with fields that expire (expiring-hashes.ts), at or before the
 * time of the first. `expiringHashes` have such a record. */
import { assert } from '../lib/assert.ts'
import { type Int64, toNumber } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { hashBytes } from '../lib/siphash.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { SCAN_END } from '../structures/table.ts'
import { compactBucket, type EntryMover } from '../structures/table-compaction.ts'
import { DueSum } from './due-sum.ts'
import { EntryFlag } from './entry.ts'
import { Event } from './events.ts'
import { NEVER } from './expiring-hashes.ts'
import { ExpiryIndex } from './expiry-index.ts'
import { expireFields } from './field-expiry.ts'
import { type CondemnedTable, type Keyspace, NOT_KEPT } from './keyspace.ts'

/** A database of nothing but keys past their time, which may not be taken away now, is recognised after so many. */
const RANDOM_TRIES = 100
const UNKNOWN_HASH = 2 ** 32
/** Keys with an expiry that are looked at to estimate how many are stale, and buckets in search of them. */
const STALE_SAMPLE = 1000
const STALE_BUCKETS_MAX = 500
/** Fields of a hash that one visit takes away. */
const FIELDS_AT_ONCE = 16
/** The index may hold this many records above twice the expiring keys before it is built anew. */
const SPARE_RECORDS = 65536

export class Database {
  readonly id: number
  readonly keyspace: Keyspace
  root: Ref
  /** Keys with an expiry. */
  expiring = 0
  /** Hashes with fields that expire. */
  expiringHashes = 0
  private dueSum = new DueSum()
  index: ExpiryIndex | null = null
  /** Where the search for keys to evict has got to, in hash order. */
  sweep = 0
  /** Where the rebuilding of the index has got to, in hash order; SCAN_END when none is under way. */
  private rebuiltTo = SCAN_END
  /** The hash of a key that was visited and of which more fields are due; UNKNOWN_HASH: there is none. */
  private unfinished = UNKNOWN_HASH
  /** Hash of the key last looked up. */
  hash = 0

  constructor(keyspace: Keyspace, id: number) {
    this.keyspace = keyspace
    this.id = id
    this.root = keyspace.table.create()
  }

  /** So many keys are about to be added: an empty database makes room for them at once. Allocates. */
  expect(keys: number): void {
    this.keyspace.table.reserve(this.root, keys)
  }

  /** Those that have not come by now will not come: their room is given back. */
  expectNoMore(): void {
    this.keyspace.table.tighten(this.root)
  }

  get size(): number {
    return this.keyspace.table.count(this.root)
  }

  /** Bytes of the table, its entries not counted. */
  get tableBytes(): number {
    return this.keyspace.table.bytes(this.root)
  }
  /** Bytes of the index of expiries. */
  get expiryBytes(): number {
    return this.index === null ? 0 : this.index.bytes
  }

  /** The entry if there is one and it is not past its time; leaves statistics and access alone. */
  lookup(bytes: Uint8Array, pos: number, len: number): Ref {
    const { keyspace } = this
    const isHinted = pos === keyspace.hintPos && bytes === keyspace.hintBytes
    const hash = isHinted ? keyspace.hintHash : hashBytes(bytes, pos, len)
    this.hash = hash
    const entry = isHinted ? this.findHinted(bytes, pos, len) : keyspace.table.find(this.root, bytes, pos, len, hash)
    if (entry !== NONE && this.isExpired(entry)) {
      this.expire(entry, bytes, pos, len)
      return NONE
    }
    return entry
  }

  /** The entry at the hinted key. Commands of a pipeline on one key find it where the one before them has (20 ns less
   *  each), unless anything has changed its place since. */
  private findHinted(bytes: Uint8Array, pos: number, len: number): Ref {
    const { keyspace, root } = this
    const { table, hintHash: hash } = keyspace
    const known = keyspace.hintEntry
    if (known === NOT_KEPT) return table.find(root, bytes, pos, len, hash)
    const isKnown = known !== NONE && keyspace.hintRoot === root && keyspace.hintChanges === table.changes
    if (isKnown && table.hasFound(root, known, hash)) return known
    const entry = table.find(root, bytes, pos, len, hash)
    keyspace.hintEntry = entry
    keyspace.hintRoot = root
    keyspace.hintChanges = table.changes
    return entry
  }

  /** For a command that reads: counts a hit or a miss, and notes the use. */
  lookupRead(bytes: Uint8Array, pos: number, len: number): Ref {
    const entry = this.lookup(bytes, pos, len)
    const keyspace = this.keyspace
    if (entry === NONE) return this.miss(bytes, pos, len)
    keyspace.stats.hits++
    if (!keyspace.noTouch) this.touch(entry)
    return entry
  }

  /** For a command that asks about a key, not for its value: counts a hit or a miss, but that is no use of the key. */
  lookupAbout(bytes: Uint8Array, pos: number, len: number): Ref {
    const entry = this.lookup(bytes, pos, len)
    if (entry === NONE) return this.miss(bytes, pos, len)
    this.keyspace.stats.hits++
    return entry
  }

  private miss(bytes: Uint8Array, pos: number, len: number): Ref {
    const keyspace = this.keyspace
    keyspace.stats.misses++
    if (keyspace.hasListeners) keyspace.tell(this, bytes, pos, len, Event.MISS)
    return NONE
  }

  /** For a command that may change what it finds. */
  lookupWrite(bytes: Uint8Array, pos: number, len: number): Ref {
    const entry = this.lookup(bytes, pos, len)
    if (entry === NONE) {
      if (this.keyspace.expiryPaused) this.removePaused(bytes, pos, len)
      return NONE
    }
    if (!this.keyspace.noTouch) this.touch(entry)
    if (this.keyspace.snapshot !== null) this.keyspace.snapshot.entryChanges(this, entry)
    return entry
  }

  /** To be called before an entry changes that was found otherwise than by `lookupWrite`. */
  willChange(entry: Ref): void {
    if (this.keyspace.snapshot !== null) this.keyspace.snapshot.entryChanges(this, entry)
  }

  /** Notes a use of the entry. */
  touch(entry: Ref): void {
    const { entries, clock } = this.keyspace
    entries.setAccess(entry, clock.used(entries.access(entry)))
  }

  /** Takes away the entry past its time that a lookup left because expiry is paused: its place is about to be taken. */
  private removePaused(bytes: Uint8Array, pos: number, len: number): void {
    const entry = this.keyspace.table.find(this.root, bytes, pos, len, this.hash)
    if (entry === NONE) return
    this.remove(entry)
    this.keyspace.expired(this, bytes, pos, len)
  }

  /** Adds an entry for the key last looked up, which must not be there. Allocates. */
  insert(entry: Ref): void {
    this.insertLoaded(entry)
    if (this.keyspace.hasListeners) this.tellNew(entry)
  }

  /** As insert, but nobody is told of a new key: it was read from a file. */
  insertLoaded(entry: Ref): void {
    this.keyspace.table.insert(this.root, entry, this.hash)
    if (this.keyspace.entries.fallsDue(entry)) this.noteDue(entry, this.hash)
  }

  private tellNew(entry: Ref): void {
    const { entries, memory } = this.keyspace
    const bytes = memory.bytesOf(entry)
    this.keyspace.tell(this, bytes, entries.keyPos(entry), entries.keyLen(entry), Event.NEW)
  }

  /** Puts `entry` in the place of the one last found, whose blocks are the caller's to free.
   *  Expiries are accounted by the caller (`forgetExpiry` before, `noteExpiry` after). */
  replace(entry: Ref): void {
    this.keyspace.table.replaceFound(entry)
  }

  /** Puts an entry without an expiry where the last lookup met `found`, which is freed, or NONE. Allocates. */
  put(found: Ref, entry: Ref): void {
    if (found === NONE) return this.insert(entry)
    this.willChange(found)
    this.replace(entry)
    this.keyspace.entries.setAccess(entry, this.keyspace.entries.access(found))
    if (this.keyspace.entries.fallsDue(found)) this.forgetDue(found)
    this.keyspace.freeEntry(found)
  }

  /** Takes the entry last found out of the table and frees it. */
  remove(entry: Ref): void {
    this.detachEntry(entry)
    this.keyspace.freeEntry(entry)
  }

  /** Takes the entry last found out of the table; it is the caller's then. */
  detachEntry(entry: Ref): void {
    this.willChange(entry)
    if (this.keyspace.entries.fallsDue(entry)) this.forgetDue(entry)
    this.keyspace.table.removeFound(this.root)
  }

  /** Moves an entry of this database to `target` (which may be this one) under a name that was just looked up there and
   *  is free. Its old ref is dead. Allocates. */
  relocate(entry: Ref, target: Database, bytes: Uint8Array, pos: number, len: number): void {
    const { table, entries, memory } = this.keyspace
    const hash = table.hashOf(entry)
    table.find(this.root, memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry), hash)
    this.detachEntry(entry)
    const moved = entries.recreate(entry, entries.flags(entry) & ~EntryFlag.INDEXED, bytes, pos, len)
    entries.setAccess(moved, entries.freshAccess)
    target.insert(moved)
  }

  /** Adds a copy of `source`, of whatever database, under a name that was just looked up here and is free.
   *  Allocates. */
  insertCopy(source: Ref, bytes: Uint8Array, pos: number, len: number): void {
    const copy = this.keyspace.entries.createLike(source, bytes, pos, len)
    this.keyspace.kindOf(source).copyValue(source, copy)
    this.insert(copy)
  }

  /** A random entry, each with the same probability; NONE in an empty database. What it meets past its time it takes
   *  away; while that is not allowed, it may answer such a key when there are no others. */
  random(): Ref {
    const keyspace = this.keyspace
    const table = keyspace.table
    for (let tries = 1; this.size > 0; tries++) {
      const entry = table.random(this.root)
      if (!this.isExpired(entry)) return entry
      if (!keyspace.expiryPaused) this.expireEntry(entry, table.hashOf(entry))
      else if (tries >= RANDOM_TRIES && this.expiring === this.size) return entry
    }
    return NONE
  }

  /** Whether the entry is past its time. */
  isExpired(entry: Ref): boolean {
    return this.keyspace.entries.expires(entry) && this.isDue(entry)
  }

  private isDue(entry: Ref): boolean {
    return toNumber(this.keyspace.entries.expiry(entry)) < this.keyspace.dueBefore
  }

  private expire(entry: Ref, bytes: Uint8Array, pos: number, len: number): void {
    if (this.keyspace.expiryPaused) return
    this.remove(entry)
    this.keyspace.expired(this, bytes, pos, len)
  }

  /** Gives the entry last found an expiry, or another one; returns the entry, which may have moved. Allocates. */
  setExpiry(entry: Ref, dueMs: Int64): Ref {
    const { entries, memory } = this.keyspace
    this.willChange(entry)
    let kept = entry
    if (entries.expires(entry)) {
      if (toNumber(dueMs) < toNumber(entries.expiry(entry))) entries.clearIndexed(entry)
      this.forgetExpiry(entry)
    } else {
      const flags = entries.flags(entry) | EntryFlag.EXPIRES
      kept = entries.recreate(entry, flags, memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
      this.replace(kept)
    }
    entries.setExpiry(kept, dueMs)
    this.noteExpiry(kept, this.hash)
    return kept
  }

  /** Takes the expiry from the entry last found; returns the entry, which has moved. Allocates. */
  dropExpiry(entry: Ref): Ref {
    const { entries, memory } = this.keyspace
    this.willChange(entry)
    this.forgetExpiry(entry)
    const flags = entries.flags(entry) & ~(EntryFlag.EXPIRES | EntryFlag.INDEXED)
    const kept = entries.recreate(entry, flags, memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    this.replace(kept)
    return kept
  }

  /** Counts an expiry that the entry now has, and sees to it that the index knows of it. Allocates. */
  noteExpiry(entry: Ref, hash: number): void {
    const { entries, memory } = this.keyspace
    const due = toNumber(entries.expiry(entry))
    this.expiring++
    this.dueSum.add(due)
    if (entries.isIndexed(entry)) return
    this.index ??= new ExpiryIndex(memory, this.keyspace.now)
    this.index.add(hash, due)
    entries.markIndexed(entry)
  }

  /** The entry is about to lose its expiry, or to be freed. */
  forgetExpiry(entry: Ref): void {
    this.expiring--
    this.dueSum.subtract(toNumber(this.keyspace.entries.expiry(entry)))
  }

  /** An entry that falls due is new in the table. Allocates. */
  private noteDue(entry: Ref, hash: number): void {
    const { entries } = this.keyspace
    if (entries.expires(entry)) this.noteExpiry(entry, hash)
    if (!entries.hasExpiringFields(entry)) return
    this.keyspace.hashes.expiring.setRecorded(entry, NEVER)
    this.noteFields(entry, hash)
  }

  /** An entry that falls due is about to go. */
  forgetDue(entry: Ref): void {
    const { entries } = this.keyspace
    if (entries.expires(entry)) this.forgetExpiry(entry)
    if (entries.hasExpiringFields(entry)) this.setRecorded(entry, NEVER)
  }

  /** The index has a record of a hash at this moment, or (NEVER) none that is known of. */
  private setRecorded(entry: Ref, due: number): void {
    const { expiring } = this.keyspace.hashes
    if (expiring.recorded(entry) !== NEVER) this.expiringHashes--
    if (due !== NEVER) this.expiringHashes++
    expiring.setRecorded(entry, due)
  }

  /** Sees to it that the index knows when the first field of a hash is due, if its fields may expire. Allocates. */
  noteFields(entry: Ref, hash: number): void {
    if (!this.keyspace.entries.hasExpiringFields(entry)) return
    const { expiring } = this.keyspace.hashes
    const due = expiring.nextDue(entry)
    if (due === 0 || due >= expiring.recorded(entry)) return
    this.index ??= new ExpiryIndex(this.keyspace.memory, this.keyspace.now)
    this.index.add(hash, due)
    this.setRecorded(entry, due)
  }

  /** Mean milliseconds until the expiring keys are due. */
  get averageTtl(): number {
    if (this.expiring === 0) return 0
    return Math.max(0, Math.round(this.dueSum.mean(this.expiring) - this.keyspace.now))
  }

  /** Estimates which share of the keys with an expiry is past its time and still here, from some buckets in a row. They
   *  are in hash order, which is none, so any will do. */
  staleShare(): number {
    const { table, entries } = this.keyspace
    let position = randomBelow(2 ** 30) * 4
    let met = 0
    let stale = 0
    for (let left = STALE_BUCKETS_MAX; left > 0 && met < STALE_SAMPLE; left--) {
      position = table.scan(this.root, position)
      if (position === SCAN_END) position = 0
      for (let index = 0; index < table.foundCount; index++) {
        const entry = table.found[index]! as Ref
        if (!entries.expires(entry)) continue
        met++
        if (this.isExpired(entry)) stale++
      }
    }
    return met === 0 ? 0 : stale / met
  }

  /** Takes away one record's worth of keys past their time; false when nothing is due. */
  expireNext(): boolean {
    const { now } = this.keyspace
    if (this.rebuiltTo !== SCAN_END) return this.rebuildNext()
    if (this.index === null || this.keyspace.keepsExpired) return false
    if (this.index.isFarBehind(now)) {
      this.rebuildIndex()
      return true
    }
    if (this.unfinished !== UNKNOWN_HASH) {
      const hash = this.unfinished
      this.unfinished = UNKNOWN_HASH
      this.visit(hash)
      return true
    }
    if (!this.index.advance(now)) return this.maintainIndex()
    this.visit(this.index.hash)
    return true
  }

  /** Takes away what is due among the keys of this hash, or some of it, and records when what is left is due. */
  private visit(hash: number): void {
    const { table, entries } = this.keyspace
    table.matches(this.root, hash)
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      if (!entries.fallsDue(entry) || table.hashOf(entry) !== hash) continue
      if (this.isExpired(entry)) {
        this.expireEntry(entry, hash)
        return // the list is dead: others of this hash have records of their own
      }
      if (entries.hasExpiringFields(entry)) {
        if (expireFields(this, entry, hash, FIELDS_AT_ONCE)) return
        this.recordAgain(entry, hash)
      } else this.index!.add(hash, toNumber(entries.expiry(entry)))
    }
  }

  /** A hash whose fields may expire has been visited: records when it, or a field, is due next. */
  private recordAgain(entry: Ref, hash: number): void {
    const { entries, hashes, now } = this.keyspace
    const { expiring } = hashes
    let due = expiring.nextDue(entry)
    this.setRecorded(entry, due === 0 ? NEVER : due)
    if (due !== 0 && due < now) this.unfinished = hash
    if (entries.expires(entry)) {
      const expiry = toNumber(entries.expiry(entry))
      due = due === 0 ? expiry : Math.min(due, expiry)
    }
    if (due !== 0) this.index!.add(hash, due)
  }

  /** Takes away an entry that is past its time, wherever it was met. */
  expireEntry(entry: Ref, hash: number): void {
    const { entries, memory } = this.keyspace
    this.detachAny(entry, hash)
    this.keyspace.expired(this, memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    this.keyspace.freeEntry(entry)
  }

  /** Takes away the entry that the table found last, to make room. */
  evictFound(entry: Ref): void {
    const { entries, memory } = this.keyspace
    this.detachEntry(entry)
    this.keyspace.evicted(this, memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    this.keyspace.freeEntry(entry)
  }

  /** Takes an entry out of the table, wherever it was met. */
  private detachAny(entry: Ref, hash: number): void {
    this.keyspace.table.seek(this.root, entry, hash)
    this.detachEntry(entry)
  }

  private maintainIndex(): boolean {
    if (this.index!.count <= 2 * (this.expiring + this.expiringHashes) + SPARE_RECORDS) return false
    this.rebuildIndex()
    return true
  }

  /** Begins the index anew: after the clock was set, or when most records are visits for nothing. */
  rebuildIndex(): void {
    if (this.index === null) return
    this.keyspace.retire(this.index)
    this.index = new ExpiryIndex(this.keyspace.memory, this.keyspace.now)
    this.rebuiltTo = 0
  }

  private rebuildNext(): boolean {
    const { table, entries } = this.keyspace
    this.rebuiltTo = table.scan(this.root, this.rebuiltTo)
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      if (!entries.fallsDue(entry)) continue
      const hash = table.hashOf(entry)
      if (entries.hasExpiringFields(entry)) this.recordAgain(entry, hash)
      else this.index!.add(hash, toNumber(entries.expiry(entry)))
      if (entries.expires(entry)) entries.markIndexed(entry)
    }
    return true
  }

  /** The entry at a key, be it past its time or not; leaves everything alone. */
  peek(bytes: Uint8Array, pos: number, len: number): Ref {
    return this.keyspace.table.find(this.root, bytes, pos, len, hashBytes(bytes, pos, len))
  }

  /** Moves what must be moved (Memory.move) of the bucket at a position; returns the next position. Allocates. */
  compact(position: number, mover: EntryMover): number {
    const { memory, table } = this.keyspace
    table.changed()
    this.root = memory.move(this.root)
    return compactBucket(memory, this.root, position, mover)
  }

  /** Gives up the table and starts an empty one; returns the old one for `Keyspace.reclaim`. */
  detach(): CondemnedTable {
    const old = { root: this.root, position: 0, left: this.size }
    if (this.index !== null) this.keyspace.retire(this.index)
    this.begin()
    return old
  }

  /** Starts with an empty table; what was there is the caller's, or gone with the memory it lay in. */
  begin(): void {
    const { table } = this.keyspace
    table.changed()
    this.root = table.create()
    this.expiring = 0
    this.expiringHashes = 0
    this.unfinished = UNKNOWN_HASH
    this.dueSum = new DueSum()
    this.index = null
    this.rebuiltTo = SCAN_END
  }

  /** Changes contents with another database. */
  exchange(other: Database): void {
    const { root, expiring, expiringHashes, dueSum, index, rebuiltTo, unfinished } = this
    this.keyspace.table.changed()
    this.root = other.root
    this.expiring = other.expiring
    this.expiringHashes = other.expiringHashes
    this.unfinished = other.unfinished
    this.dueSum = other.dueSum
    this.index = other.index
    this.rebuiltTo = other.rebuiltTo
    other.root = root
    other.expiring = expiring
    other.expiringHashes = expiringHashes
    other.unfinished = unfinished
    other.dueSum = dueSum
    other.index = index
    other.rebuiltTo = rebuiltTo
  }

  /** The essay's "Always". */
  verify(): void {
    const { table, entries } = this.keyspace
    table.verify(this.root)
    this.index?.verify()
    let expiring = 0
    let hashes = 0
    const dueSum = new DueSum()
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(this.root, position)
      for (let index = 0; index < table.foundCount; index++) {
        const entry = table.found[index]! as Ref
        this.keyspace.kindOf(entry).verify(entry)
        if (entries.hasExpiringFields(entry) && this.keyspace.hashes.expiring.recorded(entry) !== NEVER) hashes++
        if (!entries.expires(entry)) continue
        expiring++
        dueSum.add(toNumber(entries.expiry(entry)))
        assert(entries.isIndexed(entry), 'an expiring key is in the index')
      }
    }
    assert(expiring === this.expiring, 'expiring keys are counted')
    assert(hashes === this.expiringHashes, 'hashes with a record are counted')
    assert(dueSum.equals(this.dueSum), 'the sum of the expiries is true')
  }
}
