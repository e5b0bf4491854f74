/* XREAD and XREADGROUP: new entries of several streams, waiting for one if there is none.
 *
 *   XREAD        entries beyond an id; $ is the last id there is, + the last entry
 *   XREADGROUP   >: entries that the group was never given; they are pending from then on, but with NOACK
 *                an id: what the consumer has pending beyond it
 *
 * Who waits is run again when an entry comes; a $ has become an id by then. Ids are read twice, once to see whether
 * anything is wrong before anything is done: so none has to be kept. */

import { Type } from '../keyspace/entry.ts'
import { fromLatin1 } from '../lib/bytes.ts'
import { addInt64 } from '../lib/int64.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  blockInScript,
  noKeyOrGroup,
  SYNTAX,
  unbalancedStreams,
  WRONG_TYPE,
  XREAD_GROUP_OPTION,
  XREAD_NEW,
  XREAD_NOACK_OPTION,
  XREADGROUP_FINAL,
  XREADGROUP_LAST,
  XREADGROUP_NO_GROUP,
} from '../protocol/errors.ts'
import type { Mark } from '../protocol/reply.ts'
import { LogId } from '../structures/stream-log.ts'
import { type Blocker, timeoutMsOf } from './blocking.ts'
import type { Call } from './call.ts'
import {
  block,
  type Command,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  many,
  optional,
  string,
} from './definition.ts'
import { SessionFlag } from './session.ts'
import { ensureConsumer, tellClaim, tellConsumer, tellGroupId } from './streams-effects.ts'
import { exactId, isSign, replyId } from './streams-ids.ts'
import { countOption, replyEntry, replyEntryAt, replyRange } from './streams-ranges.ts'

const DOLLAR = 36
const PLUS = 43
const NEW = 62

/** What was asked for. One serves all calls. */
class ReadOptions {
  ofGroup = false
  /** 0: any number. */
  count = 0
  /** -1: not to wait. */
  timeoutMs = -1
  /** The first key, and how many there are; the ids follow them. */
  first = 0
  streams = 0
  /** The argument that names the group, the consumer's behind it; 0: none does. */
  groupAt = 0
  noAck = false

  /** False after replying what is wrong. */
  read(call: Call, ofGroup: boolean): boolean {
    this.ofGroup = ofGroup
    this.count = 0
    this.timeoutMs = -1
    this.first = 0
    this.groupAt = 0
    this.noAck = false
    for (let index = 1; index < call.argc && this.first === 0; ) {
      const next = this.readOption(call, index)
      if (next < 0) return false
      index = next
    }
    if (this.first === 0) call.reply.error(SYNTAX)
    else if (ofGroup && this.groupAt === 0) call.reply.error(XREADGROUP_NO_GROUP)
    else return true
    return false
  }

  /** Returns the argument to go on with; -1 after replying what is wrong. */
  private readOption(call: Call, index: number): number {
    const { reply } = call
    const more = call.argc - 1 - index
    if (more > 0 && call.is(index, 'BLOCK')) return this.readTimeout(call, index)
    if (more > 0 && call.is(index, 'COUNT')) {
      this.count = countOption(call, index + 1) ?? -1
      return this.count < 0 ? -1 : index + 2
    }
    if (more > 0 && call.is(index, 'STREAMS')) {
      this.first = index + 1
      this.streams = more >> 1
      if (more % 2 === 0) return call.argc
      reply.error(unbalancedStreams(this.ofGroup ? 'xreadgroup' : 'xread', this.ofGroup ? '>' : '$'))
    } else if (more > 1 && call.is(index, 'GROUP')) {
      this.groupAt = index + 1
      if (this.ofGroup) return index + 3
      reply.error(XREAD_GROUP_OPTION)
    } else if (call.is(index, 'NOACK')) {
      this.noAck = true
      if (this.ofGroup) return index + 1
      reply.error(XREAD_NOACK_OPTION)
    } else reply.error(SYNTAX)
    return -1
  }

  private readTimeout(call: Call, index: number): number {
    if ((call.session.flags & SessionFlag.SCRIPT) !== 0) {
      call.reply.error(blockInScript(call.string(0)))
      return -1
    }
    this.timeoutMs = timeoutMsOf(call, index + 1) ?? -1
    return this.timeoutMs < 0 ? -1 : index + 2
  }
}

const options = new ReadOptions()
const id = new StreamId()
const last = new StreamId()
const greatest = new StreamId().toGreatest()
/** The arguments that name the stream and the group at hand. */
const at = { key: 0, group: 0 }

/** The stream of a key, NONE if there is none; its type is known to be right. */
function streamAt(call: Call, index: number): Ref {
  return call.db.lookupRead(call.bytes, call.posOf(index), call.lenOf(index))
}

/** Looks whether all that is named is there and means something; false after replying what does not. */
function check(call: Call): boolean {
  for (let index = 0; index < options.streams; index++) {
    const keyAt = options.first + index
    const entry = streamAt(call, keyAt)
    if (entry !== NONE && call.keyspace.entries.type(entry) !== Type.STREAM) {
      call.reply.error(WRONG_TYPE)
      return false
    }
    if (options.ofGroup && (entry === NONE || groupOf(call, entry) === NONE)) {
      const where = ' in XREADGROUP with GROUP option'
      call.reply.error(noKeyOrGroup(call.string(keyAt), call.string(options.groupAt), where))
      return false
    }
    if (!resolve(call, keyAt, entry)) return false
  }
  return true
}

function groupOf(call: Call, entry: Ref): Ref {
  const { streams } = call.keyspace
  const { groupAt } = options
  return streams.groups.group(streams.rootOf(entry), call.bytes, call.posOf(groupAt), call.lenOf(groupAt))
}

/** Reads the id that is given for a key: `id` is what entries must be beyond. False after replying what is wrong. */
function resolve(call: Call, keyAt: number, entry: Ref): boolean {
  const index = keyAt + options.streams
  const { reply, keyspace } = call
  const { ofGroup } = options
  if (isSign(call, index, DOLLAR)) {
    if (ofGroup) reply.error(XREADGROUP_LAST)
    else if (entry === NONE) return id.toLeast().isZero
    else keyspace.streams.log.id(keyspace.streams.rootOf(entry), LogId.LAST, id)
    return !ofGroup
  }
  if (isSign(call, index, NEW)) {
    if (!ofGroup) reply.error(XREAD_NEW)
    id.toGreatest()
    return ofGroup
  }
  if (isSign(call, index, PLUS)) {
    if (ofGroup) reply.error(XREADGROUP_FINAL)
    else if (entry === NONE || !keyspace.streams.log.edge(keyspace.streams.rootOf(entry), false, true, id)) id.toLeast()
    else id.decrement()
    return !ofGroup
  }
  return exactId(call, index, id)
}

/** Where an array of streams began, when there is a first one. */
interface Serving {
  mark: Mark | null
  count: number
}

/** Begins the reply for a stream: its name, which the entries follow. */
function replyKey(call: Call, serving: Serving, keyAt: number): void {
  const { reply } = call
  serving.mark ??= reply.begin()
  serving.count++
  if (reply.version !== 3) reply.array(2)
  reply.bulk(call.bytes, call.posOf(keyAt), call.lenOf(keyAt))
}

/** Replies the entries of a stream beyond `id`, if there are any. */
function serveStream(call: Call, serving: Serving, keyAt: number, root: Ref): void {
  const { log } = call.keyspace.streams
  if (log.length(root) === 0) return
  if (log.id(root, LogId.LAST, last).compare(id) <= 0) return
  // Only if it is not all entries that are asked for, the last one must be looked at: the last id may be none's.
  if (log.id(root, LogId.FIRST, last).compare(id) <= 0) {
    if (!log.edge(root, false, true, last) || last.compare(id) <= 0) return
  }
  replyKey(call, serving, keyAt)
  id.increment()
  replyRange(call, root, id, greatest, options.count, false)
}

/** Replies what a consumer is given of a stream, if there is anything. */
function serveConsumer(call: Call, serving: Serving, keyAt: number, entry: Ref, root: Ref): void {
  const { keyspace } = call
  const { log, groups } = keyspace.streams
  const groupRef = groupOf(call, entry)
  const isHistory = !id.isGreatest
  at.key = keyAt
  at.group = options.groupAt
  call.db.willChange(entry)
  let isServed = isHistory
  if (!isHistory && log.length(root) > 0 && log.edge(root, false, true, last)) {
    isServed = last.compare(groups.lastId(groupRef, id)) > 0
  }
  const count = groups.consumerCount(groupRef)
  const consumer = ensureConsumer(call, at, groupRef, options.groupAt + 1)
  if (options.noAck && groups.consumerCount(groupRef) > count) tellConsumer(call, at, consumer)
  groups.setSeen(consumer, keyspace.now)
  if (!isServed) return
  replyKey(call, serving, keyAt)
  id.increment()
  if (isHistory) replyHistory(call, root, groupRef, consumer)
  else give(call, root, groupRef, consumer)
  keyspace.dirty++
}

/** Replies the entries beyond `id`, and notes that the consumer has been given them. */
function give(call: Call, root: Ref, groupRef: Ref, consumer: Ref): void {
  const { reply, keyspace } = call
  const { streams } = keyspace
  const { walk, groups } = streams
  const { count, noAck } = options
  const mark = reply.begin()
  let shown = 0
  let advanced = false
  walk.start(root, id, greatest, false)
  while ((count === 0 || shown < count) && !reply.overflowed && walk.next()) {
    if (walk.id.compare(groups.lastId(groupRef, last)) > 0) {
      streams.noteRead(root, groupRef, walk.id)
      advanced = true
    }
    replyEntry(call, walk)
    shown++
    if (noAck) continue
    if (!groups.addPending(groupRef, walk.id, consumer, keyspace.now, 1)) {
      groups.findPending(groupRef, walk.id)
      groups.setDelivery(groupRef, walk.id, keyspace.now, 1)
      groups.give(groupRef, walk.id, consumer)
    }
    groups.setActive(consumer, keyspace.now)
    if (call.effects.listening && groups.findPending(groupRef, walk.id)) tellClaim(call, at, groupRef, walk.id)
  }
  reply.endArray(mark, shown)
  if (noAck && advanced) tellGroupId(call, at, groupRef)
}

/** Replies what the consumer has pending from `id` on. What has been deleted has no fields. */
function replyHistory(call: Call, root: Ref, groupRef: Ref, consumer: Ref): void {
  const { reply, keyspace } = call
  const { groups } = keyspace.streams
  const tree = groups.ownedRoot(consumer)
  const mark = reply.begin()
  let shown = 0
  if (tree !== NONE && groups.owned.seek(tree, id)) {
    do {
      groups.owned.id(last)
      if (replyEntryAt(call, root, last)) {
        groups.findPending(groupRef, last)
        groups.setDelivery(groupRef, last, keyspace.now, addInt64(groups.deliveries, 1) ?? groups.deliveries)
      } else {
        reply.array(2)
        replyId(call, last)
        reply.nullArray()
      }
      shown++
    } while ((options.count === 0 || shown < options.count) && !reply.overflowed && groups.owned.next())
  }
  reply.endArray(mark, shown)
}

/** The arguments that must be others when the command is run again: ids, in place of $ and +. */
function settled(call: Call): ReadonlyMap<number, Uint8Array> | undefined {
  if (options.ofGroup) return undefined
  const replaced = new Map<number, Uint8Array>()
  for (let keyAt = options.first; keyAt < options.first + options.streams; keyAt++) {
    const index = keyAt + options.streams
    if (!isSign(call, index, DOLLAR) && !isSign(call, index, PLUS)) continue
    resolve(call, keyAt, streamAt(call, keyAt))
    replaced.set(index, fromLatin1(id.toString()))
  }
  return replaced
}

function read(call: Call, blocker: Blocker, ofGroup: boolean): void {
  const { reply, keyspace } = call
  call.effects.suppress()
  if (!options.read(call, ofGroup) || !check(call)) return
  const serving: Serving = { mark: null, count: 0 }
  for (let keyAt = options.first; keyAt < options.first + options.streams; keyAt++) {
    const entry = streamAt(call, keyAt)
    if (entry === NONE) continue
    resolve(call, keyAt, entry)
    const root = keyspace.streams.rootOf(entry)
    if (ofGroup) serveConsumer(call, serving, keyAt, entry, root)
    else serveStream(call, serving, keyAt, root)
  }
  if (serving.mark !== null) {
    if (reply.version === 3) reply.endMap(serving.mark, serving.count)
    else reply.endArray(serving.mark, serving.count)
    return
  }
  const { timeoutMs, first, streams } = options
  if (timeoutMs < 0) return reply.nullArray()
  if (!blocker.block(call, Type.STREAM, first, streams, timeoutMs, ofGroup, settled(call))) reply.nullArray()
}

export const streamReadingCommands = (blocker: Blocker): readonly Command[] =>
  group('stream', {
    XREAD: {
      summary: 'Gives the entries of streams after given ids, waiting for one if there is none.',
      since: '5.0.0',
      complexity: 'O(N) a stream, N entries returned',
      flags: Flag.READONLY | Flag.BLOCKING,
      args: [
        optional(integer('COUNT count')),
        optional(integer('BLOCK milliseconds')),
        block('STREAMS streams', many(key('RO access')), many(string('id'))),
      ],
      run: (call) => read(call, blocker, false),
    },
    XREADGROUP: {
      summary: 'Gives entries of streams to a consumer of a group, waiting for one if there is none.',
      since: '5.0.0',
      complexity: 'O(M) a stream, M entries returned',
      flags: Flag.WRITE | Flag.BLOCKING,
      args: [
        block('GROUP group-block', string('group'), string('consumer')),
        optional(integer('COUNT count')),
        optional(integer('BLOCK milliseconds')),
        optional('NOACK'),
        block('STREAMS streams', many(key('RO access')), many(string('id'))),
      ],
      run: (call) => read(call, blocker, true),
    },
  } satisfies CommandGroup)
