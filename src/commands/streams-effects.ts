/* How what groups do is told to be done again (effects.ts): by its outcome, since what a group is given depends on when
 * it asks. And creating consumers, which many commands do by the way.
 *
 *   XREADGROUP, XCLAIM, XAUTOCLAIM   ->   XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n FORCE JUSTID LASTID id
 *   … that gave nothing pending      ->   XGROUP SETID key group id ENTRIESREAD n
 *   a consumer, with NOACK           ->   XGROUP CREATECONSUMER key group consumer */
import { Event } from '../keyspace/events.ts'
import { StreamId } from '../lib/stream-id.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import type { Call } from './call.ts'
import { tellId } from './streams-ids.ts'

const lastId = new StreamId()

/** The arguments that name a group: the stream's key, the group's name. */
export interface GroupArguments {
  readonly key: number
  readonly group: number
}

function tellName(call: Call, block: Ref): void {
  const { groups } = call.keyspace.streams
  call.effects.bulk(groups.memory.bytesOf(block), groups.namePos(block), groups.nameLen(block))
}

/** Tells of the pending entry that the groups' place is on, and of what the group was given last. */
export function tellClaim(call: Call, at: GroupArguments, group: Ref, id: StreamId): void {
  const { effects } = call
  if (!effects.listening) return
  const { groups } = call.keyspace.streams
  effects.begin(call, 14).word('XCLAIM').argument(call, at.key).argument(call, at.group)
  tellName(call, groups.owner(group))
  effects.word('0')
  tellId(call, id)
  effects.word('TIME').integer(groups.deliveredAt).word('RETRYCOUNT').integer(groups.deliveries)
  effects.word('FORCE').word('JUSTID').word('LASTID')
  tellId(call, groups.lastId(group, lastId))
}

/** Tells of what the group was given last, of which nothing is pending. */
export function tellGroupId(call: Call, at: GroupArguments, group: Ref): void {
  const { effects } = call
  if (!effects.listening) return
  const { groups } = call.keyspace.streams
  effects.begin(call, 7).word('XGROUP').word('SETID').argument(call, at.key).argument(call, at.group)
  tellId(call, groups.lastId(group, lastId))
  effects.word('ENTRIESREAD').integer(groups.entriesRead(group))
}

export function tellConsumer(call: Call, at: GroupArguments, consumer: Ref): void {
  const { effects } = call
  if (!effects.listening) return
  effects.begin(call, 5).word('XGROUP').word('CREATECONSUMER').argument(call, at.key).argument(call, at.group)
  tellName(call, consumer)
}

/** The consumer that an argument names, which is made if there is none. Allocates. */
export function ensureConsumer(call: Call, at: GroupArguments, group: Ref, nameAt: number): Ref {
  const { groups } = call.keyspace.streams
  const pos = call.posOf(nameAt)
  const len = call.lenOf(nameAt)
  const found = groups.consumer(group, call.bytes, pos, len)
  if (found !== NONE) return found
  const consumer = groups.addConsumer(group, call.bytes, pos, len, call.keyspace.now)
  call.changed(at.key, Event.XGROUP_CREATECONSUMER)
  return consumer
}
