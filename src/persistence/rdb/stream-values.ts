/* Streams in RDB files: their nodes as they are, then what else is known of them.
 *
 *   | nodes | id, listpack | id, listpack | … | rest |
 *
 *   rest        | length | last id | first id | greatest deleted id | added | groups | group | … |
 *   group       | name | last id | entries read | pending | id, time, deliveries | … | consumers | consumer | … |
 *   consumer    | name | seen | active | owned | id | … |
 *
 * Ids are 16 bytes where they are keys, and two lengths elsewhere. The oldest type has no first id, deleted id, added
 * and entries read, and only the latest has `active`. What is written is the type between them, which Redis 7.0 reads:
 * when a consumer was last active is then when it was last seen. */
import { Type } from '../../keyspace/entry.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { Streams } from '../../keyspace/streams.ts'
import { fromWords, highWord, type Int64, lowWord } from '../../lib/int64.ts'
import { ID_SIZE, StreamId } from '../../lib/stream-id.ts'
import { NONE, posOf, type Ref } from '../../memory/memory.ts'
import { Listpacks } from '../../structures/listpack.ts'
import { LogId } from '../../structures/stream-log.ts'
import { validateNode } from '../../structures/stream-node.ts'
import { RDB_STREAM, RDB_STREAM_2, RDB_STREAM_3 } from './format.ts'
import type { RdbReader } from './reader.ts'
import type { LoadedKey, ValueFormat } from './values.ts'
import type { RdbWriter } from './writer.ts'

const RDB_TYPES = [RDB_STREAM, RDB_STREAM_2, RDB_STREAM_3]

/** Keeps what a name is while its group or consumer is being made. */
const NAME_SIZE = 1024
/** Pending entries, or consumers, that are written between two looks at the clock. */
const PENDING_PER_STEP = 64

export function streamValues(keyspace: Keyspace): ValueFormat {
  const saver = new StreamSaver(keyspace)
  const loader = new StreamLoader(keyspace)
  return {
    type: Type.STREAM,
    rdbTypes: RDB_TYPES,
    rdbType: () => RDB_STREAM_2,
    save: (entry, writer) => saver.save(entry, writer),
    load: (type, reader, key, expiry) => loader.load(type, reader, key, expiry),
    skip,
  }
}

/** Writes streams. It has places of its own: a snapshot saves in the midst of commands. */
export class StreamSaver {
  private readonly streams: Streams
  private readonly id = new StreamId()
  private readonly raw = new Uint8Array(ID_SIZE)

  constructor({ entries, memory }: Keyspace) {
    this.streams = new Streams(entries, new Listpacks(memory), () => {})
  }

  save(entry: Ref, writer: RdbWriter): void {
    const { log } = this.streams
    const root = this.streams.rootOf(entry)
    writer.length(log.nodeCount(root))
    for (let more = log.tree.first(root); more; more = log.tree.next()) {
      const node = log.tree.own(0) as Ref
      this.saveNode(log.tree.id(this.id), node, log.nodes.listpacks.size(node), writer)
    }
    this.saveRest(root, writer)
    if (this.streams.groups.groupCount(root) === 0) return
    for (const parts = this.saveGroups(root, writer); !parts.next().done; ) {}
  }

  saveNode(id: StreamId, node: Ref, size: number, writer: RdbWriter): void {
    writer.length(ID_SIZE)
    this.saveRaw(id, writer)
    const { memory } = this.streams.log
    writer.string(memory.bytesOf(node), posOf(node), size)
  }

  private saveRaw(id: StreamId, writer: RdbWriter): void {
    id.writeBytes(this.raw, 0)
    writer.bytes(this.raw, 0, ID_SIZE)
  }

  private saveId(id: StreamId, writer: RdbWriter): void {
    writer.longLength(id.msHigh, id.msLow)
    writer.longLength(id.seqHigh, id.seqLow)
  }

  private saveLong(value: Int64, writer: RdbWriter): void {
    writer.longLength(highWord(value), lowWord(value))
  }

  private saveName(block: Ref, writer: RdbWriter): void {
    const { groups } = this.streams
    writer.string(groups.memory.bytesOf(block), groups.namePos(block), groups.nameLen(block))
  }

  /** What follows the nodes, but for the groups themselves. */
  saveRest(root: Ref, writer: RdbWriter): void {
    const { log, groups } = this.streams
    const { id } = this
    writer.length(log.length(root))
    this.saveId(log.id(root, LogId.LAST, id), writer)
    this.saveId(log.id(root, LogId.FIRST, id), writer)
    this.saveId(log.id(root, LogId.DELETED, id), writer)
    this.saveLong(log.added(root), writer)
    writer.length(groups.groupCount(root))
  }

  /** The groups, which follow that. Yields where somebody else may come in between. */
  *saveGroups(root: Ref, writer: RdbWriter): Generator<void> {
    const { groups } = this.streams
    const count = groups.groupCount(root)
    let left = PENDING_PER_STEP
    for (let rank = 0; rank < count; rank++) {
      const group = groups.groupAt(root, rank)
      const pending = groups.pendingRoot(group)
      this.saveGroup(group, writer)
      for (let more = pending !== NONE && groups.pending.first(pending); more; more = groups.pending.next()) {
        this.savePending(writer)
        if (--left > 0) continue
        yield
        left = PENDING_PER_STEP
      }
      const consumers = groups.consumerCount(group)
      writer.length(consumers)
      for (let at = 0; at < consumers; at++) {
        const consumer = groups.consumerAt(group, at)
        const owned = groups.ownedRoot(consumer)
        this.saveConsumer(consumer, writer)
        for (let more = owned !== NONE && groups.owned.first(owned); more; more = groups.owned.next()) {
          this.saveRaw(groups.owned.id(this.id), writer)
          if (--left > 0) continue
          yield
          left = PENDING_PER_STEP
        }
        if (--left > 0) continue
        yield
        left = PENDING_PER_STEP
      }
    }
  }

  private saveGroup(group: Ref, writer: RdbWriter): void {
    const { groups } = this.streams
    const { id } = this
    this.saveName(group, writer)
    this.saveId(groups.lastId(group, id), writer)
    this.saveLong(groups.entriesRead(group), writer)
    writer.length(groups.pendingCount(group))
  }

  private savePending(writer: RdbWriter): void {
    const { groups } = this.streams
    this.saveRaw(groups.pending.id(this.id), writer)
    writer.int64(groups.deliveredAt)
    this.saveLong(groups.deliveries, writer)
  }

  private saveConsumer(consumer: Ref, writer: RdbWriter): void {
    const { groups } = this.streams
    this.saveName(consumer, writer)
    writer.int64(groups.seen(consumer))
    writer.length(groups.ownedCount(consumer))
  }
}

class StreamLoader {
  private readonly streams: Streams
  private readonly id = new StreamId()
  private readonly last = new StreamId()
  private readonly raw = new Uint8Array(ID_SIZE)
  private readonly kept = new Uint8Array(NAME_SIZE)
  // The name last read.
  private name = this.kept
  private nameLen = 0

  constructor(keyspace: Keyspace) {
    this.streams = keyspace.streams
  }

  load(type: number, reader: RdbReader, key: LoadedKey, expiry: Int64 | undefined): Ref {
    const { streams } = this
    const root = streams.log.create()
    let entry: Ref = NONE
    try {
      const count = this.loadNodes(root, reader)
      this.loadRest(root, type, count, reader)
      this.loadGroups(root, type, reader)
      entry = streams.adopt(root, key.bytes, 0, key.len, expiry)
    } finally {
      this.name = this.kept
      if (entry === NONE) streams.freeRoot(root)
    }
    return entry
  }

  /** Returns the number of entries in the nodes. */
  private loadNodes(root: Ref, reader: RdbReader): number {
    const { id, last } = this
    const { log } = this.streams
    const { listpacks } = log.nodes
    let entries = 0
    last.toLeast()
    for (let left = reader.length(); left > 0; left--) {
      reader.head()
      if (reader.len !== ID_SIZE) reader.refuse('Stream node key entry is not the size of a stream ID')
      reader.takeInto(this.raw, 0)
      id.readBytes(this.raw, 0)
      reader.head()
      reader.take()
      if (reader.thorough) reader.examined++
      if (id.compare(last) <= 0) reader.refuse('Stream nodes are not in the order of their IDs', reader.len)
      if (!validateNode(reader.bytes, reader.pos, reader.len, id, last)) {
        reader.refuse('Stream listpack integrity check failed.', reader.len)
      }
      const node = listpacks.fromBytes(reader.bytes, reader.pos, reader.len)
      entries += log.nodes.count(node)
      log.insertNode(root, id, node)
    }
    return entries
  }

  private readId(reader: RdbReader): StreamId {
    reader.length()
    const { lengthHigh, lengthLow } = reader
    reader.length()
    return this.id.set(lengthHigh, lengthLow, reader.lengthHigh, reader.lengthLow)
  }

  private readLong(reader: RdbReader): Int64 {
    reader.length()
    return fromWords(reader.lengthHigh, reader.lengthLow)
  }

  private readRaw(reader: RdbReader): StreamId {
    reader.raw(this.raw, 0, ID_SIZE)
    return this.id.readBytes(this.raw, 0)
  }

  private loadRest(root: Ref, type: number, count: number, reader: RdbReader): void {
    const { log } = this.streams
    const length = reader.length()
    if (length !== count) reader.refuse('Stream length inconsistent with rax entries')
    log.setLength(root, length)
    if (this.readId(reader).compare(this.last) < 0) reader.refuse('Stream last ID is below that of an entry')
    log.setId(root, LogId.LAST, this.id)
    if (type === RDB_STREAM) {
      log.setAdded(root, length)
      log.renewFirst(root)
      return
    }
    log.setId(root, LogId.FIRST, this.readId(reader))
    log.setId(root, LogId.DELETED, this.readId(reader))
    log.setAdded(root, this.readLong(reader))
  }

  private readName(reader: RdbReader): void {
    reader.head()
    this.nameLen = reader.len
    this.name = reader.len <= NAME_SIZE ? this.kept : new Uint8Array(reader.len)
    reader.takeInto(this.name, 0)
  }

  private loadGroups(root: Ref, type: number, reader: RdbReader): void {
    const { groups } = this.streams
    for (let left = reader.length(); left > 0; left--) {
      this.readName(reader)
      const lastId = this.readId(reader)
      const read = type === RDB_STREAM ? this.streams.countUpTo(root, lastId) : this.readLong(reader)
      if (groups.group(root, this.name, 0, this.nameLen) !== NONE) reader.refuse('Duplicated consumer group name')
      const group = groups.addGroup(root, this.name, 0, this.nameLen, lastId, read)
      this.loadPending(group, reader)
      for (let consumers = reader.length(); consumers > 0; consumers--) this.loadConsumer(group, type, reader)
      if (!this.isOwned(group)) reader.refuse('Stream CG PEL entry without consumer')
    }
  }

  private loadPending(group: Ref, reader: RdbReader): void {
    for (let left = reader.length(); left > 0; left--) {
      const id = this.readRaw(reader)
      const time = reader.int64()
      if (!this.streams.groups.addPending(group, id, NONE, time, this.readLong(reader))) {
        reader.refuse('Duplicated global PEL entry loading stream consumer group')
      }
    }
  }

  private loadConsumer(group: Ref, type: number, reader: RdbReader): void {
    const { groups } = this.streams
    this.readName(reader)
    if (groups.consumer(group, this.name, 0, this.nameLen) !== NONE) {
      reader.refuse('Duplicate stream consumer detected')
    }
    const seen = reader.int64()
    const consumer = groups.addConsumer(group, this.name, 0, this.nameLen, seen)
    groups.setActive(consumer, type === RDB_STREAM_3 ? reader.int64() : seen)
    for (let left = reader.length(); left > 0; left--) {
      const id = this.readRaw(reader)
      if (!groups.findPending(group, id)) reader.refuse('Consumer entry not found in group global PEL')
      if (groups.owner(group) !== NONE) {
        reader.refuse('Duplicated consumer PEL entry loading a stream consumer group')
      }
      groups.give(group, id, consumer)
    }
  }

  /** Whether all that is pending has got an owner. */
  private isOwned(group: Ref): boolean {
    const { groups } = this.streams
    let owned = 0
    for (let rank = groups.consumerCount(group) - 1; rank >= 0; rank--) {
      owned += groups.ownedCount(groups.consumerAt(group, rank))
    }
    return owned === groups.pendingCount(group)
  }
}

function skip(type: number, reader: RdbReader): void {
  for (let left = reader.length(); left > 0; left--) {
    skipString(reader)
    skipString(reader)
  }
  for (let left = type === RDB_STREAM ? 3 : 8; left > 0; left--) reader.length()
  for (let groups = reader.length(); groups > 0; groups--) {
    skipString(reader)
    for (let left = type === RDB_STREAM ? 2 : 3; left > 0; left--) reader.length()
    for (let left = reader.length(); left > 0; left--) {
      skipBytes(reader, ID_SIZE + 8)
      reader.length()
    }
    for (let consumers = reader.length(); consumers > 0; consumers--) {
      skipString(reader)
      skipBytes(reader, type === RDB_STREAM_3 ? 16 : 8)
      for (let left = reader.length(); left > 0; left--) skipBytes(reader, ID_SIZE)
    }
  }
}

const skipped = new Uint8Array(ID_SIZE + 8)

function skipBytes(reader: RdbReader, len: number): void {
  reader.raw(skipped, 0, len)
}

function skipString(reader: RdbReader): void {
  reader.head()
  reader.skip()
}
