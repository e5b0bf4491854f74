/* A walk over the fields of a hash, in any encoding. One object serves one walk after the other; each has scratch of
 * its own, so that several may be under way. The hash must not change meanwhile.
 *
 *   for (walk.begin(entry); walk.next(); ) { walk.locate() … walk.bytes, walk.pos, walk.len, walk.valueBytes … }
 *
 * Fields past their time are met as well, unless it is begun with `beginLive`. */
import { copyBytes } from '../lib/bytes.ts'
import { INT64_LEN_MAX } from '../lib/int64.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { Listpacks, NO_ELEMENT } from '../structures/listpack.ts'
import { SCAN_END, Table } from '../structures/table.ts'
import { type Entries, HashEncoding } from './entry.ts'
import { rootOfExpiring } from './expiring-hashes.ts'
import { HashFields } from './hash-fields.ts'

export class HashWalk {
  /** The field and its value, once located. Dead with the next step. */
  bytes: Uint8Array
  pos = 0
  len = 0
  valueBytes: Uint8Array
  valuePos = 0
  valueLen = 0
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly table: Table
  private readonly listpacks: Listpacks
  private readonly fields: HashFields
  private readonly digits = new Uint8Array(INT64_LEN_MAX)
  private isTable = false
  /** Fields may expire; those due before `liveFrom` are passed over. */
  private isExpiring = false
  private liveFrom = 0
  private root: Ref = NONE
  /** Offset in the listpack, or position in the table: of what comes next. */
  private place = 0
  /** Index of the next field that the table's scan has found. */
  private index = 0
  /** Offset or ref of the field at hand. */
  private current = 0

  constructor(entries: Entries) {
    this.entries = entries
    this.memory = entries.memory
    this.table = new Table(entries.memory)
    this.listpacks = new Listpacks(entries.memory)
    this.fields = new HashFields(entries.memory)
    this.bytes = this.digits
    this.valueBytes = this.digits
  }

  /** Aims at a hash without beginning a walk: for `goTo`. */
  aim(entry: Ref): void {
    const encoding = this.entries.encoding(entry)
    const value = this.entries.value(entry) as Ref
    this.isTable = (encoding & HashEncoding.TABLE) !== 0
    this.isExpiring = encoding > HashEncoding.TABLE
    this.root = this.isExpiring ? rootOfExpiring(this.memory, value) : value
  }

  /** Begins a walk over the fields that are not past their time at `now`. */
  beginLive(entry: Ref, now: number): void {
    this.begin(entry)
    this.liveFrom = now
  }

  begin(entry: Ref): void {
    this.aim(entry)
    this.liveFrom = 0
    this.place = this.isTable ? 0 : this.listpacks.first(this.root)
    this.index = 0
    this.table.foundCount = 0
  }

  /** Goes to the next field; false when there is none. */
  next(): boolean {
    if (this.isExpiring) return this.nextLive()
    if (!this.isTable) {
      if (this.place === NO_ELEMENT) return false
      this.current = this.place
      const { listpacks, root } = this
      this.place = listpacks.next(root, listpacks.next(root, this.place))
      return true
    }
    return this.nextInTable()
  }

  private nextLive(): boolean {
    while (this.isTable ? this.nextInTable() : this.nextTriple()) {
      if (this.liveFrom === 0 || this.due === 0 || this.due >= this.liveFrom) return true
    }
    return false
  }

  private nextTriple(): boolean {
    if (this.place === NO_ELEMENT) return false
    this.current = this.place
    const { listpacks, root } = this
    this.place = listpacks.next(root, listpacks.next(root, listpacks.next(root, this.place)))
    return true
  }

  /** When the field at hand is due, 0 if never. */
  get due(): number {
    if (!this.isExpiring) return 0
    if (this.isTable) return this.fields.due(this.current as Ref)
    const { listpacks, root } = this
    listpacks.get(root, listpacks.next(root, listpacks.next(root, this.current)))
    return listpacks.number
  }

  private nextInTable(): boolean {
    const { table } = this
    while (this.index === table.foundCount) {
      if (this.place === SCAN_END) return false
      this.place = table.scan(this.root, this.place)
      this.index = 0
    }
    this.current = table.found[this.index++]!
    return true
  }

  /** Goes to a field by its offset or ref, as Hashes.pick answers it. */
  goTo(place: number): void {
    this.current = place
  }

  /** Finds the bytes of the field at hand and of its value; integers become digits. */
  locate(): void {
    this.locateField()
    this.locateValue()
  }

  locateField(): void {
    if (this.isTable) {
      const field = this.current as Ref
      this.bytes = this.memory.bytesOf(field)
      this.pos = keyPosOf(this.memory, field)
      this.len = keyLenOf(this.memory, field)
      return
    }
    const { listpacks, digits } = this
    listpacks.locate(this.root, this.current)
    this.bytes = listpacks.bytes
    this.pos = listpacks.pos
    this.len = listpacks.len
    if (!listpacks.isInteger) return
    // The listpack's scratch will be wanted for the value.
    copyBytes(listpacks.bytes, listpacks.pos, digits, 0, this.len)
    this.bytes = digits
    this.pos = 0
  }

  locateValue(): void {
    const { listpacks, fields, root } = this
    if (this.isTable) {
      fields.locate(this.current as Ref)
      this.valueBytes = fields.bytes
      this.valuePos = fields.pos
      this.valueLen = fields.len
      return
    }
    listpacks.locate(root, listpacks.next(root, this.current))
    this.valueBytes = listpacks.bytes
    this.valuePos = listpacks.pos
    this.valueLen = listpacks.len
  }
}
