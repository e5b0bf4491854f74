/* The string commands that read or change a string in part: APPEND, GETRANGE and SETRANGE, STRLEN; and INCRBYFLOAT,
 * whose value is text and stays text. */

import { Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { STRING_LEN_MAX } from '../keyspace/strings.ts'
import { copyBytes, fromLatin1 } from '../lib/bytes.ts'
import { compareInt64, toNumber } from '../lib/int64.ts'
import { addLongDouble, formatLongDouble, fromDouble, parseLongDouble } from '../lib/long-double.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { INCREMENT_NAN, NOT_FLOAT, NOT_INTEGER, OFFSET_OUT_OF_RANGE, STRING_TOO_LONG } from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, double, Flag, group, integer, key, string } from './definition.ts'
import { expiryOf } from './strings.ts'

const EMPTY = new Uint8Array(0)
const ZERO = fromDouble(0)!

/** Whether a string may be so long; replies the error if not. */
function mayHave(call: Call, len: number): boolean {
  if (len <= call.keyspace.stringLenMax && len <= STRING_LEN_MAX) return true
  call.reply.error(STRING_TOO_LONG)
  return false
}

function append(call: Call): void {
  const entry = call.writeKey(1, Type.STRING)
  if (entry === REFUSED) return
  const { strings } = call.keyspace
  const { bytes, pos, len } = call
  let total = len[2]!
  if (entry === NONE) strings.store(call.db, NONE, bytes, pos[1]!, len[1]!, bytes, pos[2]!, len[2]!, undefined)
  else {
    const old = strings.length(entry)
    total += old
    if (!mayHave(call, total)) return
    strings.locate(strings.extend(call.db, entry, total))
    copyBytes(bytes, pos[2]!, strings.bytes, strings.pos + old, len[2]!)
  }
  call.changed(1, Event.APPEND)
  call.reply.integer(total)
}

function setrange(call: Call): void {
  const offset = call.integer(2)
  if (offset === undefined) return call.reply.error(NOT_INTEGER)
  if (compareInt64(offset, 0) < 0) return call.reply.error(OFFSET_OUT_OF_RANGE)
  const entry = call.writeKey(1, Type.STRING)
  if (entry === REFUSED) return
  const { strings } = call.keyspace
  const { bytes, pos, len } = call
  const old = entry === NONE ? 0 : strings.length(entry)
  if (len[3] === 0) return call.reply.integer(old)
  const start = toNumber(offset)
  if (!mayHave(call, start + len[3]!)) return
  const total = Math.max(old, start + len[3]!)
  let target: Ref = entry
  if (entry === NONE) target = strings.add(call.db, bytes, pos[1]!, len[1]!, total)
  else target = strings.extend(call.db, entry, total)
  strings.locate(target)
  copyBytes(bytes, pos[3]!, strings.bytes, strings.pos + start, len[3]!)
  call.changed(1, Event.SETRANGE)
  call.reply.integer(total)
}

function getrange(call: Call): void {
  const from = call.integer(2)
  const to = call.integer(3)
  if (from === undefined || to === undefined) return call.reply.error(NOT_INTEGER)
  const entry = call.readKey(1, Type.STRING)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.bulk(EMPTY, 0, 0)
  const { strings } = call.keyspace
  strings.locate(entry)
  const first = slotOf(toNumber(from), strings.len)
  const last = Math.min(slotOf(toNumber(to), strings.len), strings.len - 1)
  const reversed = compareInt64(from, 0) < 0 && compareInt64(to, 0) < 0 && compareInt64(from, to) > 0
  if (first > last || reversed) return call.reply.bulk(EMPTY, 0, 0)
  call.reply.bulk(strings.bytes, strings.pos + first, last - first + 1)
}

/** The offset that a client means, which counts from the end if negative. */
function slotOf(index: number, count: number): number {
  return index >= 0 ? index : Math.max(index + count, 0)
}

function strlen(call: Call): void {
  const entry = call.readKey(1, Type.STRING)
  if (entry === REFUSED) return
  call.reply.integer(entry === NONE ? 0 : call.keyspace.strings.length(entry))
}

function incrbyfloat(call: Call): void {
  const entry = call.writeKey(1, Type.STRING)
  if (entry === REFUSED) return
  const { strings } = call.keyspace
  const { bytes, pos, len } = call
  let old = ZERO
  if (entry !== NONE) {
    strings.locate(entry)
    const parsed = parseLongDouble(strings.bytes, strings.pos, strings.len)
    if (parsed === undefined) return call.reply.error(NOT_FLOAT)
    old = parsed
  }
  const increment = parseLongDouble(bytes, pos[2]!, len[2]!)
  if (increment === undefined) return call.reply.error(NOT_FLOAT)
  const value = addLongDouble(old, increment)
  if (value === undefined) return call.reply.error(INCREMENT_NAN)
  const text = fromLatin1(formatLongDouble(value))
  const due = expiryOf(call, entry)
  strings.storeBytes(call.db, entry, bytes, pos[1]!, len[1]!, text, 0, text.length, due)
  call.changed(1, Event.INCRBYFLOAT)
  const { effects } = call
  if (effects.listening) {
    effects.begin(call, 4).word('SET').argument(call, 1).bulk(text, 0, text.length).word('KEEPTTL')
  }
  call.reply.bulk(text, 0, text.length)
}

export const stringRangeCommands = group('string', {
  APPEND: {
    summary: 'Adds bytes to the end of a string, creating it if there is none.',
    since: '2.0.0',
    complexity: 'O(1) amortised, for a small addition',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), string('value')],
    run: append,
  },
  GETRANGE: {
    summary: 'Gives the bytes of a string between two offsets.',
    since: '2.4.0',
    complexity: 'O(N), N bytes returned',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('start'), integer('end')],
    run: getrange,
  },
  INCRBYFLOAT: {
    summary: 'Adds a fraction to the number at a key; a missing key counts as 0.',
    since: '2.6.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW access update'), double('increment')],
    run: incrbyfloat,
  },
  SETRANGE: {
    summary: 'Writes over part of a string from an offset on, padding it with zeros if it is shorter.',
    since: '2.2.0',
    complexity: 'O(1) for a small value, else O(M), M its length',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW update'), integer('offset'), string('value')],
    run: setrange,
  },
  STRLEN: {
    summary: 'Gives the length of a string.',
    since: '2.2.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO')],
    run: strlen,
  },
  SUBSTR: {
    summary: 'Gives the bytes of a string between two offsets.',
    since: '1.0.0',
    complexity: 'O(N), N bytes returned',
    flags: Flag.READONLY,
    args: [key('RO access'), integer('start'), integer('end')],
    deprecated: { since: '2.0.0', use: '`GETRANGE`' },
    run: getrange,
  },
} satisfies CommandGroup)
