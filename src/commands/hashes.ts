/* The hash commands, but for those that choose fields at random or walk through them: hashes-walks.ts. */
import { HashEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { expireMet, tellExpired } from '../keyspace/field-expiry.ts'
import { fromLatin1 } from '../lib/bytes.ts'
import { addInt64, INT64_LEN_MAX, type Int64, int64Length, parseInt64, writeInt64 } from '../lib/int64.ts'
import {
  addLongDouble,
  formatLongDouble,
  fromDouble,
  isFiniteLongDouble,
  type LongDouble,
  parseLongDouble,
} from '../lib/long-double.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  HASH_NOT_FLOAT,
  HASH_NOT_INTEGER,
  INCREMENT_NAN,
  INCREMENT_OVERFLOW,
  NAN_OR_INFINITY,
  NOT_FLOAT,
  NOT_INTEGER,
  wrongArity,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { block, type CommandGroup, double, Flag, group, integer, key, many, string } from './definition.ts'

const ZERO = fromDouble(0)!
const digits = new Uint8Array(INT64_LEN_MAX)

/** The hash at the key of argument 1, an empty one if there is none: to be filled at once. REFUSED after replying
 *  WRONGTYPE. Allocates. */
function hashFor(call: Call): Ref {
  const found = call.writeKey(1, Type.HASH)
  if (found !== NONE) return found
  const entry = call.keyspace.hashes.create(HashEncoding.LISTPACK, call.bytes, call.posOf(1), call.lenOf(1))
  call.db.insert(entry)
  return entry
}

/** The field of argument `index` was looked for and not found: if it is there, past its time, it goes. Whether the hash
 *  has gone with it. */
function dropMet(call: Call, entry: Ref, index: number): boolean {
  return takeMet(call, entry, index) && tellExpired(call.db, entry, call.db.hash)
}

/** As `dropMet`, but `tellExpired` is to follow if this answers that the field has gone. */
export function takeMet(call: Call, entry: Ref, index: number): boolean {
  if (!call.keyspace.hashes.hasMetPast(entry)) return false
  return expireMet(call.db, entry, call.bytes, call.posOf(index), call.lenOf(index))
}

/** Sets the pairs from argument 2 on; returns how many fields are new, or -1 after replying an error. */
function setPairs(call: Call, command: string): number {
  const { keyspace, bytes, pos, len, argc } = call
  const { hashes } = keyspace
  if (argc % 2 === 1) {
    call.reply.error(wrongArity(command))
    return -1
  }
  const entry = hashFor(call)
  if (entry === REFUSED) return -1
  hashes.expect(entry, len, 2, argc)
  let created = 0
  for (let index = 2; index < argc; index += 2) {
    // biome-ignore format: the two ranges read better in a row
    const isNew = hashes.set(
      entry, bytes, pos[index]!, len[index]!, bytes, pos[index + 1]!, len[index + 1]!,
    )
    if (isNew) created++
  }
  keyspace.dirty += (argc - 2) / 2 - 1
  call.changed(1, Event.HSET)
  return created
}

function hset(call: Call): void {
  const created = setPairs(call, 'hset')
  if (created >= 0) call.reply.integer(created)
}

function hmset(call: Call): void {
  if (setPairs(call, 'hmset') >= 0) call.reply.ok()
}

function hsetnx(call: Call): void {
  const { keyspace, bytes, pos, len } = call
  const { hashes } = keyspace
  let entry = hashFor(call)
  if (entry === REFUSED) return
  if (hashes.has(entry, bytes, pos[2]!, len[2]!)) return call.reply.integer(0)
  if (dropMet(call, entry, 2)) entry = hashFor(call)
  hashes.expect(entry, len, 2, 4)
  hashes.set(entry, bytes, pos[2]!, len[2]!, bytes, pos[3]!, len[3]!)
  call.changed(1, Event.HSET)
  call.reply.integer(1)
}

/** Replies with the value of the field that an argument names, of a hash or NONE; whether there is one. */
export function replyValue(call: Call, entry: Ref, index: number): boolean {
  const { hashes } = call.keyspace
  if (entry === NONE || !hashes.find(entry, call.bytes, call.posOf(index), call.lenOf(index))) {
    call.reply.nullBulk()
    return false
  }
  if (hashes.isInteger) call.reply.bulkInteger(hashes.integer)
  else call.reply.bulk(hashes.bytes, hashes.pos, hashes.len)
  return true
}

function hget(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry !== REFUSED && !replyValue(call, entry, 2) && entry !== NONE) dropMet(call, entry, 2)
}

function hmget(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  call.reply.array(call.argc - 2)
  let expired = 0
  for (let index = 2; index < call.argc; index++) {
    if (!replyValue(call, entry, index) && entry !== NONE && takeMet(call, entry, index)) expired++
  }
  if (expired > 0) tellExpired(call.db, entry, call.db.hash)
}

function hexists(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  const found = entry !== NONE && call.keyspace.hashes.has(entry, call.bytes, call.posOf(2), call.lenOf(2))
  if (!found && entry !== NONE) dropMet(call, entry, 2)
  call.reply.integer(found ? 1 : 0)
}

function hstrlen(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  const { hashes } = call.keyspace
  if (entry === NONE || !hashes.find(entry, call.bytes, call.posOf(2), call.lenOf(2))) {
    if (entry !== NONE) dropMet(call, entry, 2)
    return call.reply.integer(0)
  }
  call.reply.integer(hashes.isInteger ? int64Length(hashes.integer) : hashes.len)
}

function hlen(call: Call): void {
  const entry = call.readKey(1, Type.HASH)
  if (entry === REFUSED) return
  call.reply.integer(entry === NONE ? 0 : call.keyspace.hashes.size(entry))
}

function hdel(call: Call): void {
  const entry = call.writeKey(1, Type.HASH)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const { keyspace, bytes, pos, len, argc } = call
  const { hashes } = keyspace
  let deleted = 0
  let empty = false
  for (let index = 2; index < argc && !empty; index++) {
    if (!hashes.delete(entry, bytes, pos[index]!, len[index]!)) continue
    deleted++
    empty = hashes.size(entry) === 0
  }
  if (empty) call.db.remove(entry)
  if (deleted > 0) {
    keyspace.dirty += deleted - 1
    call.changed(1, Event.HDEL)
    if (empty) call.tell(1, Event.DEL)
  }
  call.reply.integer(deleted)
}

/** The value that `find` met as an integer, or undefined if it is none. */
function foundInteger(call: Call): Int64 | undefined {
  const { hashes } = call.keyspace
  return hashes.isInteger ? hashes.integer : parseInt64(hashes.bytes, hashes.pos, hashes.len)
}

function hincrby(call: Call): void {
  const { reply, keyspace, bytes, pos, len } = call
  const { hashes } = keyspace
  const increment = call.integer(3)
  if (increment === undefined) return reply.error(NOT_INTEGER)
  let entry = hashFor(call)
  if (entry === REFUSED) return
  let old: Int64 | undefined = 0
  if (hashes.find(entry, bytes, pos[2]!, len[2]!)) old = foundInteger(call)
  else if (dropMet(call, entry, 2)) entry = hashFor(call)
  if (old === undefined) return reply.error(HASH_NOT_INTEGER)
  const value = addInt64(old, increment)
  if (value === undefined) return reply.error(INCREMENT_OVERFLOW)
  hashes.set(entry, bytes, pos[2]!, len[2]!, digits, 0, writeInt64(value, digits, 0), true)
  call.changed(1, Event.HINCRBY)
  reply.integer(value)
}

/** The value that `find` met as a fraction, or undefined if it is none. */
function foundFraction(call: Call): LongDouble | undefined {
  const { hashes } = call.keyspace
  if (!hashes.isInteger) return parseLongDouble(hashes.bytes, hashes.pos, hashes.len)
  return parseLongDouble(digits, 0, writeInt64(hashes.integer, digits, 0))
}

function hincrbyfloat(call: Call): void {
  const { reply, keyspace, bytes, pos, len } = call
  const { hashes } = keyspace
  const increment = parseLongDouble(bytes, pos[3]!, len[3]!)
  if (increment === undefined) return reply.error(NOT_FLOAT)
  if (!isFiniteLongDouble(increment)) return reply.error(NAN_OR_INFINITY)
  let entry = hashFor(call)
  if (entry === REFUSED) return
  let old: LongDouble | undefined = ZERO
  if (hashes.find(entry, bytes, pos[2]!, len[2]!)) old = foundFraction(call)
  else if (dropMet(call, entry, 2)) entry = hashFor(call)
  if (old === undefined) return reply.error(HASH_NOT_FLOAT)
  const value = addLongDouble(old, increment)
  if (value === undefined) return reply.error(INCREMENT_NAN)
  const text = fromLatin1(formatLongDouble(value))
  hashes.set(entry, bytes, pos[2]!, len[2]!, text, 0, text.length, true)
  call.changed(1, Event.HINCRBYFLOAT)
  if (call.effects.listening) tellFraction(call, entry, text)
  reply.bulk(text, 0, text.length)
}

/** As the value that came of it, which must not depend on how fractions are added. A field keeps its expiry. */
function tellFraction(call: Call, entry: Ref, text: Uint8Array): void {
  const { effects } = call
  if (call.keyspace.entries.hasExpiringFields(entry)) {
    effects.begin(call, 7).word('HSETEX').argument(call, 1).word('KEEPTTL').word('FIELDS').integer(1)
  } else effects.begin(call, 4).word('HSET').argument(call, 1)
  effects.argument(call, 2).bulk(text, 0, text.length)
}

export const hashCommands = group('hash', {
  HDEL: {
    summary: 'Deletes fields of a hash.',
    since: '2.0.0',
    complexity: 'O(N), N fields given',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW delete'), many(string('field'))],
    history: [['2.4.0', 'Several `field` arguments.']],
    memberAt: 2,
    run: hdel,
  },
  HEXISTS: {
    summary: 'Tells whether a hash has a field.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO'), string('field')],
    memberAt: 2,
    run: hexists,
  },
  HGET: {
    summary: 'Gives the value of a field.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), string('field')],
    memberAt: 2,
    run: hget,
  },
  HINCRBY: {
    summary: 'Adds a number to the integer in a field; a missing field counts as 0.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), string('field'), integer('increment')],
    memberAt: 2,
    run: hincrby,
  },
  HINCRBYFLOAT: {
    summary: 'Adds a fraction to the number in a field; a missing field counts as 0.',
    since: '2.6.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), string('field'), double('increment')],
    memberAt: 2,
    run: hincrbyfloat,
  },
  HLEN: {
    summary: 'Counts the fields of a hash.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: hlen,
  },
  HMGET: {
    summary: 'Gives the values of several fields.',
    since: '2.0.0',
    complexity: 'O(N), N fields given',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), many(string('field'))],
    memberAt: 2,
    run: hmget,
  },
  HMSET: {
    summary: 'Sets several fields of a hash.',
    since: '2.0.0',
    complexity: 'O(N), N fields given',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW update'), many(block('data', string('field'), string('value')))],
    deprecated: { since: '4.0.0', use: '`HSET` with multiple field-value pairs' },
    memberAt: 2,
    run: hmset,
  },
  HSET: {
    summary: 'Sets fields of a hash, creating it if there is none.',
    since: '2.0.0',
    complexity: 'O(1) a field',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW update'), many(block('data', string('field'), string('value')))],
    history: [['4.0.0', 'Several fields in one call.']],
    memberAt: 2,
    run: hset,
  },
  HSETNX: {
    summary: 'Sets a field unless it exists.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), string('field'), string('value')],
    memberAt: 2,
    run: hsetnx,
  },
  HSTRLEN: {
    summary: "Gives the length of a field's value.",
    since: '3.2.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO'), string('field')],
    memberAt: 2,
    run: hstrlen,
  },
} satisfies CommandGroup)
