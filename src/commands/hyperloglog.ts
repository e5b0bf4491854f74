/* The HyperLogLog commands. What is counted lies in strings (lib/hyperloglog.ts, lib/hyperloglog-sparse.ts): sparse
 * ones are changed where they are, and grow with room for more; once too long they are made dense, which they stay. */
import { StringEncoding, Type } from '../keyspace/entry.ts'
import { Event } from '../keyspace/events.ts'
import { copyBytes, littleWord } from '../lib/bytes.ts'
import {
  addDense,
  addRaw,
  cachedPos,
  clearHistogram,
  estimate,
  getRegister,
  HLL_DENSE_LEN,
  HLL_REGISTERS,
  isDense,
  isHll,
  isStale,
  markStale,
  mergeDense,
  patternOf,
  raiseRegister,
  registerOf,
  runOf,
  writeCached,
} from '../lib/hyperloglog.ts'
import {
  addSparse,
  describeSparse,
  mergeSparse,
  Plan,
  planRaise,
  raise,
  SPARSE_EMPTY_LEN,
  SPARSE_GROWTH_MAX,
  SPARSE_LEN_MAX,
  SPARSE_VALUE_MAX,
  toDense,
  writeEmpty,
} from '../lib/hyperloglog-sparse.ts'
import { fromWords } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import {
  CORRUPT_HLL,
  HLL_NOT_SPARSE,
  HLL_TEST_FAILED,
  NO_SPECIFIED_KEY,
  NOT_HLL,
  pfdebugArity,
  unknownPfdebug,
  WRONG_TYPE,
} from '../protocol/errors.ts'
import { type Call, REFUSED } from './call.ts'
import { type CommandGroup, Flag, group, key, many, optional, string } from './definition.ts'
import { holdsTogether } from './hyperloglog-selftest.ts'
import { expiryOf } from './strings.ts'

/** A sparse one that has to move gets room for so many bytes more, if it has as many. */
const SPARE_MAX = 300
const DENSE = new Uint8Array(HLL_DENSE_LEN)
/** One byte a register. */
const merged = new Uint8Array(HLL_REGISTERS)
/** One that several are merged into. */
const target = new Uint8Array(SPARSE_LEN_MAX + SPARSE_GROWTH_MAX)

/** Locates the HyperLogLog of an entry; false after replying that it is none. */
function locate(call: Call, entry: Ref): boolean {
  const { strings, entries } = call.keyspace
  if (entries.type(entry) !== Type.STRING) call.reply.error(WRONG_TYPE)
  else {
    strings.locate(entry)
    if (entries.encoding(entry) !== StringEncoding.INT && isHll(strings.bytes, strings.pos, strings.len)) return true
    call.reply.error(NOT_HLL)
  }
  return false
}

/** Gives the key of an argument, at which `found` is or NONE, the first bytes of an array for its string. Answers its
 *  entry. Allocates. */
function store(call: Call, index: number, found: Ref, bytes: Uint8Array, len: number): Ref {
  const { strings, entries } = call.keyspace
  const pos = call.posOf(index)
  const keyLen = call.lenOf(index)
  strings.storeBytes(call.db, found, call.bytes, pos, keyLen, bytes, 0, len, expiryOf(call, found))
  const entry = call.db.lookupWrite(call.bytes, pos, keyLen)
  entries.setEncoding(entry, StringEncoding.RAW)
  return entry
}

// Adding.

function pfadd(call: Call): void {
  const { keyspace, reply, bytes, pos, len, argc } = call
  const { strings, entries } = keyspace
  let entry = call.db.lookupWrite(bytes, pos[1]!, len[1]!)
  let updated = 0
  if (entry === NONE) {
    strings.add(call.db, bytes, pos[1]!, len[1]!, SPARSE_EMPTY_LEN)
    writeEmpty(strings.bytes, strings.pos)
    // It may grow at once, for which it must have been looked up.
    entry = call.db.lookup(bytes, pos[1]!, len[1]!)
    updated++
  } else if (!locate(call, entry)) return
  if (entries.encoding(entry) !== StringEncoding.RAW) entries.setEncoding(entry, StringEncoding.RAW)
  for (let index = 2; index < argc; index++) {
    const pattern = patternOf(bytes, pos[index]!, len[index]!)
    // It is located, but for a moment in which it has moved, after which it is again.
    if (isDense(strings.bytes, strings.pos)) {
      if (raiseRegister(strings.bytes, strings.pos, registerOf(pattern), runOf(pattern))) updated++
      continue
    }
    entry = raiseSparse(call, entry, registerOf(pattern), runOf(pattern))
    if (entry === REFUSED) return reply.error(CORRUPT_HLL)
    if (isRaised) updated++
  }
  if (updated > 0) {
    markStale(strings.bytes, strings.pos)
    keyspace.dirty += updated - 1
    call.changed(1, Event.PFADD)
  }
  reply.integer(updated > 0 ? 1 : 0)
}

/** Whether `raiseSparse` had to change anything. */
let isRaised = false

/** Raises a register of the sparse one that is located, at the key of argument 1. Answers its entry, which may have
 *  moved, and is located; REFUSED if it is not valid. Allocates. */
function raiseSparse(call: Call, entry: Ref, register: number, value: number): Ref {
  const { keyspace } = call
  const { strings } = keyspace
  const { len } = strings
  isRaised = true
  const lenMax = keyspace.hllSparseLenMax
  if (value > SPARSE_VALUE_MAX) return promote(call, entry, register, value)
  const growth = planRaise(strings.bytes, strings.pos, len, register, value)
  if (growth === Plan.INVALID) return REFUSED
  isRaised = growth !== Plan.UNCHANGED
  if (!isRaised) return entry
  if (growth > 0 && len + growth > lenMax) return promote(call, entry, register, value)
  let target = entry
  if (growth > 0) {
    const spare = Math.max(Math.min(len, SPARE_MAX, lenMax - len - growth), 0)
    target = strings.extend(call.db, entry, len + growth, spare)
  }
  const newLen = raise(strings.bytes, strings.pos, len)
  if (newLen < strings.len) strings.shorten(target, newLen)
  strings.locate(target)
  return target
}

/** Makes the sparse one that is located dense, and raises a register. Allocates. */
function promote(call: Call, entry: Ref, register: number, value: number): Ref {
  const { strings } = call.keyspace
  if (!toDense(strings.bytes, strings.pos, strings.len, DENSE)) return REFUSED
  raiseRegister(DENSE, 0, register, value)
  const stored = store(call, 1, entry, DENSE, HLL_DENSE_LEN)
  strings.locate(stored)
  return stored
}

// Counting.

function pfcount(call: Call): void {
  if (call.argc > 2) return countUnion(call)
  const { keyspace, reply } = call
  const { strings, entries } = keyspace
  const entry = call.db.lookupRead(call.bytes, call.posOf(1), call.lenOf(1))
  if (entry === NONE) return reply.integer(0)
  if (!locate(call, entry)) return
  const isRaw = entries.encoding(entry) === StringEncoding.RAW
  if (isStale(strings.bytes, strings.pos) || !isRaw) call.db.willChange(entry)
  if (!isRaw) entries.setEncoding(entry, StringEncoding.RAW)
  strings.locate(entry)
  const { bytes, pos, len } = strings
  if (!isStale(bytes, pos)) {
    const at = cachedPos(pos)
    return reply.integer(fromWords(littleWord(bytes, at + 4), littleWord(bytes, at)))
  }
  clearHistogram()
  if (isDense(bytes, pos)) addDense(bytes, pos)
  else if (!addSparse(bytes, pos, len)) return reply.error(CORRUPT_HLL)
  const count = estimate()
  writeCached(count, bytes, pos)
  // What is cached is part of the string, so that others must learn of it.
  call.changed(1, Event.UNTOLD)
  reply.integer(count)
}

/** Merges the one at the key of an argument into `merged`; false after an error. */
function mergeKey(call: Call, index: number): boolean {
  const { strings } = call.keyspace
  const entry = call.db.lookupRead(call.bytes, call.posOf(index), call.lenOf(index))
  if (entry === NONE) return true
  if (!locate(call, entry)) return false
  const { bytes, pos, len } = strings
  if (isDense(bytes, pos)) {
    mergeDense(bytes, pos, merged)
    someDense = true
  } else if (!mergeSparse(bytes, pos, len, merged)) {
    call.reply.error(CORRUPT_HLL)
    return false
  }
  return true
}

/** Whether one that was merged was dense. */
let someDense = false

function mergeKeys(call: Call): boolean {
  merged.fill(0)
  someDense = false
  for (let index = 1; index < call.argc; index++) if (!mergeKey(call, index)) return false
  return true
}

function countUnion(call: Call): void {
  if (!mergeKeys(call)) return
  clearHistogram()
  addRaw(merged)
  call.reply.integer(estimate())
}

// Merging.

function pfmerge(call: Call): void {
  const { keyspace } = call
  const { strings } = keyspace
  if (!mergeKeys(call)) return
  const found = call.db.lookupWrite(call.bytes, call.posOf(1), call.lenOf(1))
  let len = SPARSE_EMPTY_LEN
  if (found === NONE) writeEmpty(target, 0)
  else {
    // It was merged as well, so it is valid, and as long as it can be at most.
    strings.locate(found)
    len = strings.len
    copyBytes(strings.bytes, strings.pos, target, 0, len)
  }
  let isLarge = isDense(target, 0)
  if (someDense && !isLarge) {
    len = promoteTarget(len)
    isLarge = true
  }
  for (let register = 0; register < HLL_REGISTERS; register++) {
    const value = merged[register]!
    if (value === 0) continue
    if (!isLarge) {
      const growth = value > SPARSE_VALUE_MAX ? 1 : planRaise(target, 0, len, register, value)
      if (growth === Plan.UNCHANGED) continue
      if (value <= SPARSE_VALUE_MAX && (growth <= 0 || len + growth <= keyspace.hllSparseLenMax)) {
        len = raise(target, 0, len)
        continue
      }
      len = promoteTarget(len)
      isLarge = true
    }
    raiseRegister(target, 0, register, value)
  }
  markStale(target, 0)
  store(call, 1, found, target, len)
  call.changed(1, Event.PFADD)
  call.reply.ok()
}

/** Makes `target` dense; returns its length. */
function promoteTarget(len: number): number {
  toDense(target, 0, len, DENSE)
  target.set(DENSE)
  return HLL_DENSE_LEN
}

// For developers.

function pfdebug(call: Call): void {
  const { reply, keyspace } = call
  const { strings, entries } = keyspace
  let entry = call.db.lookupWrite(call.bytes, call.posOf(2), call.lenOf(2))
  if (entry === NONE) return reply.error(NO_SPECIFIED_KEY)
  if (!locate(call, entry)) return
  entries.setEncoding(entry, StringEncoding.RAW)
  const dense = isDense(strings.bytes, strings.pos)
  const known = ['GETREG', 'DECODE', 'ENCODING', 'TODENSE'].find((name) => call.is(1, name))
  if (known === undefined) return reply.error(unknownPfdebug(call.string(1)))
  if (call.argc !== 3) return reply.error(pfdebugArity(call.string(1)))
  if (known === 'ENCODING') return reply.simple(dense ? 'dense' : 'sparse')
  if (known === 'DECODE') {
    if (dense) return reply.error(HLL_NOT_SPARSE)
    if (strings.len > SPARSE_LEN_MAX) return reply.error(CORRUPT_HLL)
    return reply.bulkString(describeSparse(strings.bytes, strings.pos, strings.len))
  }
  if (!dense) {
    if (!toDense(strings.bytes, strings.pos, strings.len, DENSE)) return reply.error(CORRUPT_HLL)
    entry = store(call, 2, entry, DENSE, HLL_DENSE_LEN)
    keyspace.dirty++
  }
  if (known === 'TODENSE') return reply.integer(dense ? 0 : 1)
  strings.locate(entry)
  reply.array(HLL_REGISTERS)
  for (let register = 0; register < HLL_REGISTERS; register++) {
    reply.integer(getRegister(strings.bytes, strings.pos, register))
  }
}

function pfselftest(call: Call): void {
  if (holdsTogether(call.keyspace.hllSparseLenMax)) call.reply.ok()
  else call.reply.error(HLL_TEST_FAILED)
}

export const hyperloglogCommands = group('hyperloglog', {
  PFADD: {
    summary: 'Counts elements in, creating the counter if there is none.',
    since: '2.8.9',
    complexity: 'O(1) an element',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.FAST,
    args: [key('RW insert'), optional(many(string('element')))],
    run: pfadd,
  },
  PFCOUNT: {
    summary: 'Estimates how many different elements were counted in.',
    since: '2.8.9',
    complexity: 'O(1) for one key, O(N) for N keys, at a higher price each',
    flags: Flag.READONLY | Flag.MAY_REPLICATE,
    args: [many(key('RW access', 'key', { notes: 'may write the cached count' }))],
    run: pfcount,
  },
  PFDEBUG: {
    summary: 'Looks inside a counter, for developers.',
    since: '2.8.9',
    complexity: 'Depends on the subcommand',
    flags: Flag.WRITE | Flag.DENYOOM | Flag.ADMIN,
    args: [string('subcommand'), key('RW access')],
    internal: true,
    run: pfdebug,
  },
  PFMERGE: {
    summary: 'Unites several counters in one.',
    since: '2.8.9',
    complexity: 'O(N), N counters, at a high price each',
    flags: Flag.WRITE | Flag.DENYOOM,
    args: [key('RW access insert', 'destkey'), optional(many(key('RO access', 'sourcekey')))],
    run: pfmerge,
  },
  PFSELFTEST: {
    summary: 'Checks the counting code against itself.',
    since: '2.8.9',
    complexity: 'Some seconds',
    flags: Flag.ADMIN,
    internal: true,
    run: pfselftest,
  },
} satisfies CommandGroup)
