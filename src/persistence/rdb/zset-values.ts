/* Sorted sets in RDB files: members and their scores as eight bytes, the highest first; or a listpack as it is. What
 * older versions wrote, ziplists and scores that are text, is read as well. */
import { Type, ZsetEncoding } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { ZsetWalk } from '../../keyspace/zset-walk.ts'
import { ZaddFlag, ZaddOutcome, type Zsets } from '../../keyspace/zsets.ts'
import { parseDouble } from '../../lib/double.ts'
import { fromWords } from '../../lib/double-words.ts'
import type { Int64 } from '../../lib/int64.ts'
import { NONE, posOf, type Ref } from '../../memory/memory.ts'
import { Listpacks } from '../../structures/listpack.ts'
import { RDB_ZSET, RDB_ZSET_2, RDB_ZSET_LISTPACK, RDB_ZSET_ZIPLIST } from './format.ts'
import { PackedReader } from './packed.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

// The length of a score's text, or instead of it:
const TEXT_NAN = 253
const TEXT_INFINITY = 254
const TEXT_MINUS_INFINITY = 255

/** Room for members that is kept; a longer one's lasts until it is in its sorted set. */
const MEMBER_SIZE = 64 * 1024

export function zsetValues(keyspace: Keyspace): ValueFormat {
  const { entries, memory, zsets } = keyspace
  const walk = new ZsetWalk(entries)
  const listpacks = new Listpacks(memory)
  const loader = new ZsetLoader(keyspace)

  function rdbType(entry: Ref): number {
    return entries.encoding(entry) === ZsetEncoding.LISTPACK ? RDB_ZSET_LISTPACK : RDB_ZSET_2
  }

  function save(entry: Ref, writer: RdbWriter): void {
    if (entries.encoding(entry) === ZsetEncoding.LISTPACK) {
      const root = entries.value(entry) as Ref
      return writer.string(memory.bytesOf(root), posOf(root), listpacks.size(root))
    }
    const size = zsets.size(entry)
    writer.length(size)
    for (walk.start(entry, size - 1, true); walk.next(); ) {
      walk.locate()
      writer.string(walk.bytes, walk.pos, walk.len)
      writer.double(walk.score)
    }
  }

  return {
    type: Type.ZSET,
    rdbTypes: [RDB_ZSET, RDB_ZSET_2, RDB_ZSET_ZIPLIST, RDB_ZSET_LISTPACK],
    rdbType,
    save,
    load: (type, reader, key, expiry) => loader.load(type, reader, key, expiry),
    skip,
  }
}

class ZsetLoader {
  private readonly keyspace: Keyspace
  private readonly zsets: Zsets
  private readonly packed: PackedReader
  private readonly member = new Uint8Array(MEMBER_SIZE)

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
    this.zsets = keyspace.zsets
    this.packed = new PackedReader(keyspace.memory, 'zset ')
  }

  load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    return isPacked(type) ? this.loadPacked(type, reader, key, expiry) : this.loadMembers(type, reader, key, expiry)
  }

  private loadPacked(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { zsets, packed } = this
    const root = type === RDB_ZSET_LISTPACK ? packed.readListpack(reader, 2) : packed.readZiplist(reader)
    if (root === NONE) return NONE
    if (!zsets.isOrdered(root)) {
      this.keyspace.memory.free(root)
      reader.refuse('Zset integrity check failed: scores that are no numbers, or out of order')
    }
    const entry = zsets.adopt(ZsetEncoding.LISTPACK, root, key.bytes, 0, key.len, expiry)
    zsets.expect(entry, zsets.size(entry))
    return entry
  }

  private loadMembers(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { zsets } = this
    const count = reader.length()
    if (count === 0) return NONE
    if (count > reader.remaining) reader.refuse('A sorted set of no possible size')
    const large = count > zsets.listpackCountMax
    const encoding = large ? ZsetEncoding.TABLE : ZsetEncoding.LISTPACK
    const entry = zsets.create(encoding, key.bytes, 0, key.len, large ? count : 0, expiry)
    try {
      for (let left = count; left > 0; left--) this.addMember(entry, type, reader)
    } catch (error) {
      this.keyspace.freeEntry(entry)
      throw error
    }
    zsets.compact(entry)
    return entry
  }

  private addMember(entry: Ref, type: number, reader: RdbReader): void {
    reader.head()
    const len = reader.len
    const member = len <= MEMBER_SIZE ? this.member : new Uint8Array(len)
    reader.takeInto(member, 0)
    const score = type === RDB_ZSET ? textScore(reader) : binaryScore(reader)
    if (score === undefined || Number.isNaN(score)) reader.refuse('Zset with NAN score detected')
    // In a listpack it is the integer 0, which it must not become if a long member is still to come.
    if (Object.is(score, -0)) this.zsets.expect(entry, this.zsets.listpackCountMax + 1)
    const outcome = this.zsets.update(entry, score, ZaddFlag.NX, member, 0, len)
    if (outcome !== ZaddOutcome.ADDED) reader.refuse('Duplicate zset fields detected')
  }
}

function isPacked(type: number): boolean {
  return type === RDB_ZSET_LISTPACK || type === RDB_ZSET_ZIPLIST
}

function binaryScore(reader: RdbReader): number {
  const low = reader.int32()
  return fromWords(reader.int32(), low)
}

const text = new Uint8Array(TEXT_NAN)

/** A score as text, as RDB_ZSET has it; undefined if it is not a number. */
function textScore(reader: RdbReader): number | undefined {
  const len = reader.byte()
  if (len === TEXT_INFINITY) return Number.POSITIVE_INFINITY
  if (len === TEXT_MINUS_INFINITY) return Number.NEGATIVE_INFINITY
  if (len === TEXT_NAN) return undefined
  for (let at = 0; at < len; at++) text[at] = reader.byte()
  return parseDouble(text, 0, len)
}

function skip(type: number, reader: RdbReader): void {
  for (let left = isPacked(type) ? 1 : reader.length(); left > 0; left--) {
    reader.head()
    reader.skip()
    if (type === RDB_ZSET_2) binaryScore(reader)
    else if (type === RDB_ZSET) textScore(reader)
  }
}
