/* The string commands that carry the load: GET, SET and their kin, counters, and several keys at once.
 * What changes or reads parts of a string is in strings-ranges.ts, LCS in lcs.ts. */

import { StringEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { addInt64, compareInt64, INT64_MIN, type Int64, negInt64 } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { DECREMENT_OVERFLOW, INCREMENT_OVERFLOW, NOT_INTEGER, SYNTAX, wrongArity } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  many,
  oneOf,
  optional,
  since,
  string,
  token,
  unixTime,
} from './definition.ts'
import { Expiry, expiryOption } from './expiry-options.ts'
import { setKeys } from './introspection/key-extractors.ts'
import { endKeysAhead, keyAhead } from './keys-ahead.ts'

/** The options of the command at hand. */
const expiry = new Expiry()

/** Replies with the string of an entry that is one. */
function replyString(call: Call, entry: Ref): void {
  const strings = call.keyspace.strings
  strings.locate(entry)
  call.reply.bulk(strings.bytes, strings.pos, strings.len)
}

function get(call: Call): void {
  const entry = call.readKey(1, Type.STRING)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.nullBulk()
  replyString(call, entry)
}

/** Stores argument `value` at the key of argument `key`, where `found` is. */
function store(call: Call, key: number, found: Ref, value: number, due: Int64 | undefined): void {
  const { bytes, pos, len } = call
  // biome-ignore format: the two ranges read better in a row
  call.keyspace.strings.store(
    call.db, found, bytes, pos[key]!, len[key]!, bytes, pos[value]!, len[value]!, due,
  )
  call.changed(key, Event.SET)
}

function set(call: Call): void {
  if (call.argc > 3) return setWithOptions(call)
  const found = call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  store(call, 1, found, 2, undefined)
  call.reply.ok()
}

const SetOption = { NX: 1, XX: 2, GET: 4, KEEPTTL: 8 } as const

function setWithOptions(call: Call): void {
  let options = 0
  expiry.clear()
  for (let index = 3; index < call.argc; index++) {
    const next = index + 1 < call.argc
    if (call.is(index, 'NX') && (options & SetOption.XX) === 0) options |= SetOption.NX
    else if (call.is(index, 'XX') && (options & SetOption.NX) === 0) options |= SetOption.XX
    else if (call.is(index, 'GET')) options |= SetOption.GET
    else if (call.is(index, 'KEEPTTL') && expiry.unit === '') options |= SetOption.KEEPTTL
    else if (next && (options & SetOption.KEEPTTL) === 0 && expiryOption(call, index, expiry)) index++
    else return call.reply.error(SYNTAX)
  }
  if (expiry.unit !== '' && !expiry.resolve(call)) return
  const replies = (options & SetOption.GET) === 0
  const found = replies ? call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1)) : replyOld(call)
  if (found === REFUSED) return
  const entries = call.keyspace.entries
  const refused = found === NONE ? (options & SetOption.XX) !== 0 : (options & SetOption.NX) !== 0
  if (refused) {
    if (replies) call.reply.nullBulk()
    return
  }
  const keeps = (options & SetOption.KEEPTTL) !== 0 && found !== NONE && entries.expires(found)
  if (keeps) store(call, 1, found, 2, entries.expiry(found))
  else storeUntil(call, found, 2, expiry.due)
  if (call.effects.listening) tellSet(call, replies)
  if (replies) call.reply.ok()
}

/** A SET is told with the moment at which the key is due, and without GET. */
function tellSet(call: Call, plain: boolean): void {
  if (expiry.due !== undefined) {
    if (expiry.unit !== 'PXAT') tellStored(call, 2, expiry.due)
    return
  }
  if (plain) return
  let count = call.argc
  for (let index = 3; index < call.argc; index++) if (call.is(index, 'GET')) count--
  call.effects.begin(call, count)
  for (let index = 0; index < call.argc; index++) {
    if (index < 3 || !call.is(index, 'GET')) call.effects.argument(call, index)
  }
}

function tellStored(call: Call, value: number, due: Int64): void {
  call.effects.begin(call, 5).word('SET').argument(call, 1).argument(call, value).word('PXAT').integer(due)
}

/** Replies with the string at the key of argument 1, which is about to be replaced or deleted; answers its entry. */
function replyOld(call: Call): Ref {
  const found = call.readKey(1, Type.STRING)
  if (found === REFUSED) return REFUSED
  if (found === NONE) call.reply.nullBulk()
  else replyString(call, found)
  return found
}

/** Stores argument `value` with an expiry. One that has passed already is stored too: the next lookup finds it due. */
function storeUntil(call: Call, found: Ref, value: number, due: Int64 | undefined): void {
  store(call, 1, found, value, due)
  if (due !== undefined) call.tell(1, Event.EXPIRE)
}

function setWithExpiry(call: Call, unit: 'EX' | 'PX'): void {
  expiry.clear()
  expiry.unit = unit
  expiry.argument = 2
  if (!expiry.resolve(call)) return
  const found = call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  storeUntil(call, found, 3, expiry.due)
  if (call.effects.listening) tellStored(call, 3, expiry.due!)
  call.reply.ok()
}

function setnx(call: Call): void {
  const found = call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  if (found === NONE) store(call, 1, NONE, 2, undefined)
  call.reply.integer(found === NONE ? 1 : 0)
}

function getset(call: Call): void {
  const found = replyOld(call)
  if (found === REFUSED) return
  store(call, 1, found, 2, undefined)
  if (call.effects.listening) call.effects.begin(call, 3).word('SET').argument(call, 1).argument(call, 2)
}

function getdel(call: Call): void {
  const found = replyOld(call)
  if (found === NONE || found === REFUSED) return
  call.db.remove(found)
  call.changed(1, Event.DEL)
  if (call.effects.listening) call.effects.begin(call, 2).word('DEL').argument(call, 1)
}

function getex(call: Call): void {
  expiry.clear()
  let persist = false
  for (let index = 2; index < call.argc; index++) {
    if (call.is(index, 'PERSIST') && expiry.unit === '') persist = true
    else if (!persist && index + 1 < call.argc && expiryOption(call, index, expiry)) index++
    else return call.reply.error(SYNTAX)
  }
  const found = call.readKey(1, Type.STRING)
  if (found === REFUSED) return
  if (found === NONE) return call.reply.nullBulk()
  if (expiry.unit !== '' && !expiry.resolve(call)) return
  replyString(call, found)
  const due = expiry.due
  const { effects } = call
  if (due !== undefined && compareInt64(due, call.keyspace.now) <= 0 && !call.keyspace.keepsExpired) {
    call.db.remove(found)
    call.changed(1, Event.DEL)
    if (effects.listening) effects.begin(call, 2).word(effects.expiryWord).argument(call, 1)
  } else if (due !== undefined) {
    call.db.setExpiry(found, due)
    call.changed(1, Event.EXPIRE)
    if (effects.listening) effects.begin(call, 3).word('PEXPIREAT').argument(call, 1).integer(due)
  } else if (persist && call.keyspace.entries.expires(found)) {
    call.db.dropExpiry(found)
    call.changed(1, Event.PERSIST)
    if (effects.listening) effects.begin(call, 2).word('PERSIST').argument(call, 1)
  }
}

function mget(call: Call): void {
  const { db, reply, bytes, pos, len } = call
  const entries = call.keyspace.entries
  reply.array(call.argc - 1)
  for (let index = 1; index < call.argc; index++) {
    keyAhead(call, index, 1)
    const entry = db.lookupRead(bytes, pos[index]!, len[index]!)
    if (entry === NONE || entries.type(entry) !== Type.STRING) reply.nullBulk()
    else replyString(call, entry)
  }
  endKeysAhead(call)
}

function mset(call: Call): void {
  if (call.argc % 2 === 0) return call.reply.error(wrongArity('mset'))
  storePairs(call)
  call.reply.ok()
}

function storePairs(call: Call): void {
  for (let index = 1; index < call.argc; index += 2) {
    keyAhead(call, index, 2)
    const found = call.db.lookupWrite(call.bytes, call.posOf(index), call.lenOf(index))
    store(call, index, found, index + 1, undefined)
  }
  endKeysAhead(call)
}

function msetnx(call: Call): void {
  if (call.argc % 2 === 0) return call.reply.error(wrongArity('msetnx'))
  for (let index = 1; index < call.argc; index += 2) {
    if (call.db.lookupWrite(call.bytes, call.posOf(index), call.lenOf(index)) !== NONE) return call.reply.integer(0)
  }
  storePairs(call)
  call.reply.integer(1)
}

/** The expiry of an entry, if there is one and it has one. */
export function expiryOf(call: Call, entry: Ref): Int64 | undefined {
  const entries = call.keyspace.entries
  return entry !== NONE && entries.expires(entry) ? entries.expiry(entry) : undefined
}

/** Adds to the integer at the key of argument 1; a missing one counts as 0. */
function addTo(call: Call, increment: Int64): void {
  const entry = call.writeKey(1, Type.STRING)
  if (entry === REFUSED) return
  const { strings, entries } = call.keyspace
  const old = entry === NONE ? 0 : strings.integer(entry)
  if (old === undefined) return call.reply.error(NOT_INTEGER)
  const value = addInt64(old, increment)
  if (value === undefined) return call.reply.error(INCREMENT_OVERFLOW)
  if (entry !== NONE && entries.encoding(entry) === StringEncoding.INT) entries.setInteger(entry, value)
  else {
    strings.storeInteger(call.db, entry, call.bytes, call.posOf(1), call.lenOf(1), value, expiryOf(call, entry))
  }
  call.changed(1, Event.INCRBY)
  call.reply.integer(value)
}

function incrby(call: Call): void {
  const increment = call.integer(2)
  if (increment === undefined) return call.reply.error(NOT_INTEGER)
  addTo(call, increment)
}

function decrby(call: Call): void {
  const decrement = call.integer(2)
  if (decrement === undefined) return call.reply.error(NOT_INTEGER)
  if (decrement === INT64_MIN) return call.reply.error(DECREMENT_OVERFLOW)
  addTo(call, negInt64(decrement)!)
}

export const stringCommands = group('string', {
  DECR: {
    summary: 'Subtracts one from the integer at a key; a missing key counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update')],
    run: (call) => addTo(call, -1),
  },
  DECRBY: {
    summary: 'Subtracts a number from the integer at a key; a missing key counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), integer('decrement')],
    run: decrby,
  },
  GET: {
    summary: 'Gives the string at a key.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access')],
    run: get,
  },
  GETDEL: {
    summary: 'Gives the string at a key and deletes the key.',
    since: '6.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [key('RW access delete')],
    run: getdel,
  },
  GETEX: {
    summary: 'Gives the string at a key and sets or removes its expiry.',
    since: '6.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.FAST,
    args: [
      key('RW access update', 'key', { notes: 'writes the expiry only' }),
      optional(
        oneOf(
          'expiration',
          integer('EX seconds'),
          integer('PX milliseconds'),
          unixTime('EXAT unix-time-seconds'),
          unixTime('PXAT unix-time-milliseconds'),
          'PERSIST',
        ),
      ),
    ],
    run: getex,
  },
  GETSET: {
    summary: 'Sets a string and gives the one it replaces.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), string('value')],
    deprecated: { since: '6.2.0', use: '`SET` with the `!GET` argument' },
    run: getset,
  },
  INCR: {
    summary: 'Adds one to the integer at a key; a missing key counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update')],
    run: (call) => addTo(call, 1),
  },
  INCRBY: {
    summary: 'Adds a number to the integer at a key; a missing key counts as 0.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), integer('increment')],
    run: incrby,
  },
  MGET: {
    summary: 'Gives the strings at several keys at once.',
    since: '1.0.0',
    complexity: 'O(N), N keys',
    flags: Flag.READONLY | Flag.FAST,
    args: [many(key('RO access'))],
    tips: ['request_policy:multi_shard'],
    run: mget,
  },
  MSET: {
    summary: 'Sets the strings at several keys at once.',
    since: '1.0.1',
    complexity: 'O(N), N keys',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [many(block('data', key('OW update'), string('value')))],
    tips: ['request_policy:multi_shard', 'response_policy:all_succeeded'],
    run: mset,
  },
  MSETNX: {
    summary: 'Sets the strings at several keys, or none at all if one of the keys exists.',
    since: '1.0.1',
    complexity: 'O(N), N keys',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [many(block('data', key('OW insert'), string('value')))],
    run: msetnx,
  },
  PSETEX: {
    summary: 'Sets a string that expires after some milliseconds.',
    since: '2.6.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.QUICK,
    args: [key('OW update'), integer('milliseconds'), string('value')],
    deprecated: { since: '2.6.12', use: '`SET` with the `PX` argument' },
    run: (call) => setWithExpiry(call, 'PX'),
  },
  SET: {
    summary: 'Sets the string at a key, whatever was there; with conditions and an expiry if asked.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.QUICK,
    args: [
      key('RW access update variable_flags', 'key', { notes: 'GET reads the old value' }),
      string('value'),
      optional(since('2.6.12', oneOf('condition', 'NX', 'XX'))),
      optional(token('GET', { since: '6.2.0' })),
      optional(
        oneOf(
          'expiration',
          integer('EX seconds', { since: '2.6.12' }),
          integer('PX milliseconds', { since: '2.6.12' }),
          unixTime('EXAT unix-time-seconds', { since: '6.2.0' }),
          unixTime('PXAT unix-time-milliseconds', { since: '6.2.0' }),
          token('KEEPTTL', { since: '6.0.0' }),
        ),
      ),
    ],
    keysOf: setKeys,
    history: [
      ['2.6.12', 'The options `EX`, `PX`, `NX` and `XX`.'],
      ['6.0.0', 'The option `KEEPTTL`.'],
      ['6.2.0', 'The options `GET`, `EXAT` and `PXAT`.'],
      ['7.0.0', '`NX` and `GET` may be combined.'],
    ],
    run: set,
  },
  SETEX: {
    summary: 'Sets a string that expires after some seconds.',
    since: '2.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.QUICK,
    args: [key('OW update'), integer('seconds'), string('value')],
    deprecated: { since: '2.6.12', use: '`SET` with the `EX` argument' },
    run: (call) => setWithExpiry(call, 'EX'),
  },
  SETNX: {
    summary: 'Sets a string unless the key exists.',
    since: '1.0.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('OW insert'), string('value')],
    deprecated: { since: '2.6.12', use: '`SET` with the `NX` argument' },
    run: setnx,
  },
} satisfies CommandGroup)
