/* The sparse form of a HyperLogLog: its registers as runs of one value, in order.
 *
 *   ZERO    00xxxxxx             1 to 64 registers of 0
 *   XZERO   01xxxxxx yyyyyyyy    1 to 16384 registers of 0
 *   VAL     1vvvvvxx             1 to 4 registers of a value from 1 to 32
 *
 * All lengths and values are written less one. To raise a register takes two steps, between which the caller makes
 * room: `planRaise` finds the run with the register, and says by how many bytes the string is going to grow; `raise`
 * cuts the run in up to three and joins runs of one value around it. Both go exactly Redis's way, so that the bytes are
 * its; what is planned is kept here until then.
 *
 * A step of the search takes 1 ns (Node 20): up to 2 µs in the longest string that the default configuration allows. */
import {
  addToHistogram,
  HLL_HEADER,
  HLL_REGISTERS,
  HllEncoding,
  markStale,
  raiseRegister,
  writeHeader,
} from './hyperloglog.ts'

const XZERO_BIT = 0x40
const VAL_BIT = 0x80
const ZERO_MAX = 64
const VAL_MAX = 4
/** The highest value that a sparse register can have. */
export const SPARSE_VALUE_MAX = 32
/** Runs that are looked at after a change for others to join. */
const JOINED_MAX = 5

/** Bytes of one in which nothing has been counted. */
export const SPARSE_EMPTY_LEN = HLL_HEADER + 2
/** The longest that holds each register once. */
export const SPARSE_LEN_MAX = HLL_HEADER + 2 * HLL_REGISTERS
/** Bytes that it grows by at most when one register is raised. */
export const SPARSE_GROWTH_MAX = 3

/** What `planRaise` answers instead of a growth. */
export const Plan = { UNCHANGED: -10, INVALID: -11 } as const

const isVal = (head: number): boolean => head >= VAL_BIT
const isXzero = (head: number): boolean => (head & 0xc0) === XZERO_BIT
const valueIn = (head: number): number => ((head >> 2) & 0x1f) + 1
const valHead = (value: number, count: number): number => VAL_BIT | ((value - 1) << 2) | (count - 1)

/** Registers of the run at `at`; of one that is cut off more than there are. */
function runLength(bytes: Uint8Array, at: number, end: number): number {
  const head = bytes[at]!
  if (isVal(head)) return (head & 3) + 1
  if (!isXzero(head)) return head + 1
  return at + 1 < end ? (((head & 0x3f) << 8) | bytes[at + 1]!) + 1 : HLL_REGISTERS + 1
}

export function writeEmpty(bytes: Uint8Array, pos: number): void {
  writeHeader(bytes, pos, HllEncoding.SPARSE)
  writeZeros(HLL_REGISTERS, bytes, pos + HLL_HEADER, true)
}

/** Writes a run of zeros, if there are any; returns the position behind it. */
function writeZeros(count: number, bytes: Uint8Array, pos: number, long = count > ZERO_MAX): number {
  if (count === 0) return pos
  if (!long) {
    bytes[pos] = count - 1
    return pos + 1
  }
  bytes[pos] = XZERO_BIT | ((count - 1) >> 8)
  bytes[pos + 1] = (count - 1) & 0xff
  return pos + 2
}

// What is planned. Positions count from the string's beginning.
let register = 0
let value = 0
/** The run with the register, the one before it (0: there is none), and the first register of it. */
let runAt = 0
let prevAt = 0
let first = 0
let count = 0

/** Plans to raise a register to a value from 1 to SPARSE_VALUE_MAX. Answers by how many bytes the string grows, or one
 *  of Plan's. */
export function planRaise(bytes: Uint8Array, pos: number, len: number, index: number, raised: number): number {
  const end = pos + len
  let at = pos + HLL_HEADER
  let prev = pos
  let start = 0
  let span = 0
  while (at < end) {
    const head = bytes[at]!
    let size = 1
    if (head < XZERO_BIT) span = head + 1
    else if (head >= VAL_BIT) span = (head & 3) + 1
    else {
      if (at + 1 === end) return Plan.INVALID
      span = runLength(bytes, at, end)
      size = 2
    }
    if (index < start + span) break
    prev = at
    at += size
    start += span
  }
  if (at >= end) return Plan.INVALID
  register = index
  value = raised
  runAt = at - pos
  prevAt = prev - pos
  first = start
  count = span
  return growth(bytes[at]!)
}

function growth(head: number): number {
  const before = register - first
  const behind = first + count - 1 - register
  if (isVal(head)) {
    if (valueIn(head) >= value) return Plan.UNCHANGED
    return (before > 0 ? 1 : 0) + (behind > 0 ? 1 : 0)
  }
  return zerosSize(before) + zerosSize(behind) + (isXzero(head) ? -1 : 0)
}

/** Bytes of a run of zeros. */
function zerosSize(length: number): number {
  return length === 0 ? 0 : length > ZERO_MAX ? 2 : 1
}

/** Does what was planned for the string of `len` bytes that is here now, behind which there is room for its growth.
 *  Returns its new length. */
export function raise(bytes: Uint8Array, pos: number, len: number): number {
  const at = pos + runAt
  const head = bytes[at]!
  const oldSize = isXzero(head) ? 2 : 1
  const grown = growth(head)
  const before = register - first
  const behind = first + count - 1 - register
  const end = pos + len
  if (grown !== 0 && at + oldSize < end) bytes.copyWithin(at + oldSize + grown, at + oldSize, end)
  let to = at
  if (isVal(head)) {
    const old = valueIn(head)
    if (before > 0) bytes[to++] = valHead(old, before)
    bytes[to++] = valHead(value, 1)
    if (behind > 0) bytes[to] = valHead(old, behind)
  } else {
    to = writeZeros(before, bytes, to)
    bytes[to++] = valHead(value, 1)
    writeZeros(behind, bytes, to)
  }
  markStale(bytes, pos)
  return join(bytes, pos, len + grown)
}

/** Joins neighbours of one value, from the run before the changed one on; returns the new length. */
function join(bytes: Uint8Array, pos: number, len: number): number {
  let end = pos + len
  let at = prevAt > 0 ? pos + prevAt : pos + HLL_HEADER
  for (let left = JOINED_MAX; at < end && left > 0; left--) {
    const head = bytes[at]!
    if (!isVal(head)) {
      at += isXzero(head) ? 2 : 1
      continue
    }
    const next = at + 1 < end ? bytes[at + 1]! : 0
    const together = (head & 3) + 1 + (next & 3) + 1
    if (isVal(next) && valueIn(next) === valueIn(head) && together <= VAL_MAX) {
      bytes[at + 1] = valHead(valueIn(head), together)
      bytes.copyWithin(at, at + 1, end)
      end--
    } else at++
  }
  return end - pos
}

// Whole strings. Each has 16384 registers, or is refused.

/** Counts its registers in the histogram; false if it is not valid. */
export function addSparse(bytes: Uint8Array, pos: number, len: number): boolean {
  const end = pos + len
  let registers = 0
  for (let at = pos + HLL_HEADER; at < end; ) {
    const head = bytes[at]!
    const span = runLength(bytes, at, end)
    registers += span
    if (registers > HLL_REGISTERS) return false
    addToHistogram(isVal(head) ? valueIn(head) : 0, span)
    at += isXzero(head) ? 2 : 1
  }
  return registers === HLL_REGISTERS
}

/** Raises each of `most`, one byte a register, to its register; false if it is not valid. */
export function mergeSparse(bytes: Uint8Array, pos: number, len: number, most: Uint8Array): boolean {
  const end = pos + len
  let at = pos + HLL_HEADER
  let index = 0
  while (at < end) {
    const head = bytes[at]!
    const span = runLength(bytes, at, end)
    if (index + span > HLL_REGISTERS) return false
    if (isVal(head)) {
      const own = valueIn(head)
      for (let each = index; each < index + span; each++) if (own > most[each]!) most[each] = own
    }
    index += span
    at += isXzero(head) ? 2 : 1
  }
  return index === HLL_REGISTERS
}

/** Writes the dense form, header and cached count included; false if the sparse one is not valid. */
export function toDense(bytes: Uint8Array, pos: number, len: number, target: Uint8Array): boolean {
  target.fill(0)
  writeHeader(target, 0, HllEncoding.DENSE)
  // What Redis leaves unused, and the cached count.
  for (let off = 5; off < HLL_HEADER; off++) target[off] = bytes[pos + off]!
  const end = pos + len
  let at = pos + HLL_HEADER
  let index = 0
  while (at < end) {
    const head = bytes[at]!
    const span = runLength(bytes, at, end)
    if (index + span > HLL_REGISTERS) return false
    if (isVal(head)) for (let each = index; each < index + span; each++) raiseRegister(target, 0, each, valueIn(head))
    index += span
    at += isXzero(head) ? 2 : 1
  }
  return index === HLL_REGISTERS
}

/** The runs in letters: `z:` short and `Z:` long ones of zeros, `v:` of values. */
export function describeSparse(bytes: Uint8Array, pos: number, len: number): string {
  const end = pos + len
  let text = ''
  for (let at = pos + HLL_HEADER; at < end; ) {
    const head = bytes[at]!
    const span = runLength(bytes, at, end)
    if (isVal(head)) text += `v:${valueIn(head)},${span} `
    else text += `${isXzero(head) ? 'Z' : 'z'}:${span} `
    at += isXzero(head) ? 2 : 1
  }
  return text.trimEnd()
}
