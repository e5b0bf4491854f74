/* A walk over the members of a set, in whichever encoding. One object serves one walk after the other; each has
 * scratch of its own, so that several may be under way. The set must not change meanwhile.
 *
 *   for (walk.begin(entry); walk.next(); ) … walk.isInteger ? walk.integer : walk.bytes, walk.pos, walk.len
 *
 * Where only members are wanted which other large sets have, or have not (`filterBy`), a walk through a large set looks
 * them up itself, many at once. */
import type { Int64 } from '../lib/int64.ts'
import { INT64_LEN_MAX, writeInt64 } from '../lib/int64.ts'
import { hashBytes } from '../lib/siphash.ts'
import { CHUNK_MASK, type Memory, NONE, type Ref } from '../memory/memory.ts'
import { KEY_LEN_LONG, KEY_LEN_SHIFT, KEY_WORD_MASK } from '../structures/entry-head.ts'
import { Intsets } from '../structures/intset.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { SCAN_END, Table } from '../structures/table.ts'
import { TableFilter } from '../structures/table-filter.ts'
import { type Entries, SetEncoding } from './entry.ts'

/** Members of a table that are listed at once. */
const SCANNED = 32
/** Members of a table that are looked up in others at once. */
const FILTERED = 128
/** Tables that members are looked up in by the walk. */
const FILTERS_MAX = 8

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
  /** Members of a table that have been listed, and the index of the next one of them. */
  private members: Int32Array
  private memberCount = 0
  private index = 0
  /** The member at hand of a table. */
  private member: Ref = NONE
  private isHashed = false
  private hashed = 0
  /** The tables that members must be in, or must not be in; and how many of those that the scan has found have been
   *  looked up there. */
  private readonly filters = new Int32Array(FILTERS_MAX)
  private filterCount = 0
  private isIn = true
  private filtered = 0
  private readonly filter: TableFilter

  constructor(entries: Entries) {
    this.entries = entries
    this.memory = entries.memory
    this.table = new Table(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.intsets = new Intsets(entries.memory)
    this.filter = new TableFilter(entries.memory, FILTERED)
    this.members = this.table.found
    this.bytes = this.digits
  }

  begin(entry: Ref): void {
    this.root = this.entries.value(entry) as Ref
    this.encoding = this.entries.encoding(entry)
    this.place = this.encoding === SetEncoding.LISTPACK ? this.listpacks.first(this.root) : 0
    this.index = 0
    this.memberCount = 0
    this.table.foundCount = 0
    this.filterCount = 0
    this.filtered = 0
  }

  /** Confines a walk that has just begun to members that a table has (`isIn`, of all tables alike), or has not. False
   *  if it cannot do that: then whoever walks has to ask. */
  filterBy(table: Ref, isIn: boolean): boolean {
    if (table === NONE || this.encoding !== SetEncoding.TABLE || this.filterCount === FILTERS_MAX) return false
    this.filters[this.filterCount++] = table
    this.isIn = isIn
    return true
  }

  /** Goes to the next member; false when there is none. */
  next(): boolean {
    this.isHashed = false
    if (this.encoding === SetEncoding.TABLE) return this.nextOfTable()
    return this.encoding === SetEncoding.LISTPACK ? this.nextOfListpack() : this.nextOfIntset()
  }

  private nextOfTable(): boolean {
    while (this.index === this.memberCount) if (!this.listMembers()) return false
    const member = this.members[this.index++]! as Ref
    const { memory } = this
    const words = memory.wordsOf(member)
    const head = (member & CHUNK_MASK) << 2
    const meta = words[head]!
    const keyWord = head + (meta & KEY_WORD_MASK)
    const len = meta >>> KEY_LEN_SHIFT
    this.member = member
    this.isInteger = false
    this.bytes = memory.bytesOf(member)
    this.pos = keyWord << 2
    this.len = len === KEY_LEN_LONG ? words[keyWord - 1]! : len
    return true
  }

  /** Lists some of the members that come next, or none; false when all have been listed. */
  private listMembers(): boolean {
    const { table, filter, filterCount } = this
    if (filterCount === 0 || this.filtered === table.foundCount) {
      if (this.place === SCAN_END) return false
      this.place = table.scanSome(this.root, this.place, filterCount === 0 ? SCANNED : FILTERED)
      this.filtered = 0
    }
    this.index = 0
    this.members = filterCount === 0 ? table.found : filter.entries
    if (filterCount > 0) this.filterMembers()
    this.memberCount = filterCount === 0 ? table.foundCount : filter.count
    return true
  }

  private filterMembers(): void {
    const { table, filter } = this
    this.filtered += filter.take(table.found, this.filtered, table.foundCount)
    for (let index = 0; index < this.filterCount; index++) filter.filter(this.filters[index]! as Ref, this.isIn)
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
