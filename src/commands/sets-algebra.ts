/* The set commands that make one set of several: intersection, union, difference; and those that store what comes of
 * it. A key that is not there is an empty set.
 *
 * A result that is to be stored, or that cannot be told while it is worked out, is an entry in no database yet. */
import { SetEncoding, Type } from '../keyspace/entry.ts'
import { Event, type KeyEvent } from '../keyspace/events.ts'
import { compareInt64, parseInt64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { LIMIT_NEGATIVE, NUMKEYS_NOT_POSITIVE, SYNTAX, TOO_MANY_NUMKEYS } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, many, optional } from './definition.ts'
import { replyMember, replyMembers } from './sets.ts'

/** The sets at the keys of the arguments from `first` up to `after`, NONE where there is none; null after replying that
 *  one of them is no set. */
function setsOf(call: Call, first: number, after: number): Int32Array | null {
  const found = new Int32Array(after - first)
  for (let index = first; index < after; index++) {
    const entry = call.readKey(index, Type.SET)
    if (entry === REFUSED) return null
    found[index - first] = entry
  }
  return found
}

/** An empty set that is in no database, under the name of argument 1. Allocates. */
function newSet(call: Call, encoding: number): Ref {
  return call.keyspace.sets.create(encoding, call.bytes, call.posOf(1), call.lenOf(1))
}

/** Puts the result at the key of argument 1, or, if it is empty, deletes that; replies with its size. */
function store(call: Call, result: Ref, event: KeyEvent): void {
  const { keyspace, db } = call
  const size = result === NONE ? 0 : keyspace.sets.size(result)
  const found = db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  if (size > 0) {
    db.put(found, result)
    call.changed(1, event)
  } else {
    if (result !== NONE) keyspace.freeEntry(result)
    if (found !== NONE) {
      db.remove(found)
      call.changed(1, Event.DEL)
    }
  }
  call.reply.integer(size)
}

// Intersection.

/** The sets with the smallest first, so that the fewest members are looked at; null if the intersection is empty. */
function smallestFirst(call: Call, found: Int32Array): Int32Array | null {
  if (found.includes(NONE)) return null
  const { sets } = call.keyspace
  return found.sort((a, b) => sets.size(a as Ref) - sets.size(b as Ref))
}

/** Begins the walk through the first of the sets, of members that all others have, or that none has (`isIn`); returns
 *  those others that the walk cannot ask itself. */
function beginAmong(call: Call, first: Ref, others: Int32Array, isIn: boolean): Int32Array {
  const { sets } = call.keyspace
  sets.walk.begin(first)
  return others.filter((set) => !sets.walk.filterBy(sets.tableOf(set as Ref), isIn))
}

/** Goes on to the next member that all of `asked` have, or that none of them has; false at the end. */
function nextAmong(call: Call, asked: Int32Array, isIn: boolean): boolean {
  const { sets } = call.keyspace
  const { walk } = sets
  while (walk.next()) {
    let index = 0
    while (index < asked.length && sets.hasWalked(asked[index]! as Ref, walk) === isIn) index++
    if (index === asked.length) return true
  }
  return false
}

/** Begins the walk through what is common to sets. */
function beginCommon(call: Call, found: Int32Array): Int32Array {
  const first = found[0]! as Ref
  return beginAmong(
    call,
    first,
    found.filter((set) => set !== first),
    true,
  )
}

function sinter(call: Call): void {
  const { reply } = call
  const { walk } = call.keyspace.sets
  const given = setsOf(call, 1, call.argc)
  if (given === null) return
  const found = smallestFirst(call, given)
  if (found === null) return reply.set(0)
  let count = 0
  const mark = reply.begin()
  const asked = beginCommon(call, found)
  for (; nextAmong(call, asked, true) && !reply.overflowed; count++) replyMember(call, walk)
  reply.endSet(mark, count)
}

function sintercard(call: Call): void {
  const { reply } = call
  const numkeys = call.integer(1)
  if (numkeys === undefined || compareInt64(numkeys, 1) < 0) return reply.error(NUMKEYS_NOT_POSITIVE)
  if (compareInt64(numkeys, call.argc - 2) > 0) return reply.error(TOO_MANY_NUMKEYS)
  const after = 2 + toNumber(numkeys)
  let limit = 0
  for (let index = after; index < call.argc; index += 2) {
    if (!call.is(index, 'LIMIT') || index + 1 === call.argc) return reply.error(SYNTAX)
    const given = call.integer(index + 1)
    if (given === undefined || compareInt64(given, 0) < 0) return reply.error(LIMIT_NEGATIVE)
    limit = toNumber(given)
  }
  const given = setsOf(call, 2, after)
  if (given === null) return
  const found = smallestFirst(call, given)
  let count = 0
  if (found !== null) {
    const asked = beginCommon(call, found)
    while ((limit === 0 || count < limit) && nextAmong(call, asked, true)) count++
  }
  reply.integer(count)
}

function sinterstore(call: Call): void {
  const { sets, entries } = call.keyspace
  const { walk } = sets
  const given = setsOf(call, 2, call.argc)
  if (given === null) return
  const found = smallestFirst(call, given)
  if (found === null) return store(call, NONE, Event.SINTERSTORE)
  const smallest = found[0]! as Ref
  const isIntset = entries.encoding(smallest) === SetEncoding.INTSET
  const isTable = entries.encoding(smallest) === SetEncoding.TABLE
  const result = newSet(call, isIntset ? SetEncoding.INTSET : SetEncoding.LISTPACK)
  let onlyIntegers = true
  const asked = beginCommon(call, found)
  while (nextAmong(call, asked, true)) {
    onlyIntegers &&= walk.isInteger || (isTable && parseInt64(walk.bytes, walk.pos, walk.len) !== undefined)
    sets.addWalked(result, walk)
  }
  if (onlyIntegers && sets.size(result) > 0) sets.toIntset(result)
  sets.trim(result)
  store(call, result, Event.SINTERSTORE)
}

// Union and difference.

/** Replies with the members of a set that is in no database, and frees it. */
function replyAndFree(call: Call, result: Ref): void {
  call.reply.set(call.keyspace.sets.size(result))
  replyMembers(call, result)
  call.keyspace.freeEntry(result)
}

function unionOf(call: Call, found: Int32Array): Ref {
  const { sets } = call.keyspace
  const { walk } = sets
  const result = newSet(call, SetEncoding.INTSET)
  for (const set of found) {
    if (set === NONE) continue
    for (walk.begin(set as Ref); walk.next(); ) sets.addWalked(result, walk)
  }
  return result
}

function sunion(call: Call): void {
  const found = setsOf(call, 1, call.argc)
  if (found !== null) replyAndFree(call, unionOf(call, found))
}

function sunionstore(call: Call): void {
  const found = setsOf(call, 2, call.argc)
  if (found !== null) store(call, unionOf(call, found), Event.SUNIONSTORE)
}

/** What the first set has and no other: either by looking each of its members up in the others, or by removing theirs
 *  from a copy; whichever promises less work. Lookups have half the weight, since often the first one decides. */
function differenceOf(call: Call, found: Int32Array): Ref {
  const { sets } = call.keyspace
  const result = newSet(call, SetEncoding.INTSET)
  const first = found[0]! as Ref
  if (first === NONE || found.lastIndexOf(first) > 0) return result
  const others = found.filter((set, index) => index > 0 && set !== NONE)
  let total = sets.size(first)
  for (const set of others) total += sets.size(set as Ref)
  if ((sets.size(first) * (others.length + 1)) / 2 <= total) subtractByLookup(call, result, first, others)
  else subtractByRemoval(call, result, first, others)
  return result
}

function subtractByLookup(call: Call, result: Ref, first: Ref, others: Int32Array): void {
  const { sets } = call.keyspace
  const { walk } = sets
  // The largest is the likeliest to have a member.
  others.sort((a, b) => sets.size(b as Ref) - sets.size(a as Ref))
  const asked = beginAmong(call, first, others, false)
  while (nextAmong(call, asked, false)) sets.addWalked(result, walk)
}

function subtractByRemoval(call: Call, result: Ref, first: Ref, others: Int32Array): void {
  const { sets } = call.keyspace
  const { walk } = sets
  for (walk.begin(first); walk.next(); ) sets.addWalked(result, walk)
  for (const set of others) {
    for (walk.begin(set as Ref); walk.next(); ) sets.removeWalked(result, walk)
    if (sets.size(result) === 0) return
  }
}

function sdiff(call: Call): void {
  const found = setsOf(call, 1, call.argc)
  if (found !== null) replyAndFree(call, differenceOf(call, found))
}

function sdiffstore(call: Call): void {
  const found = setsOf(call, 2, call.argc)
  if (found !== null) store(call, differenceOf(call, found), Event.SDIFFSTORE)
}

export const setAlgebraCommands = group('set', {
  SDIFF: {
    summary: 'Gives the members of the first set that no other has.',
    since: '1.0.0',
    complexity: 'O(N), N elements of all the sets',
    flags: Flag.READONLY,
    args: [many(key('RO access'))],
    tips: ['nondeterministic_output_order'],
    run: sdiff,
  },
  SDIFFSTORE: {
    summary: 'Stores the members of the first set that no other has.',
    since: '1.0.0',
    complexity: 'O(N), N elements of all the sets',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('OW update', 'destination'), many(key('RO access'))],
    run: sdiffstore,
  },
  SINTER: {
    summary: 'Gives the members that all sets have.',
    since: '1.0.0',
    complexity: 'O(N*M) at worst, N elements of the smallest set, M sets',
    flags: Flag.READONLY,
    args: [many(key('RO access'))],
    tips: ['nondeterministic_output_order'],
    run: sinter,
  },
  SINTERCARD: {
    summary: 'Counts the members that all sets have.',
    since: '7.0.0',
    complexity: 'O(N*M) at worst, N elements of the smallest set, M sets',
    flags: Flag.READONLY,
    args: [integer('numkeys'), many(key('RO access')), optional(integer('LIMIT limit'))],
    run: sintercard,
  },
  SINTERSTORE: {
    summary: 'Stores the members that all sets have.',
    since: '1.0.0',
    complexity: 'O(N*M) at worst, N elements of the smallest set, M sets',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW update', 'destination'), many(key('RO access'))],
    run: sinterstore,
  },
  SUNION: {
    summary: 'Gives the members that any of the sets has.',
    since: '1.0.0',
    complexity: 'O(N), N elements of all the sets',
    flags: Flag.READONLY,
    args: [many(key('RO access'))],
    tips: ['nondeterministic_output_order'],
    run: sunion,
  },
  SUNIONSTORE: {
    summary: 'Stores the members that any of the sets has.',
    since: '1.0.0',
    complexity: 'O(N), N elements of all the sets',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('OW update', 'destination'), many(key('RO access'))],
    run: sunionstore,
  },
} satisfies CommandGroup)
