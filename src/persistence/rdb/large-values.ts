/* Large values in RDB files, written element by element as a snapshot shows them (../frozen.ts). A value's count stands
 * before its elements, and is known when it is frozen; their order is of no matter, but for lists.
 *
 *   file    | key, count | element | element | …  ─►  what was kept aside meanwhile  ─►  the next large value | …
 *
 * One large value is written to the file at a time. Elements of others that are about to change, and whole keys, wait
 * in memory for their place. A sorted set's members come by their hash, not by their score, and long strings and
 * elements as they are, not compressed: neither could be done in slices. */
import { Type } from '../../keyspace/entry.ts'
import { HashFields } from '../../keyspace/hash-fields.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import type { StreamId } from '../../lib/stream-id.ts'
import { posOf, type Ref } from '../../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../../structures/entry-head.ts'
import { scoreOf } from '../../structures/zset-member.ts'
import { LARGE, type LargeSink, tableOf } from '../frozen.ts'
import {
  RDB_HASH,
  RDB_HASH_EXPIRING,
  RDB_LIST_QUICKLIST_2,
  RDB_SET,
  RDB_STREAM_2,
  RDB_STRING,
  RDB_ZSET_2,
} from './format.ts'
import { StreamSaver } from './stream-values.ts'
import { RdbWriter, type Sink } from './writer.ts'

const RDB_TYPES: Readonly<Record<number, number>> = {
  [Type.STRING]: RDB_STRING,
  [Type.LIST]: RDB_LIST_QUICKLIST_2,
  [Type.SET]: RDB_SET,
  [Type.HASH]: RDB_HASH,
  [Type.ZSET]: RDB_ZSET_2,
  [Type.STREAM]: RDB_STREAM_2,
}
/** Chunks of what is kept aside: of many large values there may be little each. */
const ASIDE_CHUNK_MIN = 256
const ASIDE_CHUNK_MAX = 16 * 1024

/** Keeps what is written until there is a place for it. */
export class AsideWriter implements Sink {
  private made: RdbWriter | null = null
  private readonly compression: boolean
  private readonly parts: Uint8Array[] = []
  private partBytes = 0

  constructor(compression: boolean) {
    this.compression = compression
  }

  /** Made when somebody wants to write. */
  get writer(): RdbWriter {
    const options = { checksum: false, compression: this.compression, compressedMax: LARGE.bytes }
    this.made ??= new RdbWriter(this, options, new Uint8Array(ASIDE_CHUNK_MIN))
    return this.made
  }

  take(chunk: Uint8Array, len: number): Uint8Array {
    if (len === 0) return chunk
    this.parts.push(len === chunk.length ? chunk : chunk.slice(0, len))
    this.partBytes += len
    return len === chunk.length ? new Uint8Array(Math.min(chunk.length * 2, ASIDE_CHUNK_MAX)) : chunk
  }

  get heldBytes(): number {
    return this.partBytes
  }

  moveTo(target: RdbWriter): void {
    this.made?.flush()
    for (const part of this.parts) target.bytes(part, 0, part.length)
    this.parts.length = 0
    this.partBytes = 0
  }
}

export class LargeValue implements LargeSink {
  readonly dbIndex: number
  readonly entry: Ref
  readonly rdbType: number
  private readonly keyspace: Keyspace
  private readonly type: number
  private readonly fields: HashFields
  /** Made for a stream. */
  private saver: StreamSaver | null = null
  private readonly onEnd: () => void
  /** What has been shown before the value's turn came. */
  private early: AsideWriter | null = null
  private out: RdbWriter | null = null
  private readonly count: number
  /** When the first field of a hash is due, 0 if none ever is. */
  private readonly firstDue: number

  constructor(keyspace: Keyspace, dbIndex: number, entry: Ref, onEnd: () => void) {
    this.keyspace = keyspace
    this.dbIndex = dbIndex
    this.entry = entry
    const { entries, hashes } = keyspace
    this.type = entries.type(entry)
    this.firstDue = entries.hasExpiringFields(entry) ? hashes.expiring.nextDue(entry) : 0
    this.rdbType = this.firstDue === 0 ? RDB_TYPES[this.type]! : RDB_HASH_EXPIRING
    this.fields = new HashFields(keyspace.memory)
    this.onEnd = onEnd
    this.count = countOf(keyspace, entry)
  }

  /** Its turn has not come. */
  wait(compression: boolean): void {
    this.early = new AsideWriter(compression)
  }

  private get target(): RdbWriter {
    return this.out ?? this.early!.writer
  }

  /** Its turn has come: the key has been written. */
  writeTo(writer: RdbWriter): void {
    if (this.firstDue !== 0) writer.int64(this.firstDue)
    writer.length(this.count)
    this.early?.moveTo(writer)
    this.early = null
    this.out = writer
  }

  get heldBytes(): number {
    return this.early?.heldBytes ?? 0
  }

  element(ref: Ref): void {
    const { fields, firstDue } = this
    const { memory } = this.keyspace
    const out = this.target
    if (firstDue !== 0) {
      const due = fields.due(ref)
      out.length(due === 0 ? 0 : due - firstDue + 1)
    }
    out.string(memory.bytesOf(ref), keyPosOf(memory, ref), keyLenOf(memory, ref))
    if (this.type === Type.HASH) {
      fields.locate(ref)
      out.string(fields.bytes, fields.pos, fields.len)
    } else if (this.type === Type.ZSET) {
      out.double(scoreOf(memory, ref))
    }
  }

  node(kind: number, payload: Ref, size: number): void {
    const out = this.target
    out.length(kind)
    out.string(this.keyspace.memory.bytesOf(payload), posOf(payload), size)
  }

  streamNode(id: StreamId, node: Ref, size: number): void {
    this.streamSaver.saveNode(id, node, size, this.target)
  }

  streamRest(root: Ref): Iterator<void> {
    this.streamSaver.saveRest(root, this.target)
    return this.streamSaver.saveGroups(root, this.target)
  }

  private get streamSaver(): StreamSaver {
    this.saver ??= new StreamSaver(this.keyspace)
    return this.saver
  }

  piece(bytes: Uint8Array, pos: number, len: number): void {
    this.target.bytes(bytes, pos, len)
  }

  end(): void {
    this.onEnd()
  }
}

/** What stands before the value: how many elements, nodes or bytes there are. */
function countOf(keyspace: Keyspace, entry: Ref): number {
  const { entries, lists, sets, streams } = keyspace
  switch (entries.type(entry)) {
    case Type.STRING:
      return entries.valueHigh(entry)
    case Type.LIST:
      return lists.quicklist.sequence.nodeCount(entries.value(entry) as Ref)
    case Type.STREAM:
      return streams.log.nodeCount(entries.value(entry) as Ref)
    default:
      return sets.table.count(tableOf(keyspace, entry))
  }
}
