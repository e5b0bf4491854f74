/* A walk over the members of a set, in whichever encoding. One object serves one walk after the other; each has
 * scratch of its own, so that several may be under way. The set must not change meanwhile.
 *
 *   for (walk.begin(entry); walk.next(); ) … walk.isInteger ? walk.integer : walk.bytes, walk.pos, walk.len */
import type { Int64 } from '../lib/int64.ts'
import { INT64_LEN_MAX, writeInt64 } from '../lib/int64.ts'
import { hashBytes } from '../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { Intsets } from '../structures/intset.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { SCAN_END, Table } from '../structures/table.ts'
import { TableAhead } from '../structures/table-ahead.ts'
import { type Entries, SetEncoding } from './entry.ts'

/** Members of a table that are listed at once, and for how many of them is read ahead. */
const SCANNED = 32
const AHEAD_MAX = 64

export class SetWalk {
  /** The member is known as an integer; `locate` makes it bytes. */
  isInteger = false
  integer: Int64 = 0
  /** The member's bytes, unless it `isInteger`. Dead with the next step. */
  bytes: Uint8Array
  pos = 0
  len = 0
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly table: Table
  private readonly listpacks: Listpacks
  private readonly intsets: Intsets
  private readonly digits = new Uint8Array(INT64_LEN_MAX)
  private encoding: number = SetEncoding.INTSET
  private root: Ref = NONE
  /** Slot of an intset, offset in a listpack, position in a table: of what comes next. */
  place = 0
  /** Index of the next member that the table's scan has found. */
  private index = 0
  /** The member at hand of a table. */
  private member: Ref = NONE
  private isHashed = false
  private hashed = 0
  /** The table in which members are going to be looked up, or NONE; and what has been read ahead for that. */
  private probed: Ref = NONE
  private readonly ahead: TableAhead
  private aheadCount = -1

  constructor(entries: Entries) {
    this.entries = entries
    this.memory = entries.memory
    this.table = new Table(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.intsets = new Intsets(entries.memory)
    this.ahead = new TableAhead(entries.memory, AHEAD_MAX)
    this.bytes = this.digits
  }

  begin(entry: Ref): void {
    this.root = this.entries.value(entry) as Ref
    this.encoding = this.entries.encoding(entry)
    this.place = this.encoding === SetEncoding.LISTPACK ? this.listpacks.first(this.root) : 0
    this.index = 0
    this.table.foundCount = 0
    this.probed = NONE
    this.aheadCount = -1
  }

  /** As `begin`, of a walk whose members are going to be looked up in a table: reads ahead for that. */
  beginProbing(entry: Ref, table: Ref): void {
    this.begin(entry)
    this.probed = table
  }

  /** Whether `isInProbed` can tell of the member at hand whether it is in this table. */
  canProbe(table: Ref): boolean {
    return table === this.probed && this.index <= this.aheadCount
  }

  isInProbed(): boolean {
    return this.ahead.hasAlike(this.index - 1, this.member)
  }

  private readAhead(): void {
    const { ahead, table } = this
    const count = Math.min(table.foundCount, AHEAD_MAX)
    for (let index = 0; index < count; index++) ahead.entries[index] = table.found[index]!
    ahead.readEntries(count)
    ahead.roots.fill(this.probed, 0, count)
    for (let index = 0; index < count; index++) ahead.hashes[index] = table.hashOf(table.found[index]! as Ref)
    ahead.touchBuckets(count)
    ahead.touchEntries(count)
    this.aheadCount = count
  }

  /** Goes to the next member; false when there is none. */
  next(): boolean {
    this.isHashed = false
    if (this.encoding === SetEncoding.TABLE) return this.nextOfTable()
    return this.encoding === SetEncoding.LISTPACK ? this.nextOfListpack() : this.nextOfIntset()
  }

  private nextOfTable(): boolean {
    const { table, memory } = this
    while (this.index === table.foundCount) {
      if (this.place === SCAN_END) return false
      this.place = table.scanSome(this.root, this.place, SCANNED)
      this.index = 0
      if (this.probed !== NONE) this.readAhead()
    }
    const member = table.found[this.index++]! as Ref
    this.member = member
    this.isInteger = false
    this.bytes = memory.bytesOf(member)
    this.pos = keyPosOf(memory, member)
    this.len = keyLenOf(memory, member)
    return true
  }

  private nextOfListpack(): boolean {
    if (this.place === NO_ELEMENT) return false
    const { listpacks } = this
    this.place = listpacks.get(this.root, this.place)
    this.isInteger = listpacks.isInteger
    if (listpacks.isInteger) this.integer = listpacks.integer
    else {
      this.bytes = listpacks.bytes
      this.pos = listpacks.pos
      this.len = listpacks.len
    }
    return true
  }

  private nextOfIntset(): boolean {
    if (this.place === this.intsets.count(this.root)) return false
    this.isInteger = true
    this.integer = this.intsets.get(this.root, this.place++)
    return true
  }

  /** Sees to it that the member is there as bytes, an integer as its digits. */
  locate(): void {
    if (!this.isInteger) return
    this.bytes = this.digits
    this.pos = 0
    this.len = writeInt64(this.integer, this.digits, 0)
  }

  /** The hash of the member, worked out once; it has been located. */
  get hash(): number {
    if (!this.isHashed) {
      const isTable = this.encoding === SetEncoding.TABLE
      this.hashed = isTable ? this.table.hashOf(this.member) : hashBytes(this.bytes, this.pos, this.len)
      this.isHashed = true
    }
    return this.hashed
  }
}
