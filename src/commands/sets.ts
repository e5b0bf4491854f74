/* The set commands that concern single members or one whole set. Sets with sets are in sets-algebra.ts, random members
 * in sets-random.ts. */
import { SetEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import type { SetWalk } from '../keyspace/set-walk.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { INVALID_CURSOR, WRONG_TYPE } from '../protocol/errors.ts'
import { keyLenOf, keyPosOf } from '../structures/entry-head.ts'
import { type Call, REFUSED } from './call.ts'
import { CollectionScan } from './collection-scan.ts'
import { type CommandGroup, Flag, group, integer, key, many, optional, pattern, string } from './definition.ts'
import { cursorOf } from './keys-scan.ts'
import { replyListpack } from './listpack-reply.ts'

const scan = new CollectionScan()

function sadd(call: Call): void {
  const found = call.writeKey(1, Type.SET)
  if (found === REFUSED) return
  const { keyspace, bytes, pos, len, argc } = call
  const { sets } = keyspace
  let entry = found
  if (found === NONE) {
    const encoding = sets.encodingFor(bytes, pos[2]!, len[2]!, argc - 2)
    entry = addSet(call, 1, encoding, argc - 2)
  } else sets.expect(found, argc - 2)
  let added = 0
  for (let index = 2; index < argc; index++) if (sets.add(entry, bytes, pos[index]!, len[index]!)) added++
  if (added > 0) {
    keyspace.dirty += added - 1
    call.changed(1, Event.SADD)
  }
  call.reply.integer(added)
}

/** Adds an empty set for the key last looked up, that of an argument, which must not be there. Allocates. */
function addSet(call: Call, index: number, encoding: number, expected: number): Ref {
  const { sets } = call.keyspace
  const entry = sets.create(encoding, call.bytes, call.posOf(index), call.lenOf(index), expected)
  call.db.insert(entry)
  return entry
}

function srem(call: Call): void {
  const entry = call.writeKey(1, Type.SET)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const { keyspace, bytes, pos, len, argc } = call
  const { sets } = keyspace
  let removed = 0
  let empty = false
  for (let index = 2; index < argc && !empty; index++) {
    if (!sets.remove(entry, bytes, pos[index]!, len[index]!)) continue
    removed++
    empty = sets.size(entry) === 0
  }
  if (empty) call.db.remove(entry)
  if (removed > 0) {
    keyspace.dirty += removed - 1
    call.changed(1, Event.SREM)
    if (empty) call.tell(1, Event.DEL)
  }
  call.reply.integer(removed)
}

function smove(call: Call): void {
  const { db, keyspace, bytes, reply } = call
  const { sets, entries } = keyspace
  const [pos, len] = [call.posOf(3), call.lenOf(3)]
  const source = db.lookupWrite(bytes, call.posOf(1), call.lenOf(1))
  // Redis looks the other key up as well before it says anything.
  const target = db.lookupWrite(bytes, call.posOf(2), call.lenOf(2))
  if (source === NONE) return reply.integer(0)
  if (entries.type(source) !== Type.SET) return reply.error(WRONG_TYPE)
  if (target !== NONE && entries.type(target) !== Type.SET) return reply.error(WRONG_TYPE)
  if (source === target) return reply.integer(sets.has(source, bytes, pos, len) ? 1 : 0)
  if (!sets.remove(source, bytes, pos, len)) return reply.integer(0)
  const empty = sets.size(source) === 0
  if (empty) db.remove(db.lookup(bytes, call.posOf(1), call.lenOf(1)))
  call.taken(1, Event.SMOVE, empty)
  let set = target
  if (target === NONE) {
    db.lookup(bytes, call.posOf(2), call.lenOf(2))
    set = addSet(call, 2, sets.encodingFor(bytes, pos, len, 1), 1)
  }
  if (sets.add(set, bytes, pos, len)) call.changed(2, Event.SADD)
  reply.integer(1)
}

function sismember(call: Call): void {
  const entry = call.readKey(1, Type.SET)
  if (entry === REFUSED) return
  const { keyspace, bytes } = call
  const isMember = entry !== NONE && keyspace.sets.has(entry, bytes, call.posOf(2), call.lenOf(2))
  call.reply.integer(isMember ? 1 : 0)
}

function smismember(call: Call): void {
  const entry = call.readKey(1, Type.SET)
  if (entry === REFUSED) return
  const { keyspace, reply, bytes, pos, len, argc } = call
  const { sets } = keyspace
  reply.array(argc - 2)
  for (let index = 2; index < argc; index++) {
    reply.integer(entry !== NONE && sets.has(entry, bytes, pos[index]!, len[index]!) ? 1 : 0)
  }
}

function scard(call: Call): void {
  const entry = call.readKey(1, Type.SET)
  if (entry === REFUSED) return
  call.reply.integer(entry === NONE ? 0 : call.keyspace.sets.size(entry))
}

/** Replies with the member at which a walk is. */
export function replyMember(call: Call, walk: SetWalk): void {
  if (walk.isInteger) call.reply.bulkInteger(walk.integer)
  else call.reply.bulk(walk.bytes, walk.pos, walk.len)
}

/** Replies with all members, without a header. */
export function replyMembers(call: Call, entry: Ref): void {
  const { sets, entries, listpacks } = call.keyspace
  const { walk } = sets
  if (entries.encoding(entry) === SetEncoding.LISTPACK) {
    const root = entries.value(entry) as Ref
    replyListpack(call, root, listpacks.first(root), listpacks.count(root))
    return
  }
  for (walk.begin(entry); walk.next(); ) {
    replyMember(call, walk)
    if (call.reply.overflowed) return
  }
}

function smembers(call: Call): void {
  const entry = call.readKey(1, Type.SET)
  if (entry === REFUSED) return
  call.reply.set(entry === NONE ? 0 : call.keyspace.sets.size(entry))
  if (entry !== NONE) replyMembers(call, entry)
}

function sscan(call: Call): void {
  const { reply, keyspace } = call
  const { sets, entries, memory } = keyspace
  const cursor = cursorOf(call, 2)
  if (cursor === undefined) return reply.error(INVALID_CURSOR)
  const entry = call.readKey(1, Type.SET)
  if (entry === REFUSED) return
  if (entry === NONE) return replyNothing(call)
  if (!scan.parse(call, false)) return
  if (entries.encoding(entry) !== SetEncoding.TABLE) return scanSmall(call, entry)
  scan.walk(call, memory, sets.table, entries.value(entry) as Ref, cursor)
  reply.array(2)
  reply.bulkInteger(scan.cursor)
  reply.array(scan.metCount)
  for (let index = 0; index < scan.metCount; index++) {
    const member = scan.met[index]! as Ref
    reply.bulk(memory.bytesOf(member), keyPosOf(memory, member), keyLenOf(memory, member))
  }
  scan.end()
}

/** The reply of a scan of nothing. */
export function replyNothing(call: Call): void {
  call.reply.array(2)
  call.reply.bulkInteger(0)
  call.reply.array(0)
}

function scanSmall(call: Call, entry: Ref): void {
  const { reply } = call
  const { walk } = call.keyspace.sets
  let count = 0
  reply.array(2)
  reply.bulkInteger(0)
  const mark = reply.begin()
  for (walk.begin(entry); walk.next(); ) {
    walk.locate()
    if (!scan.matches(call, walk.bytes, walk.pos, walk.len)) continue
    reply.bulk(walk.bytes, walk.pos, walk.len)
    count++
  }
  reply.endArray(mark, count)
}

export const setCommands = group('set', {
  SADD: {
    summary: 'Adds members to a set, creating it if there is none.',
    since: '1.0.0',
    complexity: 'O(1) a member',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), many(string('member'))],
    history: [['2.4.0', 'Several `member` arguments.']],
    memberAt: 2,
    run: sadd,
  },
  SCARD: {
    summary: 'Counts the members of a set.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: scard,
  },
  SISMEMBER: {
    summary: 'Tells whether a set has a member.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO'), string('member')],
    memberAt: 2,
    run: sismember,
  },
  SMEMBERS: {
    summary: 'Gives all members of a set.',
    since: '1.0.0',
    complexity: 'O(N), N members',
    flags: Flag.READONLY,
    args: [key('RO access')],
    tips: ['nondeterministic_output_order'],
    run: smembers,
  },
  SMISMEMBER: {
    summary: 'Tells of several members whether a set has them.',
    since: '6.2.0',
    complexity: 'O(N), N members asked for',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), many(string('member'))],
    run: smismember,
  },
  SMOVE: {
    summary: 'Moves a member from one set to another.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete', 'source'), key('RW insert', 'destination'), string('member')],
    run: smove,
  },
  SREM: {
    summary: 'Removes members from a set.',
    since: '1.0.0',
    complexity: 'O(N), N members given',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW delete'), many(string('member'))],
    history: [['2.4.0', 'Several `member` arguments.']],
    memberAt: 2,
    run: srem,
  },
  SSCAN: {
    summary: 'Walks through the members of a set, a few at a time.',
    since: '2.8.0',
    complexity: 'O(1) a call, O(N) for a whole iteration, N elements',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('cursor'), optional(pattern('MATCH pattern')), optional(integer('COUNT count'))],
    tips: ['nondeterministic_output'],
    run: sscan,
  },
} satisfies CommandGroup)
