/* Frozen groups: the consumer groups of a frozen stream (frozen.ts), copied in slices while they go on changing.
 *
 *   group    | entries that are pending, by id |              copied so far, and from `next` on still to be copied
 *                │ about to change, or to go: copied there and then
 *                └ added since: in `late`, and passed over
 *   copy     | … |
 *
 * Groups and consumers are copied when the stream is frozen, and with them what little is pending in a small group. Of
 * a large one it follows in steps, as the walk through its tree goes on; what is in the copy already is not copied
 * again. A group that is destroyed meanwhile stays until it has been copied. */
import type { Keyspace } from '../keyspace/keyspace.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { IdTree } from '../structures/id-tree.ts'
import { StreamGroups } from '../structures/stream-groups.ts'

/** About what a pending entry takes, in its group's tree and its consumer's. */
const PENDING_BYTES = 56
const NOTHING = new Int32Array(0)

interface Part {
  readonly group: Ref
  readonly copy: Ref
  readonly next: StreamId
  /** A tree of ids; NONE: no entry has been added. */
  late: Ref
  /** The stream does not have the group any more. */
  kept: boolean
}

export class FrozenGroups {
  copiedBytes = 0
  private readonly keyspace: Keyspace
  /** Pending entries that are copied in one step. */
  private readonly stepSize: number
  private readonly parts: Part[] = []
  private readonly byGroup = new Map<Ref, Part>()
  // Each has a place of its own.
  private readonly reader: StreamGroups
  private readonly writer: StreamGroups
  private readonly lateIds: IdTree
  private readonly id = new StreamId()

  /** Gives `target`, a stream's root, copies of the groups of `source`. Groups with up to `pendingAtOnce` pending
   *  entries are copied at once. Allocates. */
  constructor(keyspace: Keyspace, source: Ref, target: Ref, pendingAtOnce: number, stepSize: number) {
    const { log, groups } = keyspace.streams
    this.keyspace = keyspace
    this.stepSize = stepSize
    this.reader = new StreamGroups(log)
    this.writer = new StreamGroups(log)
    this.lateIds = new IdTree(keyspace.memory, 0)
    const count = groups.groupCount(source)
    for (let rank = 0; rank < count; rank++) {
      const group = groups.groupAt(source, rank)
      const isSmall = groups.pendingCount(group) <= pendingAtOnce
      const copy = groups.copyGroup(group, target, isSmall)
      if (isSmall) continue
      const part = { group, copy, next: new StreamId().toLeast(), late: NONE, kept: false }
      this.parts.push(part)
      this.byGroup.set(group, part)
    }
  }

  get isComplete(): boolean {
    return this.parts.length === 0
  }

  /** Copies a little more; false when all has been copied. Allocates. */
  step(): boolean {
    const { reader, writer, id } = this
    const part = this.parts[0]
    if (part === undefined) return false
    let more = reader.pending.seek(reader.pendingRoot(part.group), part.next)
    for (let left = this.stepSize; more && left > 0; left--) {
      reader.pending.id(id)
      if (!this.isLate(part, id) && writer.addCopy(part.copy, id, reader)) this.copiedBytes += PENDING_BYTES
      more = reader.pending.next()
    }
    if (more) reader.pending.id(part.next)
    else this.finish(part)
    return true
  }

  private isLate(part: Part, id: StreamId): boolean {
    return part.late !== NONE && this.lateIds.find(part.late, id)
  }

  /** A group is complete, or nobody wants it any more. */
  private finish(part: Part): void {
    const { keyspace, lateIds } = this
    this.parts.splice(this.parts.indexOf(part), 1)
    this.byGroup.delete(part.group)
    if (part.kept) keyspace.doom(() => keyspace.streams.groups.dismantleGroup(part.group))
    const { late } = part
    if (late === NONE) return
    keyspace.doom(() => {
      if (lateIds.dismantle(late)) return true
      keyspace.memory.free(late)
      return false
    })
  }

  added(group: Ref, id: StreamId): void {
    const part = this.byGroup.get(group)
    if (part === undefined || id.compare(part.next) < 0) return
    if (part.late === NONE) part.late = this.lateIds.create()
    this.lateIds.insert(part.late, id, NOTHING)
  }

  changes(group: Ref, id: StreamId): void {
    const part = this.byGroup.get(group)
    if (part === undefined || id.compare(part.next) < 0 || this.isLate(part, id)) return
    if (this.writer.addCopy(part.copy, id, this.keyspace.streams.groups)) this.copiedBytes += PENDING_BYTES
  }

  keeps(group: Ref): boolean {
    const part = this.byGroup.get(group)
    if (part === undefined) return false
    part.kept = true
    return true
  }

  /** Nobody wants the rest. The copies are the caller's. */
  abandon(): void {
    while (this.parts.length > 0) this.finish(this.parts[0]!)
  }
}
