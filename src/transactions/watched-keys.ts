/* Watched keys: whether one of the keys that a client watches has changed since.
 *
 *   database 0   "stock:17"  ->  watchers 7, 9          in off-heap memory of their own (structures/name-sets.ts)
 *                "cart:4"    ->  watcher 9
 *   watcher 9    | name, database * 2 + gone | … |      gone: the key was past its time when it began to be watched
 *
 * Hung on the keyspace as a listener only while anybody watches. Most changes are of keys that nobody watches: the
 * filter tells so. A watcher of a key that changed is done with: it has `changed`, and watches nothing any more.
 *
 * A key past its time counts as missing though it may still be there, so that it makes no difference when it is taken
 * away; one whose time comes while it is watched has changed.
 *
 * Always: a watcher's names are those that have its id; `watchers` are those who watch something. */
import type { Database } from '../keyspace/database.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import { KeyFilter } from '../keyspace/key-filter.ts'
import type { ChangeListener, Keyspace } from '../keyspace/keyspace.ts'
import { hashBytes } from '../lib/siphash.ts'
import { Memory, NONE, type Ref } from '../memory/memory.ts'
import { NameSets } from '../structures/name-sets.ts'
import { SCAN_END } from '../structures/table.ts'

const WATCHES_MIN = 4
/** Bytes that a watched key takes besides its name, about. */
const WATCH_BYTES = 24

/** One client's watched keys. */
export class Watcher {
  /** The low half of the client's id. */
  readonly id: number
  /** One of its keys has changed. */
  changed = false
  count = 0
  /** How many of its keys were past their time when they began to be watched. */
  goneCount = 0
  /** Pairs: the name's ref; database and gone. */
  watches = new Int32Array(WATCHES_MIN * 2)

  constructor(clientId: number) {
    this.id = clientId | 0
  }

  /** Bytes that watching takes. */
  get memoryBytes(): number {
    return this.count === 0 ? 0 : this.count * WATCH_BYTES + this.watches.byteLength
  }

  add(name: Ref, dbIndex: number, gone: boolean): void {
    if (this.count * 2 === this.watches.length) {
      const larger = new Int32Array(this.watches.length * 2)
      larger.set(this.watches)
      this.watches = larger
    }
    this.watches[this.count * 2] = name
    this.watches[this.count * 2 + 1] = (dbIndex << 1) | (gone ? 1 : 0)
    if (gone) this.goneCount++
    this.count++
  }

  isGone(name: Ref): boolean {
    return this.goneCount > 0 && (this.watches[this.indexOf(name) + 1]! & 1) === 1
  }

  setGone(name: Ref, gone: boolean): void {
    const index = this.indexOf(name)
    if (((this.watches[index + 1]! & 1) === 1) === gone) return
    this.watches[index + 1]! ^= 1
    this.goneCount += gone ? 1 : -1
  }

  private indexOf(name: Ref): number {
    let index = 0
    while (this.watches[index] !== name) index += 2
    return index
  }
}

export class WatchedKeys implements ChangeListener {
  private readonly keyspace: Keyspace
  private names: NameSets | null = null
  /** Names by database; NONE until something of it is watched. */
  private readonly roots: Int32Array
  private readonly filter = new KeyFilter()
  private readonly watchers = new Map<number, Watcher>()

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
    this.roots = new Int32Array(keyspace.databases.length)
  }

  /** Clients that watch something. */
  get watcherCount(): number {
    return this.watchers.size
  }

  /** Keys that are watched, by however many. */
  get keyCount(): number {
    let count = 0
    for (const root of this.roots) if (root !== NONE) count += this.names!.nameCount(root as Ref)
    return count
  }

  /** Bytes of memory outside of the keyspace's. */
  get usedBytes(): number {
    return this.names === null ? 0 : this.names.memory.usedBytes
  }

  /** Begins to watch a key. */
  watch(watcher: Watcher, db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.names ??= new NameSets(new Memory())
    const { names, roots } = this
    if (roots[db.id] === NONE) roots[db.id] = names.create()
    const hash = hashBytes(bytes, pos, len)
    const name = names.add(roots[db.id]! as Ref, bytes, pos, len, hash, watcher.id)
    if (name === NONE) return
    if (names.madeName) this.filter.add(db, bytes, pos, len)
    if (watcher.count === 0) this.watchers.set(watcher.id, watcher)
    if (this.watchers.size === 1 && watcher.count === 0) this.keyspace.listen(this)
    watcher.add(name, db.id, this.isPastDue(db, bytes, pos, len, hash))
  }

  /** Watches nothing any more. */
  unwatch(watcher: Watcher): void {
    if (watcher.count === 0) return
    const names = this.names!
    for (let index = watcher.count * 2 - 2; index >= 0; index -= 2) {
      const name = watcher.watches[index]! as Ref
      const dbIndex = watcher.watches[index + 1]! >> 1
      if (names.count(name) === 1) {
        this.filter.remove(this.keyspace.databases[dbIndex]!, names.bytesOf(name), names.posOf(name), names.lenOf(name))
      }
      names.remove(this.roots[dbIndex]! as Ref, name, watcher.id)
    }
    watcher.count = 0
    watcher.goneCount = 0
    if (watcher.watches.length > WATCHES_MIN * 2) watcher.watches = new Int32Array(WATCHES_MIN * 2)
    this.watchers.delete(watcher.id)
    if (this.watchers.size === 0) this.keyspace.unlisten(this)
  }

  /** Whether the time of one of its keys has come. */
  isAnyPastDue(watcher: Watcher): boolean {
    const names = this.names
    for (let index = 0; index < watcher.count * 2; index += 2) {
      const place = watcher.watches[index + 1]!
      if ((place & 1) === 1) continue
      const name = watcher.watches[index]! as Ref
      const bytes = names!.bytesOf(name)
      const pos = names!.posOf(name)
      const len = names!.lenOf(name)
      if (this.isPastDue(this.keyspace.databases[place >> 1]!, bytes, pos, len, hashBytes(bytes, pos, len))) return true
    }
    return false
  }

  /** The entry, whether or not it is past its time; nothing happens to it. */
  private peek(db: Database, bytes: Uint8Array, pos: number, len: number, hash: number): Ref {
    return this.keyspace.table.find(db.root, bytes, pos, len, hash)
  }

  private isPastDue(db: Database, bytes: Uint8Array, pos: number, len: number, hash: number): boolean {
    const entry = this.peek(db, bytes, pos, len, hash)
    return entry !== NONE && db.isExpired(entry)
  }

  keyChanged(db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent): void {
    if (!this.filter.mayHave(db, bytes, pos, len) || event === Event.MISS || event === Event.NEW) return
    if (event.isAside === true) return
    const root = this.roots[db.id]! as Ref
    if (root === NONE) return
    const hash = hashBytes(bytes, pos, len)
    const names = this.names!
    const name = names.find(root, bytes, pos, len, hash)
    if (name === NONE) return
    // From the last on: who leaves a large set is its last then. The name goes with the first.
    for (let slot = names.count(name) - 1; slot >= 0; slot--) {
      const watcher = this.watchers.get(names.idAt(name, slot))!
      if (!watcher.isGone(name)) {
        watcher.changed = true
        this.unwatch(watcher)
      } else if (this.peek(db, bytes, pos, len, hash) === NONE) watcher.setGone(name, false)
    }
  }

  flushed(db: Database | undefined): void {
    for (const each of this.keyspace.databases) {
      if (db === undefined || each === db) this.replaced(each, each, null)
    }
  }

  swapped(first: Database, second: Database): void {
    this.replaced(first, second, first)
    this.replaced(second, first, second)
  }

  /** What was in `before` is no more in `db`: what is in `after` is, or nothing. */
  private replaced(db: Database, before: Database, after: Database | null): void {
    const root = this.roots[db.id]! as Ref
    if (root === NONE) return
    const { table } = this.names!
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(root, position)
      for (let index = 0; index < table.foundCount; index++) {
        this.replacedName(table.found[index]! as Ref, before, after)
      }
    }
  }

  private replacedName(name: Ref, before: Database, after: Database | null): void {
    const names = this.names!
    const bytes = names.bytesOf(name)
    const pos = names.posOf(name)
    const len = names.lenOf(name)
    const hash = hashBytes(bytes, pos, len)
    const was = this.peek(before, bytes, pos, len, hash) !== NONE
    const is = after !== null && this.peek(after, bytes, pos, len, hash) !== NONE
    if (!was && !is) return
    const isPastDue = is && this.isPastDue(after, bytes, pos, len, hash)
    for (let slot = 0; slot < names.count(name); slot++) {
      const watcher = this.watchers.get(names.idAt(name, slot))!
      if (watcher.isGone(name)) {
        if (!is) watcher.setGone(name, false)
        else if (!isPastDue) watcher.changed = true
      } else if (!was && isPastDue) watcher.setGone(name, true)
      else watcher.changed = true
    }
  }

  /** The essay's "Always". */
  verify(): void {
    for (const root of this.roots) if (root !== NONE) this.names!.verify(root as Ref)
    this.names?.memory.verify()
  }
}
