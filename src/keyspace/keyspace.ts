/* The keyspace: the databases, the memory they share, and the one place that learns of every change.
 *
 * A command changes a key in two steps: it finds it with `Database.lookupWrite` (the last moment at which the old state
 * can be seen) and, when it has changed it, says so with `changed` (the first moment at which the new state can be
 * seen). Whoever must know - the dirty counter, WATCH, client tracking, notifications, blocked clients, snapshots,
 * propagation - hangs there as a listener; without listeners both cost one test. No command knows of them. */
import { Memory, NONE, type Ref } from '../memory/memory.ts'
import { Listpacks } from '../structures/listpack.ts'
import { SCAN_END, Table } from '../structures/table.ts'
import { KEYS_AHEAD_MAX, TableAhead } from '../structures/table-ahead.ts'
import { AccessClock } from './access.ts'
import { Database } from './database.ts'
import { Entries } from './entry.ts'
import { Event, type KeyEvent } from './events.ts'
import type { ExpiryIndex } from './expiry-index.ts'
import { Hashes, hashKind } from './hashes.ts'
import type { Kind } from './kinds.ts'
import { Lists, listKind } from './lists.ts'
import { Sets, setKind } from './sets.ts'
import { Streams, streamKind } from './streams.ts'
import { Strings, stringKind } from './strings.ts'
import { zsetKind } from './zset-kind.ts'
import { Zsets } from './zsets.ts'

/** As `hintEntry`. (No entry is the last granule of memory.) */
export const NOT_KEPT = -1 as Ref

export interface ChangeListener {
  /** A key has changed. The name is a range of bytes that is dead after the call. */
  keyChanged(db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void
  /** Every key of a database (or, with undefined, of all) is about to go. */
  flushed(db: Database | undefined): void
  /** Two databases have changed places. */
  swapped(first: Database, second: Database): void
}

/** Told of keys that go by themselves, before or after whatever a command does. The name is dead after the call. */
export interface Removals {
  expired(db: Database, bytes: Uint8Array, pos: number, len: number): void
  evicted(db: Database, bytes: Uint8Array, pos: number, len: number): void
  /** A field of the hash at this key is about to go, past its time. */
  fieldExpired(
    db: Database,
    keyBytes: Uint8Array,
    keyPos: number,
    keyLen: number,
    bytes: Uint8Array,
    pos: number,
    len: number,
  ): void
}

/** Who takes a picture of the data while it changes (persistence/snapshot.ts). */
export interface BeforeChange {
  /** An entry of this database is about to change in whatever way, or to go; it may have been shown before. */
  entryChanges(db: Database, entry: Ref): void
  /** An entry that is in no table any more is about to be freed: whether its value must stay. */
  keepsValue(entry: Ref): boolean
  /** A database has been emptied: whether the snapshot takes over its old table, to give it to `condemn` later. */
  keepsTable(db: Database, table: CondemnedTable): boolean
  /** Two databases are about to change places. */
  swaps(first: Database, second: Database): void
}

/** A table whose entries wait to be freed, and the position reached. */
export interface CondemnedTable {
  readonly root: Ref
  position: number
  left: number
}

/** What INFO stats tells of the keyspace. */
export class KeyspaceStats {
  hits = 0
  misses = 0
  expired = 0
  expireTimeCapReached = 0
  expireCycleMs = 0
  expiredFields = 0
  evicted = 0
  lazyFreed = 0
}

export class Keyspace {
  readonly memory = new Memory()
  readonly table: Table
  /** For commands that name several keys (commands/keys-ahead.ts). */
  readonly ahead = new TableAhead(this.memory, KEYS_AHEAD_MAX)
  readonly entries: Entries
  readonly listpacks: Listpacks
  readonly strings: Strings
  readonly lists: Lists
  readonly sets: Sets
  readonly hashes: Hashes
  readonly zsets: Zsets
  readonly streams: Streams
  readonly clock = new AccessClock()
  readonly databases: Database[] = []
  /** By type tag. */
  readonly kinds: (Kind | undefined)[] = []
  stats = new KeyspaceStats()
  /** Changes since the last save. */
  dirty = 0
  /** Unix time in milliseconds, as the running command sees it. */
  now = 0
  /** The key that begins here has this hash, worked out ahead of its lookup (commands/batch.ts); -1: none has. */
  hintPos = -1
  hintBytes: Uint8Array | null = null
  hintHash = 0
  /** The entry that the hinted key was found to have in the database `hintRoot` when `table.changes` was `hintChanges`:
   *  runs of commands on one key look it up once. NONE: not known yet. NOT_KEPT: nobody wants to know. */
  hintEntry: Ref = NOT_KEPT
  hintRoot: Ref = NONE
  hintChanges = 0
  /** What is due before this is past its time: `now`, but while `keepsExpired`. */
  dueBefore = 0
  /** Keys past their time stay, and can be read and written: what is being replayed was done while they were there. */
  keepsExpired = false
  /** Lookups leave access words alone (CLIENT NO-TOUCH). */
  noTouch = false
  /** Keys past their time read as missing but stay (CLIENT PAUSE, and a replica's way). */
  expiryPaused = false
  /** Redis would share small integers among keys (unless its eviction needs an access word for each); for OBJECT. */
  sharesIntegers = true
  /** proto-max-bulk-len: the longest string that a command may make. */
  stringLenMax = 512 * 1024 * 1024
  /** hll-sparse-max-bytes: a longer HyperLogLog is kept dense. */
  hllSparseLenMax = 3000
  /** The snapshot under way. */
  snapshot: BeforeChange | null = null
  /** Replaced, never changed: whoever is told may leave while the others are still to be told. */
  private listeners: readonly ChangeListener[] = []
  /** Whoever must know of keys that expire or are evicted, in order to tell of it. */
  removals: Removals | null = null

  constructor(databaseCount: number) {
    this.table = new Table(this.memory)
    this.listpacks = new Listpacks(this.memory)
    this.entries = new Entries(this.memory)
    this.strings = new Strings(this.entries)
    this.register(stringKind(this.strings, this.entries))
    const doom = (step: () => boolean) => this.doom(step)
    this.sets = new Sets(this.entries, doom)
    this.register(setKind(this.sets, this.entries))
    this.hashes = new Hashes(this.entries, doom, this)
    this.register(hashKind(this.hashes, this.entries))
    this.zsets = new Zsets(this.entries, doom)
    this.register(zsetKind(this.zsets, this.entries))
    this.lists = new Lists(this.entries, this.listpacks, (step) => this.doom(step))
    this.register(listKind(this.lists, this.entries))
    this.streams = new Streams(this.entries, this.listpacks, doom)
    this.register(streamKind(this.streams))
    for (let id = 0; id < databaseCount; id++) this.databases.push(new Database(this, id))
    this.setTime(Date.now())
  }

  /** The hash of the key that begins here is known, for one lookup. */
  hint(bytes: Uint8Array, pos: number, hash: number): void {
    this.hintBytes = bytes
    this.hintPos = pos
    this.hintHash = hash
    this.hintEntry = NOT_KEPT
  }

  register(kind: Kind): void {
    while (this.kinds.length <= kind.type) this.kinds.push(undefined)
    this.kinds[kind.type] = kind
  }

  kindOf(entry: Ref): Kind {
    return this.kinds[this.entries.type(entry)]!
  }

  setTime(nowMs: number): void {
    this.now = nowMs
    this.dueBefore = this.keepsExpired ? Number.NEGATIVE_INFINITY : nowMs
    this.clock.tick(nowMs)
    this.entries.freshAccess = this.clock.fresh()
  }

  /** Begins, or ends, to keep keys that are past their time. */
  keepExpired(kept: boolean): void {
    this.keepsExpired = kept
    this.setTime(this.now)
  }

  /** Tells a listener of changes from now on; `first`: before the others (but see KeyEvent.isToldFirst). */
  listen(listener: ChangeListener, first = false): void {
    this.listeners = first ? [listener, ...this.listeners] : [...this.listeners, listener]
  }
  unlisten(listener: ChangeListener): void {
    this.listeners = this.listeners.filter((each) => each !== listener)
  }

  /** A command has changed this key. */
  changed(db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    this.dirty++
    if (this.listeners.length > 0) this.tell(db, bytes, pos, len, event)
  }

  /** Something happened that is no change by a command: a miss, a new key. */
  tell(db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    const { listeners } = this
    if (event.isToldFirst === true) {
      for (let at = listeners.length - 1; at >= 0; at--) listeners[at]!.keyChanged(db, bytes, pos, len, event)
    } else for (const listener of listeners) listener.keyChanged(db, bytes, pos, len, event)
  }

  get hasListeners(): boolean {
    return this.listeners.length > 0
  }

  /** Frees an entry that is in no table any more, with all that hangs at it. */
  freeEntry(entry: Ref): void {
    if (this.snapshot === null || !this.snapshot.keepsValue(entry)) this.kindOf(entry).freeValue(entry)
    this.memory.free(entry)
  }

  /** A key ran out of time and has been taken out. */
  expired(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.stats.expired++
    if (this.removals !== null) this.removals.expired(db, bytes, pos, len)
    if (this.listeners.length > 0) this.tell(db, bytes, pos, len, Event.EXPIRED)
  }

  /** A key is being taken out to make room: it is out of the table, and not freed yet. */
  evicted(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.stats.evicted++
    if (this.removals !== null) this.removals.evicted(db, bytes, pos, len)
    if (this.listeners.length > 0) this.tell(db, bytes, pos, len, Event.EVICTED)
  }

  /** Does what FLUSHALL does, if that is more than `flush`. */
  onFlushAll: (() => void) | null = null

  /** Empties one database, or all. When no key is left anywhere the memory is back at once, however much it was; else
   *  it comes back in slices (`reclaim`). */
  flush(db?: Database): void {
    for (const listener of this.listeners) listener.flushed(db)
    const flushed = db === undefined ? this.databases : [db]
    let left = 0
    for (const each of this.databases) if (!flushed.includes(each)) left += each.size
    for (const each of flushed) this.dirty += each.size
    if (left === 0 && this.tenants === 0) this.reset()
    else for (const each of flushed) this.giveUp(each)
  }

  private giveUp(db: Database): void {
    const table = db.detach()
    if (this.snapshot === null || !this.snapshot.keepsTable(db, table)) this.condemn(table)
  }

  /** Frees a table and its entries, which are in no database any more, in slices. */
  condemn(table: CondemnedTable): void {
    this.condemned.push(table)
  }

  /** Drops the arena's whole content, and begins anew. */
  private reset(): void {
    this.memory.reset()
    this.condemned.length = 0
    this.doomed.length = 0
    this.retired.length = 0
    for (const db of this.databases) db.begin()
  }

  /** Others than the databases who keep blocks in the arena: while there are any, a flush must not drop it whole. */
  tenants = 0
  /** Tables whose entries wait to be freed, each with the position reached. */
  private readonly condemned: CondemnedTable[] = []

  /** Large values that wait to be freed: what frees the next little of each. */
  private readonly doomed: (() => boolean)[] = []

  /** Takes over a value that nobody can reach any more and that would take long to free at once. `step` frees a little
   *  of it and says whether there is more. */
  doom(step: () => boolean): void {
    this.doomed.push(step)
  }

  /** Expiry indexes that wait to be freed. */
  private readonly retired: ExpiryIndex[] = []

  /** Takes over an index that nobody needs any more. */
  retire(index: ExpiryIndex): void {
    this.retired.push(index)
  }

  /** Keys that wait to be freed. */
  get pendingFrees(): number {
    let count = this.doomed.length
    for (const table of this.condemned) count += table.left
    return count
  }

  /** Whether `reclaim` would free something. */
  get canReclaim(): boolean {
    return this.condemned.length > 0 || this.doomed.length > 0 || this.retired.length > 0
  }

  /** Frees one segment's worth of what was flushed, or as much of a large value or an old index; false when nothing is
   *  left. */
  reclaim(): boolean {
    const first = this.condemned[0]
    if (first === undefined) return this.reclaimValue()
    const table = this.table
    first.position = table.dismantle(first.root, first.position)
    first.left -= table.foundCount
    this.stats.lazyFreed += table.foundCount
    for (let index = 0; index < table.foundCount; index++) this.freeEntry(table.found[index]! as Ref)
    if (first.position === SCAN_END) this.condemned.shift()
    return true
  }

  private reclaimValue(): boolean {
    const step = this.doomed.at(-1)
    if (step === undefined) return this.reclaimIndex()
    if (step()) return true
    this.doomed.splice(this.doomed.indexOf(step), 1)
    this.stats.lazyFreed++
    return true
  }

  private reclaimIndex(): boolean {
    const index = this.retired.at(-1)
    if (index === undefined) {
      this.memory.trim()
      return false
    }
    if (!index.dismantle()) this.retired.pop()
    return true
  }

  swap(first: Database, second: Database): void {
    this.dirty++
    if (first === second) return
    this.snapshot?.swaps(first, second)
    first.exchange(second)
    for (const listener of this.listeners) listener.swapped(first, second)
  }

  /** Everything that must hold, down to the arena: no block is leaked. */
  verify(): void {
    for (const db of this.databases) db.verify()
    this.memory.verify()
  }
}
