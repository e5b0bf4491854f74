/* Snapshots: a picture of all databases as they were at one instant, taken in slices while the data goes on changing.
 *
 *   hash order   0 ─────────── position ───────────────────── 2^32        of each database
 *                 shown already         still to be shown, but for those that were shown early
 *
 * A walk goes through the tables in hash order, which growth and shrinkage leave as it is. Whoever is about to change
 * an entry, or to take it away, first shows it to the snapshot (Keyspace.snapshot), which shows it to the sink there
 * and then, unless that has happened. So each entry is shown once, as it was when the snapshot began, in no certain
 * order.
 *
 * Whether an entry has been shown is one bit in its head. Which value of the bit means so changes with every snapshot
 * (Entries.turnMark): when one begins, all entries have the other value; entries shown, and entries made later, which
 * are not part of the picture, have the new one. When it ends all have it. A snapshot that is given up therefore still
 * walks to its end, showing nothing.
 *
 * What belongs to which database is what belonged to it at the beginning: a swap only changes who holds an image. A
 * database that is flushed leaves its table to the snapshot, which frees it when it has walked it.
 *
 * Always: at most one snapshot is under way in a keyspace; every entry without the mark lies in a table of an image, at
 * or behind the position of that image's walk. */

import type { Database } from '../keyspace/database.ts'
import { Type } from '../keyspace/entry.ts'
import type { BeforeChange, CondemnedTable, Keyspace } from '../keyspace/keyspace.ts'
import { assert } from '../lib/assert.ts'
import type { Ref } from '../memory/memory.ts'
import { SCAN_END, type Table } from '../structures/table.ts'
import { isLarge, LARGE, type LargeLimits, type LargeSink } from './frozen.ts'
import { FrozenValues } from './frozen-values.ts'

/** Values beyond this end a step. */
const HEAVY_BYTES = 16 * 1024
const HEAVY_ELEMENTS = 64

export interface DatabaseSize {
  readonly keys: number
  readonly expiring: number
}

/** Whom the picture is shown to. Nothing that it does may change the keyspace, or look a key up in it. */
export interface ImageSink {
  /** What is to come, by number of database. */
  begin(sizes: readonly DatabaseSize[]): void
  /** A key with its value, of the database with this number. Called in the midst of commands as well. */
  entry(dbIndex: number, entry: Ref): void
  /** A key whose value is too large to be shown at once: an entry that has all but the value's changes, and how many
   *  elements or nodes will be shown to the sink returned. Before it has been shown to its end, others may be. A sink
   *  without this sees all values at once. */
  large?(dbIndex: number, entry: Ref): LargeSink
  /** That was all. */
  end(): void
}

export function databaseSizes(keyspace: Keyspace): DatabaseSize[] {
  return keyspace.databases.map((db) => ({ keys: db.size, expiring: db.expiring }))
}

/** Reads the first word of each entry found: these reads overlap, where those of a walk would wait one by one. What is
 *  returned means nothing. */
export function prefetchFound(table: Table): number {
  const { found, memory } = table
  let sum = 0
  for (let index = 0; index < table.foundCount; index++) sum ^= memory.word(found[index]! as Ref, 0)
  return sum
}

/** A database as it was when the snapshot began. */
interface Image {
  readonly dbIndex: number
  /** Who has the table now; null if the snapshot has. */
  holder: Database | null
  table: CondemnedTable | null
  /** Hashes below have been walked. */
  position: number
}

export class Snapshot implements BeforeChange {
  private readonly keyspace: Keyspace
  private readonly sink: ImageSink
  private readonly images: Image[] = []
  private readonly frozen: FrozenValues
  private readonly limits: LargeLimits
  /** By number of database: the image whose table it has. */
  private readonly held: (Image | null)[]
  private walked = 0
  /** Nobody wants to see the rest. */
  private abandoned = false
  isDone = false
  /** Keys in the picture, and those shown so far. */
  readonly keyCount: number
  shownCount = 0
  /** Keys that were shown because they were about to change. */
  earlyCount = 0

  /** Bytes that were copied because they were about to change, and are still there. */
  get copiedBytes(): number {
    return this.frozen.copiedBytes
  }

  /** Begins. The keyspace must have no other snapshot under way. */
  constructor(keyspace: Keyspace, sink: ImageSink, limits: LargeLimits = LARGE) {
    assert(keyspace.snapshot === null, 'there is one snapshot at a time')
    this.keyspace = keyspace
    this.sink = sink
    this.limits = limits
    this.frozen = new FrozenValues(keyspace, limits)
    const sizes = databaseSizes(keyspace)
    this.keyCount = sizes.reduce((sum, { keys }) => sum + keys, 0)
    for (const db of keyspace.databases) {
      this.images.push({ dbIndex: db.id, holder: db, table: null, position: db.size === 0 ? SCAN_END : 0 })
    }
    this.held = [...this.images]
    keyspace.entries.turnMark()
    keyspace.snapshot = this
    keyspace.tenants++
    sink.begin(sizes)
  }

  /** Shows the entries of one bucket, or a little of a large value; false when the picture is complete. */
  step(): boolean {
    const { keyspace } = this
    const { table } = keyspace
    if (this.frozen.step()) return true
    const image = this.images[this.walked]
    if (image === undefined) return this.finish()
    if (image.position === SCAN_END) {
      this.leave(image)
      return true
    }
    const root = image.table === null ? image.holder!.root : image.table.root
    const next = table.scan(root, image.position)
    prefetchFound(table)
    for (let index = 0; index < table.foundCount; index++) {
      const entry = table.found[index]! as Ref
      if (keyspace.entries.isMarked(entry)) continue
      this.show(image, entry, false)
      // The rest of the bucket comes with the next step.
      if (!this.abandoned && this.isHeavy(entry)) return true
    }
    image.position = next
    return true
  }

  /** Whether a value takes so long that the walk must look at the clock. */
  private isHeavy(entry: Ref): boolean {
    const kind = this.keyspace.kindOf(entry)
    return kind.length(entry) > (kind.type === Type.STRING ? HEAVY_BYTES : HEAVY_ELEMENTS)
  }

  private show(image: Image, entry: Ref, changes: boolean): void {
    const { keyspace, sink, abandoned } = this
    const large = !abandoned && sink.large !== undefined && isLarge(keyspace, entry, this.limits)
    // A string that is shown in pieces must tell when it is about to change: it gets its mark at the end.
    if (!large || changes || keyspace.entries.type(entry) !== Type.STRING) keyspace.entries.setMark(entry)
    if (abandoned) return
    this.shownCount++
    if (large) this.frozen.freeze(entry, changes, (clone) => sink.large!(image.dbIndex, clone))
    else sink.entry(image.dbIndex, entry)
  }

  /** An image has been walked. */
  private leave(image: Image): void {
    if (image.table !== null) this.keyspace.condemn(image.table)
    image.table = null
    this.walked++
  }

  private finish(): boolean {
    if (this.isDone) return false
    this.isDone = true
    this.keyspace.snapshot = null
    this.keyspace.tenants--
    if (!this.abandoned) this.sink.end()
    return false
  }

  /** Shows nothing any more. `step` is still to be called until it answers false: only then can another one begin. */
  abandon(): void {
    this.abandoned = true
    this.frozen.abandon()
    for (const image of this.images) {
      if (image.table === null) continue
      this.keyspace.condemn(image.table)
      image.table = null
      image.position = SCAN_END
    }
    if (this.keyspace.databases.every((db) => db.size === 0)) while (this.step());
  }

  entryChanges(db: Database, entry: Ref): void {
    if (this.keyspace.entries.isMarked(entry)) return
    if (this.frozen.count > 0 && this.frozen.partString(entry)) return this.keyspace.entries.setMark(entry)
    this.earlyCount++
    this.show(this.held[db.id]!, entry, true)
  }

  keepsValue(entry: Ref): boolean {
    return this.frozen.keep(entry)
  }

  keepsTable(db: Database, table: CondemnedTable): boolean {
    const image = this.held[db.id]!
    this.held[db.id] = null
    if (image === null) return false
    image.holder = null
    if (image.position === SCAN_END || this.abandoned || table.left === 0) {
      image.position = SCAN_END
      return false
    }
    image.table = table
    return true
  }

  swaps(first: Database, second: Database): void {
    const { held } = this
    const image = held[first.id]!
    held[first.id] = held[second.id]!
    held[second.id] = image
    for (const db of [first, second]) if (held[db.id]) held[db.id]!.holder = db
  }
}
