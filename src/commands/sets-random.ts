/* SPOP and SRANDMEMBER: members at random, each set of them as likely as any other of its size. Nothing is copied to
 * choose from: of a small set, or when many are wanted, members are chosen while walking past them (Knuth's algorithm
 * S); few of many are drawn one by one, and drawn again if they have been met. */
import { SetEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import type { SetWalk } from '../keyspace/set-walk.ts'
import { Distinct } from '../lib/distinct.ts'
import { compareInt64, INT64_MIN, type Int64, toNumber } from '../lib/int64.ts'
import { randomBelow } from '../lib/random.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { COUNT_OUT_OF_RANGE, NOT_INTEGER, NOT_POSITIVE, SYNTAX } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, optional, Taking } from './definition.ts'
import { replyMember, replyMembers } from './sets.ts'

/** From one in so many members on, they are chosen by walking past all: a draw costs about as much as so many steps. */
const WALKED_FROM = 8
/** Popping more than all but a fifth: it is cheaper to keep the few that remain (as Redis decides it). */
const KEPT_FACTOR = 5

/** Members to an SREM that tells of them. */
const TOLD_MAX = 1024

const distinct = new Distinct()

function spop(call: Call): void {
  if (call.argc === 3) return popSeveral(call)
  if (call.argc > 3) return call.reply.error(SYNTAX)
  const entry = call.writeKey(1, Type.SET)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.nullBulk()
  const { sets } = call.keyspace
  sets.pick(entry)
  call.reply.bulk(sets.bytes, sets.pos, sets.len)
  if (call.effects.listening) {
    call.effects.begin(call, 3).word('SREM').argument(call, 1).bulk(sets.bytes, sets.pos, sets.len)
  }
  sets.removePicked(entry)
  const empty = sets.size(entry) === 0
  if (empty) call.db.remove(entry)
  call.taken(1, Event.SPOP, empty)
}

function popSeveral(call: Call): void {
  const { keyspace, db, reply } = call
  const { sets, entries } = keyspace
  const given = call.integer(2)
  if (given === undefined || compareInt64(given, 0) < 0) return reply.error(NOT_POSITIVE)
  const entry = call.writeKey(1, Type.SET)
  if (entry === REFUSED) return
  if (entry === NONE || given === 0) return reply.set(0)
  const size = sets.size(entry)
  const count = Math.min(toNumber(given), size)
  reply.set(count)
  if (count === size) {
    keyspace.stats.hits++ // Redis looks the set up once more to reply with it
    replyMembers(call, entry)
    db.remove(entry)
    const { effects } = call
    if (effects.listening)
      effects
        .begin(call, 2)
        .word(effects.lazyDelete ? 'UNLINK' : 'DEL')
        .argument(call, 1)
  } else if (entries.encoding(entry) === SetEncoding.LISTPACK) popWalking(call, entry, count)
  else if ((size - count) * KEPT_FACTOR > count) popEach(call, entry, count)
  else popAllBut(call, entry, size - count)
  keyspace.dirty += count - 1
  call.taken(1, Event.SPOP, count === size)
}

/** Tells of a member popped, of which `left` are to come, this one counted: as one of an SREM of some of them. */
function tellPopped(call: Call, count: number, left: number, bytes: Uint8Array, pos: number, len: number): void {
  const { effects } = call
  if ((count - left) % TOLD_MAX === 0) {
    effects
      .begin(call, Math.min(left, TOLD_MAX) + 2)
      .word('SREM')
      .argument(call, 1)
  }
  effects.bulk(bytes, pos, len)
}

function popEach(call: Call, entry: Ref, count: number): void {
  const { sets } = call.keyspace
  const told = call.effects.listening
  for (let left = count; left > 0; left--) {
    sets.pick(entry)
    call.reply.bulk(sets.bytes, sets.pos, sets.len)
    if (told) tellPopped(call, count, left, sets.bytes, sets.pos, sets.len)
    sets.removePicked(entry)
  }
}

function tellWalked(call: Call, walk: SetWalk, count: number, left: number): void {
  walk.locate()
  tellPopped(call, count, left, walk.bytes, walk.pos, walk.len)
}

/** Of a listpack: its members are passed once, and those chosen are deleted at once. */
function popWalking(call: Call, entry: Ref, count: number): void {
  const { sets } = call.keyspace
  const { walk } = sets
  const places = new Int32Array(count)
  let chosen = 0
  walk.begin(entry)
  for (let unseen = sets.size(entry); chosen < count; unseen--) {
    const place = walk.place
    walk.next()
    if (randomBelow(unseen) >= count - chosen) continue
    replyMember(call, walk)
    if (call.effects.listening) tellWalked(call, walk, count, count - chosen)
    places[chosen++] = place
  }
  sets.removePlaces(entry, places)
}

/** Takes out those that remain, replies with the others, and frees them. */
function popAllBut(call: Call, entry: Ref, remaining: number): void {
  const { sets, entries } = call.keyspace
  const isIntset = entries.encoding(entry) === SetEncoding.INTSET
  const kept = sets.create(isIntset ? SetEncoding.INTSET : SetEncoding.LISTPACK, call.bytes, 0, 0)
  for (let left = remaining; left > 0; left--) {
    sets.pick(entry)
    sets.add(kept, sets.bytes, sets.pos, sets.len) // finds no such member there: what was picked stays found
    sets.removePicked(entry)
  }
  replyMembers(call, entry)
  if (call.effects.listening) {
    const { walk } = sets
    const count = sets.size(entry)
    walk.begin(entry)
    for (let left = count; walk.next(); left--) tellWalked(call, walk, count, left)
  }
  sets.exchange(entry, kept)
  call.keyspace.freeEntry(kept)
}

function srandmember(call: Call): void {
  const { reply } = call
  if (call.argc > 3) return reply.error(SYNTAX)
  const count = call.argc === 3 ? randomCount(call, 2) : 0
  if (count === undefined) return
  const entry = call.readKey(1, Type.SET)
  if (entry === REFUSED) return
  if (call.argc === 3) return entry === NONE || count === 0 ? reply.array(0) : replyRandom(call, entry, count)
  if (entry === NONE) return reply.nullBulk()
  const { sets } = call.keyspace
  sets.pick(entry)
  reply.bulk(sets.bytes, sets.pos, sets.len)
}

/** A count that may be negative, of which repetitions are wanted then; undefined after replying what is wrong. */
export function randomCount(call: Call, index: number): Int64 | undefined {
  const count = call.integer(index)
  if (count === undefined) call.reply.error(NOT_INTEGER)
  else if (count === INT64_MIN) call.reply.error(COUNT_OUT_OF_RANGE)
  else return count
  return undefined
}

function replyRandom(call: Call, entry: Ref, given: Int64): void {
  const { reply } = call
  const { sets, entries } = call.keyspace
  const size = sets.size(entry)
  const count = toNumber(given)
  if (count < 0) return replyDraws(call, entry, -count)
  reply.array(Math.min(count, size))
  if (count >= size) replyMembers(call, entry)
  else if (entries.encoding(entry) === SetEncoding.LISTPACK || count * WALKED_FROM > size) {
    replyWalking(call, entry, size, count)
  } else {
    distinct.begin(count)
    for (let left = count; left > 0 && !reply.overflowed; ) {
      if (!distinct.meet(sets.pick(entry))) continue
      reply.bulk(sets.bytes, sets.pos, sets.len)
      left--
    }
  }
}

/** Replies with so many members, drawn each from all. */
function replyDraws(call: Call, entry: Ref, count: number): void {
  const { reply } = call
  const { sets } = call.keyspace
  reply.array(count)
  for (let left = count; left > 0 && !reply.overflowed; left--) {
    sets.pick(entry)
    reply.bulk(sets.bytes, sets.pos, sets.len)
  }
}

function replyWalking(call: Call, entry: Ref, size: number, count: number): void {
  const { walk } = call.keyspace.sets
  walk.begin(entry)
  for (let unseen = size, left = count; left > 0 && !call.reply.overflowed; unseen--) {
    walk.next()
    if (randomBelow(unseen) >= left) continue
    replyMember(call, walk)
    left--
  }
}

export const setRandomCommands = group('set', {
  SPOP: {
    summary: 'Takes members out of a set at random.',
    since: '1.0.0',
    complexity: 'O(N), N members returned',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete'), optional(integer('count', { since: '3.2.0' }))],
    history: [['3.2.0', 'The count.']],
    tips: ['nondeterministic_output'],
    takes: Taking.ANY,
    run: spop,
  },
  SRANDMEMBER: {
    summary: 'Gives members of a set picked at random.',
    since: '1.0.0',
    complexity: 'O(N), N members returned',
    flags: Flag.READONLY,
    args: [key('RO access'), optional(integer('count', { since: '2.6.0' }))],
    history: [['2.6.0', 'The count.']],
    tips: ['nondeterministic_output'],
    run: srandmember,
  },
} satisfies CommandGroup)
