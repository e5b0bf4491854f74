/* Lists in RDB files: their nodes one after the other, each a listpack or one huge element, as they are. A list that is
 * a single listpack is written as one node: before 7.2 Redis knew no other lists. The older forms, of ziplists or of
 * strings, are read only.
 *
 * A list is built as a quicklist that no entry has yet: if its file turns out to be damaged, that is freed. */
import { Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { LIST_COUNT_MAX, ListEncoding, type Lists } from '../../keyspace/lists.ts'
import { NodeKind, type Quicklist } from '../../keyspace/quicklist.ts'
import type { Int64 } from '../../lib/int64.ts'
import { type Memory, NONE, posOf, type Ref } from '../../memory/memory.ts'
import type { Listpacks } from '../../structures/listpack.ts'
import { RDB_LIST, RDB_LIST_QUICKLIST, RDB_LIST_QUICKLIST_2, RDB_LIST_ZIPLIST } from './format.ts'
import { PackedReader } from './packed.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

const RDB_TYPES = [RDB_LIST, RDB_LIST_ZIPLIST, RDB_LIST_QUICKLIST, RDB_LIST_QUICKLIST_2]

/** Instead of a node's kind. */
const NOT_READ = -1

export function listValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, lists } = keyspace
  const { listpacks, quicklist } = lists
  const { sequence } = quicklist
  const builder = new ListBuilder(lists, memory)

  function save(entry: Ref, writer: RdbWriter): void {
    const value = entries.value(entry) as Ref
    if (entries.encoding(entry) === ListEncoding.LISTPACK) {
      writer.length(1)
      writer.length(NodeKind.PACKED)
      return writer.string(memory.bytesOf(value), posOf(value), listpacks.size(value))
    }
    quicklist.closeGap(value)
    writer.length(sequence.nodeCount(value))
    for (let node = sequence.head(value); node !== NONE; node = sequence.next(node)) {
      const payload = sequence.payload(node)
      writer.length(sequence.kind(node))
      writer.string(memory.bytesOf(payload), posOf(payload), sequence.sizeOf(node))
    }
  }

  function load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const count = type === RDB_LIST_ZIPLIST ? 0 : builder.readCount(reader)
    const kind = type === RDB_LIST_QUICKLIST_2 && count === 1 ? builder.readKind(reader) : NOT_READ
    return kind === NodeKind.PACKED ? loadOne(reader, key, expiry) : loadNodes(type, count, kind, reader, key, expiry)
  }

  /** A list of one listpack: most are. */
  function loadOne(reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const root = builder.readListpack(reader)
    if (root === NONE) return NONE
    const entry = lists.adopt(ListEncoding.LISTPACK, root, key.bytes, 0, key.len, expiry)
    lists.settle(entry)
    return entry
  }

  function loadNodes(
    type: number,
    count: number,
    kind: number,
    reader: RdbReader,
    key: LoadedKey,
    expiry: Int64 | undefined,
  ): Ref {
    const root = quicklist.create()
    let entry: Ref = NONE
    try {
      builder.fill(root, type, count, kind, reader)
      if (sequence.nodeCount(root) > 0) {
        entry = lists.adopt(ListEncoding.QUICKLIST, root, key.bytes, 0, key.len, expiry)
      }
    } finally {
      if (entry === NONE) while (quicklist.dismantle(root)) {}
    }
    // Redis leaves a list that was one ziplist as it is.
    if (entry !== NONE && type !== RDB_LIST_ZIPLIST) lists.settle(entry)
    return entry
  }

  function skip(type: number, reader: RdbReader): void {
    for (let left = type === RDB_LIST_ZIPLIST ? 1 : reader.length(); left > 0; left--) {
      if (type === RDB_LIST_QUICKLIST_2) reader.length()
      reader.head()
      reader.skip()
    }
  }

  return { type: Type.LIST, rdbTypes: RDB_TYPES, rdbType: () => RDB_LIST_QUICKLIST_2, save, load, skip }
}

/** Reads the elements of a list into a quicklist. */
class ListBuilder {
  private readonly memory: Memory
  private readonly listpacks: Listpacks
  private readonly quicklist: Quicklist
  private readonly packed: PackedReader

  constructor(lists: Lists, memory: Memory) {
    this.memory = memory
    this.listpacks = lists.listpacks
    this.packed = new PackedReader(memory, '')
    this.quicklist = lists.quicklist
  }

  /** Reads how many elements or nodes follow. */
  readCount(reader: RdbReader): number {
    const count = reader.length()
    if (count > reader.remaining || count > LIST_COUNT_MAX) reader.refuse('A list of no possible size')
    return count
  }

  readKind(reader: RdbReader): number {
    const kind = reader.length()
    if (kind !== NodeKind.PACKED && kind !== NodeKind.PLAIN)
      reader.refuse(`Quicklist integrity check failed: a node of unknown kind ${kind}`)
    return kind
  }

  /** Reads a listpack; NONE if it is empty. Allocates. */
  readListpack(reader: RdbReader): Ref {
    const count = this.packed.takeListpack(reader)
    return count === 0 ? NONE : this.listpacks.fromBytes(reader.bytes, reader.pos, reader.len)
  }

  /** Reads what follows into a quicklist; the kind of the first node may have been read. */
  fill(root: Ref, type: number, count: number, kind: number, reader: RdbReader): void {
    if (type === RDB_LIST_ZIPLIST) return this.pushZiplist(root, reader)
    if (kind !== NOT_READ) return this.appendNode(root, kind, reader)
    for (let left = count; left > 0; left--) {
      if (type === RDB_LIST) this.pushElement(root, reader)
      else if (type === RDB_LIST_QUICKLIST) this.appendZiplist(root, reader)
      else this.appendNode(root, this.readKind(reader), reader)
    }
  }

  private pushElement(root: Ref, reader: RdbReader): void {
    reader.head()
    reader.take()
    this.quicklist.push(root, false, reader.bytes, reader.pos, reader.len)
  }

  private appendNode(root: Ref, kind: number, reader: RdbReader): void {
    if (kind === NodeKind.PLAIN) return this.appendPlain(root, reader)
    const count = this.packed.takeListpack(reader)
    this.checkCount(root, count, reader)
    // Redis passes over empty nodes as well.
    if (count > 0) this.quicklist.appendListpack(root, this.listpacks.fromBytes(reader.bytes, reader.pos, reader.len))
  }

  private appendPlain(root: Ref, reader: RdbReader): void {
    reader.head()
    if (reader.len === 0) reader.refuse('Quicklist integrity check failed: an empty node')
    this.checkCount(root, 1, reader)
    const block = this.quicklist.appendRoom(root, reader.len)
    reader.takeInto(this.memory.bytesOf(block), posOf(block))
  }

  /** A list must not get more elements than it can count. */
  private checkCount(root: Ref, count: number, reader: RdbReader): void {
    const room = LIST_COUNT_MAX - this.quicklist.sequence.count(root)
    if (count > room) reader.refuse('A list has more elements than can be held')
  }

  private openZiplist(root: Ref, reader: RdbReader): void {
    this.packed.openZiplist(reader)
    this.checkCount(root, this.packed.ziplist.count, reader)
  }

  /** Makes a node of a ziplist. */
  private appendZiplist(root: Ref, reader: RdbReader): void {
    this.openZiplist(root, reader)
    if (this.packed.ziplist.count === 0) return
    this.quicklist.appendListpack(root, this.packed.convertZiplist(reader.len))
  }

  /** Makes nodes of a ziplist, of a size as Redis would. */
  private pushZiplist(root: Ref, reader: RdbReader): void {
    this.openZiplist(root, reader)
    const { ziplist } = this.packed
    while (ziplist.next()) {
      ziplist.locate()
      this.quicklist.push(root, false, ziplist.bytes, ziplist.pos, ziplist.len)
    }
  }
}
