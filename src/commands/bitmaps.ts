/* The commands that take a string for an array of bits: SETBIT, GETBIT, BITCOUNT, BITPOS, BITOP. Integers inside of
 * strings are in bitfields.ts; the bits themselves are counted, sought and combined in lib/bits.ts. */
import { StringEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { STRING_LEN_MAX } from '../keyspace/strings.ts'
import { BitOp, combineBits, countBits, findBit } from '../lib/bits.ts'
import { copyBytes } from '../lib/bytes.ts'
import { compareInt64, type Int64, toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  BIT_NOT_BINARY,
  BIT_NOT_INTEGER,
  BIT_OFFSET,
  BITOP_NOT_KEYS,
  NOT_INTEGER,
  SYNTAX,
  WRONG_TYPE,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { block, type CommandGroup, Flag, group, integer, key, many, oneOf, optional, since } from './definition.ts'

/** Bytes of the result that BITOP makes of all its sources before it goes on: they stay in the cache meanwhile. */
const STRETCH = 128 * 1024
const SOURCES_KEPT = 64

/** The offset that a client gives, in bits, or -1 if it is none or lies behind all that may be. */
export function bitOffset(call: Call, offset: Int64 | undefined): number {
  if (offset === undefined) return -1
  const bits = toNumber(offset)
  return bits / 8 < Math.min(call.keyspace.stringLenMax, STRING_LEN_MAX) ? bits : -1
}

/** Makes the string at the key of argument 1 a raw one of at least `len` bytes, and locates it. Answers its entry, or
 *  REFUSED after an error; `grown` says whether it was made, or is longer than it was. Allocates. */
export function reachForWrite(call: Call, len: number): Ref {
  const { keyspace, db } = call
  const { strings, entries } = keyspace
  const entry = call.writeKey(1, Type.STRING)
  grown = false
  if (entry === REFUSED) return REFUSED
  if (entry !== NONE) {
    strings.locate(entry)
    grown = strings.len < len
    if (!grown && entries.encoding(entry) === StringEncoding.RAW) return entry
    return strings.extend(db, entry, Math.max(strings.len, len))
  }
  grown = true
  return strings.add(db, call.bytes, call.posOf(1), call.lenOf(1), len)
}

export let grown = false

function setbit(call: Call): void {
  const offset = bitOffset(call, call.integer(2))
  if (offset < 0) return call.reply.error(BIT_OFFSET)
  const bit = call.integer(3)
  if (bit !== 0 && bit !== 1) return call.reply.error(BIT_NOT_INTEGER)
  const at = Math.floor(offset / 8)
  if (reachForWrite(call, at + 1) === REFUSED) return
  const { strings } = call.keyspace
  const pos = strings.pos + at
  const byte = strings.bytes[pos]!
  const mask = 0x80 >> (offset & 7)
  const old = (byte & mask) === 0 ? 0 : 1
  if (grown || old !== bit) {
    strings.bytes[pos] = bit === 1 ? byte | mask : byte & ~mask
    call.changed(1, Event.SETBIT)
  }
  call.reply.integer(old)
}

function getbit(call: Call): void {
  const offset = bitOffset(call, call.integer(2))
  if (offset < 0) return call.reply.error(BIT_OFFSET)
  const entry = call.readKey(1, Type.STRING)
  if (entry === REFUSED) return
  if (entry === NONE) return call.reply.integer(0)
  const { strings } = call.keyspace
  strings.locate(entry)
  const at = Math.floor(offset / 8)
  const isSet = at < strings.len && (strings.bytes[strings.pos + at]! & (0x80 >> (offset & 7))) !== 0
  call.reply.integer(isSet ? 1 : 0)
}

// Ranges: of bits from `first` to `last`, both of them in the string; none if first > last.
let first = 0
let last = 0

/** Takes the range that a client gives, of bytes or bits, whose negative ends count from the end of the string. */
function setRange(start: Int64, end: Int64, len: number, byBits: boolean): void {
  const total = byBits ? len * 8 : len
  const from = toNumber(start)
  const to = toNumber(end)
  first = Math.max(from < 0 ? total + from : from, 0)
  last = Math.min(Math.max(to < 0 ? total + to : to, 0), total - 1)
  if (byBits) return
  first *= 8
  last = last * 8 + 7
}

/** Whether the argument says that a range is one of bits; undefined after replying that it says nothing of it. */
function unitOf(call: Call, index: number): boolean | undefined {
  if (call.is(index, 'BIT')) return true
  if (call.is(index, 'BYTE')) return false
  call.reply.error(SYNTAX)
  return undefined
}

function bitcount(call: Call): void {
  const { reply, argc } = call
  const { strings } = call.keyspace
  const entry = call.readKey(1, Type.STRING)
  if (entry === REFUSED) return
  if (entry === NONE) return reply.integer(0)
  strings.locate(entry)
  if (argc === 2) return reply.integer(countBits(strings.bytes, strings.pos, strings.len))
  if (argc !== 4 && argc !== 5) return reply.error(SYNTAX)
  const start = call.integer(2)
  const end = start === undefined ? undefined : call.integer(3)
  if (start === undefined || end === undefined) return reply.error(NOT_INTEGER)
  // (Redis looks at the unit only then.)
  if (compareInt64(start, 0) < 0 && compareInt64(end, 0) < 0 && compareInt64(start, end) > 0) return reply.integer(0)
  const byBits = argc === 5 ? unitOf(call, 4) : false
  if (byBits === undefined) return
  setRange(start, end, strings.len, byBits)
  reply.integer(first > last ? 0 : countRange(strings.bytes, strings.pos))
}

/** Counts the bits from `first` to `last` of the string at a position: whole bytes, less what is not in the range. */
function countRange(bytes: Uint8Array, pos: number): number {
  const start = pos + Math.floor(first / 8)
  const end = pos + Math.floor(last / 8)
  const before = bytes[start]! & ~(0xff >> (first & 7))
  const after = bytes[end]! & (0x7f >> (last & 7))
  edges[0] = before
  edges[1] = after
  return countBits(bytes, start, end - start + 1) - countBits(edges, 0, 2)
}

const edges = new Uint8Array(2)

function bitpos(call: Call): void {
  const { reply, argc } = call
  const { strings } = call.keyspace
  const bit = call.integer(2)
  if (bit === undefined) return reply.error(NOT_INTEGER)
  if (bit !== 0 && bit !== 1) return reply.error(BIT_NOT_BINARY)
  const entry = call.db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry === NONE) return reply.integer(bit === 1 ? -1 : 0)
  if (call.keyspace.entries.type(entry) !== Type.STRING) return reply.error(WRONG_TYPE)
  if (argc > 6) return reply.error(SYNTAX)
  strings.locate(entry)
  first = 0
  last = strings.len * 8 - 1
  if (argc > 3 && !parseBitposRange(call, strings.len)) return
  if (first > last) return reply.integer(-1)
  const place = findInRange(strings.bytes, strings.pos, bit)
  if (place >= 0) return reply.integer(place)
  // Behind the string all is 0, unless an end was given.
  reply.integer(bit === 1 || argc > 4 ? -1 : last + 1)
}

/** Reads `start [end [unit]]`; false after replying what is wrong. */
function parseBitposRange(call: Call, len: number): boolean {
  const start = call.integer(3)
  if (start === undefined) {
    call.reply.error(NOT_INTEGER)
    return false
  }
  const byBits = call.argc === 6 ? unitOf(call, 5) : false
  if (byBits === undefined) return false
  const end = call.argc > 4 ? call.integer(4) : len - 1
  if (end === undefined) {
    call.reply.error(NOT_INTEGER)
    return false
  }
  // (Without an end the range is one of bytes. That of an empty string has none.)
  setRange(start, call.argc > 4 ? end : Math.max(len - 1, 0), len, byBits)
  return true
}

/** The place in the string of the first bit from `first` to `last` that is `bit`, -1 if there is none. */
function findInRange(bytes: Uint8Array, pos: number, bit: number): number {
  const start = Math.floor(first / 8)
  const end = Math.floor(last / 8)
  // The first byte, with the bits before the range so that they are passed over; then the others.
  const ignored = ~(0xff >> (first & 7)) & 0xff
  edges[0] = bit === 1 ? bytes[pos + start]! & ~ignored : bytes[pos + start]! | ignored
  let place = findBit(edges, 0, 1, bit)
  if (place >= 0) place += start * 8
  else {
    const rest = findBit(bytes, pos + start + 1, end - start, bit)
    if (rest >= 0) place = rest + (start + 1) * 8
  }
  return place > last ? -1 : place
}

// Several strings.

let sources = new Int32Array(SOURCES_KEPT)
/** Bytes of the longest source. */
let longest = 0

function bitop(call: Call): void {
  const { reply } = call
  let op: BitOp
  if (call.is(1, 'AND')) op = BitOp.AND
  else if (call.is(1, 'OR')) op = BitOp.OR
  else if (call.is(1, 'XOR')) op = BitOp.XOR
  else if (call.is(1, 'NOT')) op = BitOp.NOT
  else return reply.error(SYNTAX)
  if (op === BitOp.NOT && call.argc !== 4) return reply.error(BITOP_NOT_KEYS)
  if (findSources(call)) {
    if (longest === 0) removeTarget(call)
    else storeTarget(call, op)
    reply.integer(longest)
  }
  if (sources.length > SOURCES_KEPT) sources = new Int32Array(SOURCES_KEPT)
}

/** Looks up the strings at the keys from argument 3 on; false after replying that one is none. */
function findSources(call: Call): boolean {
  const { argc } = call
  if (argc - 3 > sources.length) sources = new Int32Array(argc - 3)
  longest = 0
  for (let index = 3; index < argc; index++) {
    const entry = call.readKey(index, Type.STRING)
    if (entry === REFUSED) return false
    sources[index - 3] = entry
    if (entry !== NONE) longest = Math.max(longest, call.keyspace.strings.length(entry))
  }
  return true
}

function removeTarget(call: Call): void {
  const found = call.db.lookupWrite(call.bytes, call.posOf(2), call.lenOf(2))
  if (found === NONE) return
  call.db.remove(found)
  call.changed(2, Event.DEL)
}

/** Makes the result, which is in no database while the sources are read: the target may be one of them. */
function storeTarget(call: Call, op: BitOp): void {
  const { keyspace, db } = call
  const { strings, entries } = keyspace
  const result = strings.make(call.bytes, call.posOf(2), call.lenOf(2), longest, undefined)
  entries.setEncoding(result, StringEncoding.RAW)
  const { bytes, pos } = strings
  for (let from = 0; from < longest; from += STRETCH) {
    combineStretch(call, op, bytes, pos, from, Math.min(STRETCH, longest - from))
  }
  db.put(db.lookupWrite(call.bytes, call.posOf(2), call.lenOf(2)), result)
  call.changed(2, Event.SET)
}

/** Works out `len` bytes of the result, from `from` on. */
function combineStretch(call: Call, op: BitOp, bytes: Uint8Array, pos: number, from: number, len: number): void {
  const { strings } = call.keyspace
  const target = pos + from
  for (let slot = 0; slot < call.argc - 3; slot++) {
    const entry = sources[slot]! as Ref
    let left = 0
    if (entry !== NONE) {
      strings.locate(entry)
      left = Math.min(Math.max(strings.len - from, 0), len)
    }
    // Where a source has no bytes it counts as zeros.
    const source = strings.pos + from
    if (slot > 0) combineBits(op, strings.bytes, source, bytes, target, left)
    else if (op === BitOp.NOT) combineBits(op, strings.bytes, source, bytes, target, left)
    else copyBytes(strings.bytes, source, bytes, target, left)
    if (left < len && (slot === 0 || op === BitOp.AND)) bytes.fill(0, target + left, target + len)
  }
}

export const bitmapCommands = group('bitmap', {
  BITCOUNT: {
    summary: 'Counts the bits that are set in a string, or in part of it.',
    since: '2.6.0',
    complexity: 'O(N)',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      optional(
        block('range', integer('start'), integer('end'), optional(since('7.0.0', oneOf('unit', 'BYTE', 'BIT')))),
      ),
    ],
    history: [['7.0.0', '`BYTE` and `BIT`.']],
    run: bitcount,
  },
  BITOP: {
    summary: 'Combines strings bit by bit and stores the outcome.',
    since: '2.6.0',
    complexity: 'O(N)',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [oneOf('operation', 'AND', 'OR', 'XOR', 'NOT'), key('OW update', 'destkey'), many(key('RO access'))],
    run: bitop,
  },
  BITPOS: {
    summary: 'Finds the first bit that is set, or clear.',
    since: '2.8.7',
    complexity: 'O(N)',
    flags: Flag.READONLY,
    args: [
      key('RO access'),
      integer('bit'),
      optional(
        block(
          'range',
          integer('start'),
          optional(block('end-unit-block', integer('end'), optional(since('7.0.0', oneOf('unit', 'BYTE', 'BIT'))))),
        ),
      ),
    ],
    history: [['7.0.0', '`BYTE` and `BIT`.']],
    run: bitpos,
  },
  GETBIT: {
    summary: 'Gives one bit of a string.',
    since: '2.2.0',
    complexity: 'O(1)',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), integer('offset')],
    run: getbit,
  },
  SETBIT: {
    summary: 'Sets or clears one bit of a string, and gives the old one.',
    since: '2.2.0',
    complexity: 'O(1)',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW access update'), integer('offset'), integer('value')],
    run: setbit,
  },
} satisfies CommandGroup)
