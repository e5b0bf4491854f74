/* BITFIELD: integers of any width inside of a string. Its arguments are read twice: once to find what is wrong with
 * them and how long the string must be, once to do what they say; so nothing is kept in between. */
import { StringEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { assert } from '../lib/assert.ts'
import { fitField, Overflow, readField, writeField } from '../lib/bit-fields.ts'
import { type Int64, mulInt64, parseInt64 } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  BIT_OFFSET,
  BITFIELD_OVERFLOW,
  BITFIELD_READ_ONLY,
  BITFIELD_TYPE,
  NOT_INTEGER,
  SYNTAX,
} from '../protocol/errors.ts'
import { bitOffset, grown, reachForWrite } from './bitmaps.ts'
import { type Call, REFUSED } from './call.ts'
import {
  block,
  type CommandGroup,
  Flag,
  group,
  integer,
  key,
  many,
  manyTokens,
  oneOf,
  optional,
  string,
} from './definition.ts'
import { bitfieldKeys } from './introspection/key-extractors.ts'

const LETTER_I = 0x69
const LETTER_U = 0x75
const HASH = 0x23

const Op = { GET: 0, SET: 1, INCRBY: 2 } as const
type Op = (typeof Op)[keyof typeof Op]

// The operation at hand, and what OVERFLOW said last.
let op: Op = Op.GET
let signed = false
let width = 0
/** In bits. */
let offset = 0
let operand: Int64 = 0
let overflow: Overflow = Overflow.WRAP

/** Reads the arguments from `index` on up to the end of an operation; answers the argument behind it, or -1 after
 *  replying what is wrong. There may be none left but OVERFLOW: `width` is 0 then. */
function readOperation(call: Call, from: number): number {
  const { reply, argc } = call
  let index = from
  width = 0
  for (; index + 1 < argc && call.is(index, 'OVERFLOW'); index += 2) {
    if (call.is(index + 1, 'WRAP')) overflow = Overflow.WRAP
    else if (call.is(index + 1, 'SAT')) overflow = Overflow.SAT
    else if (call.is(index + 1, 'FAIL')) overflow = Overflow.FAIL
    else {
      reply.error(BITFIELD_OVERFLOW)
      return -1
    }
  }
  if (index === argc) return argc
  const left = argc - index - 1
  if (left >= 2 && call.is(index, 'GET')) op = Op.GET
  else if (left >= 3 && call.is(index, 'SET')) op = Op.SET
  else if (left >= 3 && call.is(index, 'INCRBY')) op = Op.INCRBY
  else {
    reply.error(SYNTAX)
    return -1
  }
  if (!readType(call, index + 1) || !readOffset(call, index + 2)) return -1
  if (op === Op.GET) return index + 3
  const value = call.integer(index + 3)
  if (value === undefined) {
    reply.error(NOT_INTEGER)
    return -1
  }
  operand = value
  return index + 4
}

function readType(call: Call, index: number): boolean {
  const { bytes } = call
  const pos = call.posOf(index)
  const len = call.lenOf(index)
  signed = len > 0 && bytes[pos] === LETTER_I
  // To Redis the text ends at its first NUL.
  let end = pos
  while (end < pos + len && bytes[end] !== 0) end++
  const given = signed || (len > 0 && bytes[pos] === LETTER_U) ? parseInt64(bytes, pos + 1, end - pos - 1) : undefined
  if (typeof given === 'number' && given >= 1 && given <= (signed ? 64 : 63)) {
    width = given
    return true
  }
  call.reply.error(BITFIELD_TYPE)
  return false
}

function readOffset(call: Call, index: number): boolean {
  const { bytes } = call
  const pos = call.posOf(index)
  const len = call.lenOf(index)
  const byWidth = len > 0 && bytes[pos] === HASH
  const given = byWidth ? parseInt64(bytes, pos + 1, len - 1) : parseInt64(bytes, pos, len)
  offset = bitOffset(call, byWidth && given !== undefined ? mulInt64(given, width) : given)
  if (offset >= 0) return true
  call.reply.error(BIT_OFFSET)
  return false
}

function bitfield(call: Call): void {
  run(call, false)
}

function bitfieldRo(call: Call): void {
  run(call, true)
}

function run(call: Call, readOnly: boolean): void {
  const { reply, argc } = call
  let count = 0
  /** The string must reach beyond this bit. */
  let bits = 0
  let writes = false
  overflow = Overflow.WRAP
  for (let index = 2; index < argc; ) {
    index = readOperation(call, index)
    if (index < 0) return
    if (width === 0) break
    count++
    if (op === Op.GET) continue
    writes = true
    bits = Math.max(bits, offset + width)
  }
  if (writes && readOnly) return reply.error(BITFIELD_READ_ONLY)
  const entry = writes ? reachForWrite(call, Math.ceil(bits / 8)) : call.readKey(1, Type.STRING)
  if (entry === REFUSED) return
  reply.array(count)
  perform(call, entry, writes && grown)
}

/** Does what has been read before, on a string that is long enough to be written to. */
function perform(call: Call, entry: Ref, isChanged: boolean): void {
  const { keyspace, argc } = call
  let changes = 0
  overflow = Overflow.WRAP
  for (let index = 2; index < argc; ) {
    index = readOperation(call, index)
    if (width === 0) break
    if (op === Op.GET) get(call, entry)
    else if (change(call, entry) || (isChanged && !isRefused)) changes++
  }
  if (changes === 0) return
  keyspace.dirty += changes - 1
  call.changed(1, Event.SETBIT)
}

function get(call: Call, entry: Ref): void {
  const { strings } = call.keyspace
  if (entry === NONE) return call.reply.integer(0)
  strings.locate(entry)
  call.reply.integer(readField(strings.bytes, strings.pos, strings.len, offset, width, signed))
}

/** What the operation was to write had no room. */
let isRefused = false

/** Writes a field and replies; whether it has another value now. */
function change(call: Call, entry: Ref): boolean {
  const { reply } = call
  const { strings, entries } = call.keyspace
  DEV: assert(entries.encoding(entry) === StringEncoding.RAW, 'what is written to is raw')
  strings.locate(entry)
  const { bytes, pos, len } = strings
  const old = readField(bytes, pos, len, offset, width, signed)
  const increments = op === Op.INCRBY
  const value = fitField(increments ? old : operand, increments ? operand : 0, width, signed, overflow)
  isRefused = value === undefined
  if (value === undefined) {
    reply.nullBulk()
    return false
  }
  reply.integer(increments ? value : old)
  writeField(value, bytes, pos, offset, width)
  return value !== old
}

export const bitfieldCommands = group('bitmap', {
  BITFIELD: {
    summary: 'Reads and changes integers of any width inside a string.',
    since: '3.2.0',
    complexity: 'O(1) an operation',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [
      key('RW access update variable_flags', 'key', { notes: 'GET reads, SET and INCRBY write' }),
      optional(
        many(
          oneOf(
            'operation',
            block('GET get-block', string('encoding'), integer('offset')),
            block(
              'write',
              optional(oneOf('OVERFLOW overflow-block', 'WRAP', 'SAT', 'FAIL')),
              oneOf(
                'write-operation',
                block('SET set-block', string('encoding'), integer('offset'), integer('value')),
                block('INCRBY incrby-block', string('encoding'), integer('offset'), integer('increment')),
              ),
            ),
          ),
        ),
      ),
    ],
    keysOf: bitfieldKeys,
    run: bitfield,
  },
  BITFIELD_RO: {
    summary: 'Reads integers of any width inside a string.',
    since: '6.0.0',
    complexity: 'O(1) an operation',
    flags: Flag.READONLY | Flag.FAST,
    args: [key('RO access'), optional(manyTokens(block('GET get-block', string('encoding'), integer('offset'))))],
    run: bitfieldRo,
  },
} satisfies CommandGroup)
