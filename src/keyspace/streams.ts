/* Streams: the values of type stream: a log of entries (structures/stream-log.ts) with its consumer groups
 * (structures/stream-groups.ts). There is one form; a stream without entries may exist.
 *
 *   entry's value ─► root of the log ─► nodes
 *                                   └─► groups ─► consumers
 *
 * The two structures are public: commands work on them with the log's root, which `log` answers. `walk` is for commands
 * that go through entries; whoever runs inside of a command has one of its own. */
import { assert } from '../lib/assert.ts'
import type { Digest } from '../lib/digest.ts'
import { addInt64, type Int64, wrapSubInt64 } from '../lib/int64.ts'
import { ID_TEXT_MAX, StreamId } from '../lib/stream-id.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'
import type { Listpacks } from '../structures/listpack.ts'
import { StreamGroups } from '../structures/stream-groups.ts'
import { LogId, StreamLog } from '../structures/stream-log.ts'
import { StreamWalk } from '../structures/stream-walk.ts'
import type { Database } from './database.ts'
import { type Entries, EntryFlag, Type } from './entry.ts'
import type { Kind } from './kinds.ts'
import { compactStream } from './stream-compaction.ts'

/** Streams with no more nodes and pending entries are freed at once. */
const PARTS_AT_ONCE = 64
const DOT = 46
/** Of a group that has read nobody knows how much. */
export const UNKNOWN_READ = -1

/** Takes over what is to be freed little by little: Keyspace.doom. */
type Doom = (step: () => boolean) => void

export class Streams {
  readonly log: StreamLog
  readonly groups: StreamGroups
  readonly walk: StreamWalk
  private readonly entries: Entries
  private readonly memory: Memory
  private readonly doom: Doom
  private readonly first = new StreamId()
  private readonly last = new StreamId()
  private readonly deleted = new StreamId()

  /** `leafMax`, `innerMax`: see IdTree; for tests. */
  constructor(entries: Entries, listpacks: Listpacks, doom: Doom, leafMax = 0, innerMax = 0) {
    this.entries = entries
    this.memory = entries.memory
    this.log = new StreamLog(entries.memory, listpacks, leafMax, innerMax)
    this.groups = new StreamGroups(this.log, leafMax, innerMax)
    this.walk = new StreamWalk(this.log)
    this.doom = doom
  }

  /** The root of an entry's log. */
  rootOf(entry: Ref): Ref {
    return this.entries.value(entry) as Ref
  }

  /** Moves the root if it must be moved (Memory.move); returns it. Allocates. */
  moveRoot(entry: Ref): Ref {
    const root = this.memory.move(this.rootOf(entry))
    this.entries.setValue(entry, root)
    return root
  }

  /** Adds an empty stream for the key last looked up, which must not be there. Allocates. */
  add(db: Database, keyBytes: Uint8Array, keyPos: number, keyLen: number): Ref {
    const entry = this.adopt(this.log.create(), keyBytes, keyPos, keyLen)
    db.insert(entry)
    return entry
  }

  /** Makes an entry of a root that there is already, for the caller to put somewhere. Allocates. */
  adopt(root: Ref, keyBytes: Uint8Array, keyPos: number, keyLen: number, expiry?: Int64): Ref {
    const { entries } = this
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    const entry = entries.create(Type.STREAM, 0, flags, keyBytes, keyPos, keyLen, 0)
    entries.setValue(entry, root)
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    return entry
  }

  // What is known of how much has been read.

  /** Whether one of the entries from an id on was deleted, as far as can be told. */
  private hasHoleFrom(root: Ref, id: StreamId): boolean {
    const { log, deleted } = this
    if (log.length(root) === 0 || log.id(root, LogId.DELETED, deleted).isZero) return false
    if (log.id(root, LogId.FIRST, this.first).compare(deleted) > 0) return false
    return id.compare(deleted) <= 0
  }

  /** How many entries had been added when that with this id had been; UNKNOWN_READ if that cannot be told. */
  countUpTo(root: Ref, id: StreamId): Int64 {
    const { log, first, last, deleted } = this
    const added = log.added(root)
    const length = log.length(root)
    const order = id.compare(log.id(root, LogId.LAST, last))
    if (added === 0 || (length === 0 && order <= 0) || order === 0) return added
    if (order > 0) return UNKNOWN_READ
    log.id(root, LogId.FIRST, first)
    log.id(root, LogId.DELETED, deleted)
    if (!deleted.isZero && deleted.compare(first) >= 0) return UNKNOWN_READ
    const toFirst = id.compare(first)
    if (toFirst > 0) return UNKNOWN_READ
    return wrapSubInt64(added, toFirst < 0 ? length : length - 1)
  }

  /** How many entries a group has still to read; undefined if that cannot be told. */
  lag(root: Ref, group: Ref): Int64 | undefined {
    const { log, groups } = this
    const added = log.added(root)
    if (added === 0) return 0
    const read = groups.entriesRead(group)
    const lastRead = groups.lastId(group, new StreamId())
    if (read !== UNKNOWN_READ && !this.hasHoleFrom(root, lastRead)) return wrapSubInt64(added, read)
    const count = this.countUpTo(root, lastRead)
    return count === UNKNOWN_READ ? undefined : wrapSubInt64(added, count)
  }

  /** A group reads an entry beyond what it has read so far. */
  noteRead(root: Ref, group: Ref, id: StreamId): void {
    const { groups } = this
    const read = groups.entriesRead(group)
    if (read !== UNKNOWN_READ && !this.hasHoleFrom(root, id)) {
      groups.setEntriesRead(group, addInt64(read, 1) ?? read)
    } else if (this.log.added(root) !== 0) groups.setEntriesRead(group, this.countUpTo(root, id))
    groups.setLastId(group, id)
  }

  // Whole streams.

  /** The nodes, and what groups have pending: the work that freeing takes. */
  parts(entry: Ref): number {
    const root = this.rootOf(entry)
    let parts = this.log.nodeCount(root)
    for (let rank = this.groups.groupCount(root) - 1; rank >= 0; rank--) {
      const group = this.groups.groupAt(root, rank)
      parts += 1 + this.groups.consumerCount(group) + this.groups.pendingCount(group)
    }
    return parts
  }

  freeValue(entry: Ref): void {
    const root = this.rootOf(entry)
    if (this.parts(entry) <= PARTS_AT_ONCE) this.freeRoot(root)
    else this.doom(() => this.dismantle(root))
  }

  /** Frees a log that no entry has, however long that takes. */
  freeRoot(root: Ref): void {
    while (this.dismantle(root)) {}
  }

  /** Frees a little of a log that no entry has; false when all is freed. */
  dismantle(root: Ref): boolean {
    if (this.log.dismantle(root) || this.groups.dismantle(root)) return true
    this.memory.free(root)
    return false
  }

  /** Frees a group that has been detached, little by little if it has much. */
  freeGroup(group: Ref): void {
    if (this.groups.watcher?.keeps(group)) return
    const step = () => this.groups.dismantleGroup(group)
    if (this.groups.pendingCount(group) + this.groups.consumerCount(group) > PARTS_AT_ONCE) this.doom(step)
    else while (step()) {}
  }

  valueBytes(entry: Ref): number {
    const root = this.rootOf(entry)
    return this.log.bytes(root) + this.groups.bytes(root)
  }

  /** Gives `target` a copy of `source`'s value. Allocates. */
  copyValue(source: Ref, target: Ref): void {
    const root = this.rootOf(source)
    const copy = this.log.copy(root)
    this.groups.copy(root, copy)
    this.entries.setValue(target, copy)
  }

  verify(entry: Ref): void {
    assert(this.rootOf(entry) !== NONE, 'a stream has a log')
    this.log.verify(this.rootOf(entry))
    this.groups.verify(this.rootOf(entry))
  }
}

export function streamKind(streams: Streams): Kind {
  const { listpacks } = streams.log.nodes
  const walk = new StreamWalk(streams.log)
  const text = new Uint8Array(ID_TEXT_MAX)
  return {
    type: Type.STREAM,
    name: 'stream',
    encodingName: () => 'stream',
    freeValue: (entry) => streams.freeValue(entry),
    valueBytes: (entry) => streams.valueBytes(entry),
    copyValue: (source, target) => streams.copyValue(source, target),
    length: (entry) => streams.parts(entry),
    memberTable: () => NONE,
    digest: (entry, into: Digest) => {
      for (walk.startAt(streams.rootOf(entry), true); walk.next(); ) {
        into.mix(text, 0, walk.id.writeText(text, 0, DOT))
        for (let left = walk.fieldCount; left > 0; left--) {
          walk.locateField()
          into.mix(listpacks.bytes, listpacks.pos, listpacks.len)
          walk.locateValue()
          into.mix(listpacks.bytes, listpacks.pos, listpacks.len)
        }
      }
    },
    compact: (entry, cursor) => compactStream(streams, entry, cursor),
    verify: (entry) => streams.verify(entry),
  }
}
