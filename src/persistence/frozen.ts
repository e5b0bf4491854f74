/* Frozen values: large values of a snapshot, shown element by element in slices while they go on changing.
 *
 *   entry ──► value ◄── clone          the clone is the entry as it was: key, type, expiry; it is the snapshot's own
 *
 * The value is shared with the living entry, and what is about to change in it is saved first:
 *
 *   table (set, hash, sorted set)   an element that is still to be shown is shown there and then; those that were, and
 *                                   those that were added later, are remembered by ref until the walk has passed
 *   list                            its nodes are listed when it is frozen (8,000 for 10M short elements); a node about
 *                                   to change is copied
 *   stream                          likewise; what its groups have pending is copied (frozen-groups.ts)
 *   string                          shown in pieces; when it is about to change, the living entry gets a copy
 *
 * If the living entry goes, the value becomes the snapshot's, which frees it at the end. */

import { HashEncoding, SetEncoding, Type, ZsetEncoding } from '../keyspace/entry.ts'
import { rootOfExpiring } from '../keyspace/expiring-hashes.ts'
import type { Keyspace } from '../keyspace/keyspace.ts'
import { ListEncoding } from '../keyspace/lists.ts'
import { ZSET_TABLE } from '../keyspace/zset-walk.ts'
import { copyBytes } from '../lib/bytes.ts'
import { ID_WORDS, StreamId } from '../lib/stream-id.ts'
import { NONE, posOf, type Ref } from '../memory/memory.ts'
import { RefMap } from '../structures/ref-map.ts'
import { SCAN_END, type Table } from '../structures/table.ts'
import { FrozenGroups } from './frozen-groups.ts'

/** Values with more elements, nodes or bytes than this are frozen. The others take a fifth of a millisecond at most,
 *  strings that are to be compressed three. */
export interface LargeLimits {
  readonly elements: number
  readonly nodes: number
  readonly bytes: number
}

export const LARGE: LargeLimits = { elements: 512, nodes: 8, bytes: 512 * 1024 }
/** Bytes of a string that are shown in one step. */
const PIECE_SIZE = 32 * 1024

/** Whom a large value is shown to. */
export interface LargeSink {
  /** An element of a set, hash or sorted set: an entry of its table. */
  element(ref: Ref): void
  /** A node of a list: `size` bytes of a listpack, or of an element by itself. */
  node(kind: number, payload: Ref, size: number): void
  /** A node of a stream: `size` bytes of a listpack. */
  streamNode(id: StreamId, node: Ref, size: number): void
  /** What follows the nodes: a stream's root without any. Shown to its end by and by. */
  streamRest(root: Ref): Iterator<void>
  /** Some more bytes of a string. */
  piece(bytes: Uint8Array, pos: number, len: number): void
  end(): void
}

export abstract class Frozen {
  readonly keyspace: Keyspace
  readonly clone: Ref
  readonly sink: LargeSink
  /** The living entry has gone, or has got another value: this one is to be freed at the end. */
  owned = false
  /** Bytes that were copied because they were about to change. */
  copiedBytes = 0

  constructor(keyspace: Keyspace, clone: Ref, sink: LargeSink) {
    this.keyspace = keyspace
    this.clone = clone
    this.sink = sink
  }

  get heldBytes(): number {
    return this.copiedBytes
  }

  get value(): Ref {
    return this.keyspace.entries.value(this.clone) as Ref
  }

  /** Shows a little more; false when all has been shown. */
  abstract step(): boolean

  /** Frees what is the snapshot's. */
  free(): void {
    if (this.owned) this.keyspace.kindOf(this.clone).freeValue(this.clone)
    this.keyspace.memory.free(this.clone)
  }
}

export class FrozenTable extends Frozen {
  readonly root: Ref
  private readonly table: Table
  private position = 0
  /** Elements ahead of the walk that it is to pass over, if there are any. */
  private passed: RefMap | null = null

  /** `table` is for walking: between steps others may use it. */
  constructor(keyspace: Keyspace, clone: Ref, sink: LargeSink, table: Table) {
    super(keyspace, clone, sink)
    this.table = table
    this.root = tableOf(keyspace, clone)
  }

  step(): boolean {
    const { table, passed, position } = this
    this.position = table.scan(this.root, position)
    // Buckets become wider when a table shrinks: what lies before the position has been shown.
    const isPartial = table.foundFrom < position
    for (let index = 0; index < table.foundCount; index++) {
      const element = table.found[index]! as Ref
      if (isPartial && table.hashOf(element) >>> 0 < position) continue
      if (passed === null || !passed.has(element)) this.sink.element(element)
    }
    return this.position !== SCAN_END
  }

  changes(element: Ref): void {
    if (this.table.hashOf(element) >>> 0 < this.position || this.passed?.has(element)) return
    this.pass(element)
    this.sink.element(element)
  }

  added(element: Ref, hash: number): void {
    if (hash >>> 0 >= this.position) this.pass(element)
  }

  private pass(element: Ref): void {
    this.passed ??= new RefMap()
    this.passed.set(element, 1)
  }
}

/** A node that has been shown, or copied, is nobody's concern any more. */
const SHOWN = -2

/** Nodes that are shown one after the other. */
abstract class FrozenNodes extends Frozen {
  readonly payloads: Int32Array
  readonly sizes: Int32Array
  /** Nodes that the snapshot has copied. */
  private readonly copied: Uint8Array
  private readonly places: RefMap
  private next = 0

  constructor(keyspace: Keyspace, clone: Ref, sink: LargeSink, count: number) {
    super(keyspace, clone, sink)
    this.payloads = new Int32Array(count)
    this.sizes = new Int32Array(count)
    this.copied = new Uint8Array(count)
    this.places = new RefMap(count)
  }

  protected list(at: number, payload: Ref, size: number): void {
    this.payloads[at] = payload
    this.sizes[at] = size
    this.places.set(payload, at)
  }

  protected abstract show(at: number): void

  protected get hasMoreNodes(): boolean {
    return this.next < this.payloads.length
  }

  step(): boolean {
    const at = this.next++
    if (at < this.payloads.length) {
      const payload = this.payloads[at]! as Ref
      this.show(at)
      if (this.copied[at] === 1) this.keyspace.memory.free(payload)
      else this.places.set(payload, SHOWN)
    }
    return this.hasMoreNodes
  }

  changes(payload: Ref): void {
    const at = this.places.get(payload)
    if (at < 0) return
    const { memory } = this.keyspace
    const size = this.sizes[at]!
    const copy = memory.alloc(Math.max(size, 1))
    copyBytes(memory.bytesOf(payload), posOf(payload), memory.bytesOf(copy), posOf(copy), size)
    this.payloads[at] = copy
    this.copied[at] = 1
    this.copiedBytes += size
    this.places.set(payload, SHOWN)
  }

  override free(): void {
    for (let at = this.next; at < this.payloads.length; at++) {
      if (this.copied[at] === 1) this.keyspace.memory.free(this.payloads[at]! as Ref)
    }
    super.free()
  }
}

export class FrozenList extends FrozenNodes {
  private readonly kinds: Uint8Array

  constructor(keyspace: Keyspace, clone: Ref, sink: LargeSink) {
    const { sequence } = keyspace.lists.quicklist
    const root = keyspace.entries.value(clone) as Ref
    keyspace.lists.quicklist.closeGap(root)
    super(keyspace, clone, sink, sequence.nodeCount(root))
    this.kinds = new Uint8Array(this.payloads.length)
    let at = 0
    for (let node = sequence.head(root); node !== NONE; node = sequence.next(node), at++) {
      this.list(at, sequence.payload(node), sequence.sizeOf(node))
      this.kinds[at] = sequence.kind(node)
    }
  }

  protected show(at: number): void {
    this.sink.node(this.kinds[at]!, this.payloads[at]! as Ref, this.sizes[at]!)
  }
}

export class FrozenStream extends FrozenNodes {
  private readonly ids: Int32Array
  private readonly id = new StreamId()
  /** What the stream knew beside its entries: a log without any. */
  private readonly rest: Ref
  readonly groups: FrozenGroups
  private showing: Iterator<void> | null = null

  constructor(keyspace: Keyspace, clone: Ref, sink: LargeSink, limits: LargeLimits) {
    const { log } = keyspace.streams
    const root = keyspace.entries.value(clone) as Ref
    super(keyspace, clone, sink, log.nodeCount(root))
    this.ids = new Int32Array(this.payloads.length * ID_WORDS)
    let at = 0
    for (let more = log.tree.first(root); more; more = log.tree.next(), at++) {
      const node = log.tree.own(0) as Ref
      this.list(at, node, log.nodes.listpacks.size(node))
      log.tree.id(this.id).write(this.ids, at * ID_WORDS)
    }
    this.rest = log.copyRoot(root)
    const { elements } = limits
    this.groups = new FrozenGroups(keyspace, root, this.rest, elements >> 3, Math.max(elements >> 5, 1))
  }

  protected show(at: number): void {
    const id = this.id.read(this.ids, at * ID_WORDS)
    this.sink.streamNode(id, this.payloads[at]! as Ref, this.sizes[at]!)
  }

  override step(): boolean {
    // First, for what changes until then is to be copied by itself.
    if (this.groups.step()) return true
    if (this.hasMoreNodes && super.step()) return true
    this.showing ??= this.sink.streamRest(this.rest)
    return this.showing.next().done !== true
  }

  override get heldBytes(): number {
    return this.copiedBytes + this.groups.copiedBytes
  }

  override free(): void {
    const { rest } = this
    this.groups.abandon()
    const { streams } = this.keyspace
    if (streams.groups.groupCount(rest) === 0) streams.freeRoot(rest)
    else this.keyspace.doom(() => streams.dismantle(rest))
    super.free()
  }
}

export class FrozenString extends Frozen {
  /** The living entry, NONE when it has the value no more. */
  entry: Ref
  private shown = 0

  constructor(keyspace: Keyspace, clone: Ref, sink: LargeSink, entry: Ref) {
    super(keyspace, clone, sink)
    this.entry = entry
  }

  step(): boolean {
    const { memory, entries } = this.keyspace
    const len = entries.valueHigh(this.clone)
    const count = Math.min(PIECE_SIZE, len - this.shown)
    this.sink.piece(memory.bytesOf(this.value), posOf(this.value) + this.shown, count)
    this.shown += count
    return this.shown < len
  }

  override free(): void {
    if (this.entry !== NONE) this.keyspace.entries.setMark(this.entry)
    super.free()
  }

  /** The living entry is about to change: it gets a copy. */
  part(): void {
    const { memory, entries } = this.keyspace
    const len = entries.valueHigh(this.clone)
    const copy = memory.alloc(len)
    copyBytes(memory.bytesOf(this.value), posOf(this.value), memory.bytesOf(copy), posOf(copy), len)
    entries.setValue(this.entry, copy)
    this.copiedBytes += len
    this.owned = true
    this.entry = NONE
  }
}

/** The table of a set, hash or sorted set that has one. */
export function tableOf({ entries, memory }: Keyspace, entry: Ref): Ref {
  const value = entries.value(entry) as Ref
  if (entries.type(entry) === Type.ZSET) return memory.word(value, ZSET_TABLE) as Ref
  return entries.hasExpiringFields(entry) ? rootOfExpiring(memory, value) : value
}

/** Whether the value is too large to be shown at once. Of types that lie otherwise none is. */
export function isLarge(keyspace: Keyspace, entry: Ref, limits: LargeLimits): boolean {
  const { entries } = keyspace
  const value = entries.value(entry) as Ref
  const encoding = entries.encoding(entry)
  switch (entries.type(entry)) {
    case Type.STRING:
      return entries.isOwn(entry) && entries.valueHigh(entry) > limits.bytes
    case Type.LIST:
      if (encoding !== ListEncoding.QUICKLIST) return false
      return keyspace.lists.quicklist.sequence.nodeCount(value) > limits.nodes
    case Type.SET:
      return encoding === SetEncoding.TABLE && keyspace.sets.table.count(value) > limits.elements
    case Type.HASH:
      if ((encoding & HashEncoding.TABLE) === 0) return false
      return keyspace.hashes.table.count(tableOf(keyspace, entry)) > limits.elements
    case Type.ZSET:
      if (encoding !== ZsetEncoding.TABLE) return false
      return keyspace.zsets.table.count(tableOf(keyspace, entry)) > limits.elements
    case Type.STREAM: {
      const { streams } = keyspace
      return streams.log.nodeCount(value) > limits.nodes || streams.parts(entry) > limits.elements
    }
    default:
      return false
  }
}

/** A clone of an entry that shares its value. Allocates. */
export function cloneOf({ entries, memory }: Keyspace, entry: Ref): Ref {
  const clone = entries.createLike(entry, memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
  entries.setValue(clone, entries.value(entry))
  if (entries.isOwn(entry)) entries.setValueHigh(clone, entries.valueHigh(entry))
  entries.setAccess(clone, entries.access(entry))
  return clone
}
