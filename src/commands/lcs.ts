/* LCS: the longest common subsequence of two strings, by the textbook's table (Wagner and Fischer 1974).
 *
 *           b0  b1  b2          a cell is the length of the LCS of the prefixes above and left of it;
 *        0   0   0   0          only the row at hand and the one before are kept
 *   a0   0   1   1   1
 *   a1   0   1   1   2          and one bit a cell: whether the way back goes up rather than left
 *
 * The way back is what tells the subsequence and its ranges; where several are longest, it decides which one is
 * replied, so it is Redis's: diagonally on equal bytes, up if the cell above is larger, else left. Redis keeps the
 * table itself, and refuses it when it is larger than proto-max-bulk-len; the same inputs are refused here, with 1/32
 * of the memory. */

import { Type } from '../keyspace/entry.ts'
import { toNumber } from '../lib/int64.ts'
import { NONE, type Ref } from '../memory/memory.ts'
import { LCS_LEN_AND_IDX, LCS_NOT_STRINGS, LCS_TOO_LARGE, NOT_INTEGER, SYNTAX } from '../protocol/errors.ts'
import type { Reply } from '../protocol/reply.ts'
import type { Call } from './call.ts'
import { type CommandGroup, Flag, group, integer, key, optional } from './definition.ts'
import { atWord, keySpec, range } from './introspection/key-specs.ts'

/** Bytes that a cell takes in Redis, on which its limit depends. */
const REDIS_CELL_SIZE = 4
/** Whatever the configuration allows, a cell's number stays a positive 32-bit integer. */
const REDIS_SIZE_MAX = REDIS_CELL_SIZE * 2 ** 31

/** A filled table: the length at its end, and the way back. */
class Comparison {
  readonly a: Uint8Array
  readonly b: Uint8Array
  length = 0
  /** A bit for each cell, by rows of `a`; empty where only the length was asked for. */
  private readonly ups: Uint8Array

  constructor(a: Uint8Array, b: Uint8Array, withWay: boolean) {
    this.a = a
    this.b = b
    this.ups = new Uint8Array(withWay ? Math.ceil((a.length * b.length) / 8) : 0)
    this.fill()
  }

  /** Whether the way back leads up from the cell of a[row] and b[column], which differ. */
  goesUp(row: number, column: number): boolean {
    const cell = row * this.b.length + column
    return (this.ups[cell >>> 3]! & (1 << (cell & 7))) !== 0
  }

  private fill(): void {
    const { a, b, ups } = this
    const keepsWay = ups.length > 0
    let above = new Int32Array(b.length + 1)
    let row = new Int32Array(b.length + 1)
    for (let i = 0; i < a.length; i++) {
      const byte = a[i]!
      const start = i * b.length
      for (let j = 0; j < b.length; j++) {
        if (byte === b[j]) {
          row[j + 1] = above[j]! + 1
          continue
        }
        const up = above[j + 1]!
        const left = row[j]!
        const goesUp = up > left
        row[j + 1] = goesUp ? up : left
        if (goesUp && keepsWay) ups[(start + j) >>> 3]! |= 1 << ((start + j) & 7)
      }
      const spare = above
      above = row
      row = spare
    }
    this.length = above[b.length]!
  }

  /** The subsequence. */
  text(): Uint8Array {
    const text = new Uint8Array(this.length)
    let count = this.length
    for (let i = this.a.length, j = this.b.length; i > 0 && j > 0; ) {
      if (this.a[i - 1] === this.b[j - 1]) {
        text[--count] = this.a[i - 1]!
        i--
        j--
      } else if (this.goesUp(i - 1, j - 1)) i--
      else j--
    }
    return text
  }

  /** Replies the ranges of at least `least` bytes that both strings share in the subsequence, the last one first. */
  replyRanges(reply: Reply, least: number, withLengths: boolean): void {
    const mark = reply.begin()
    let count = 0
    for (let i = this.a.length, j = this.b.length; i > 0 && j > 0; ) {
      let len = 0
      while (i > 0 && j > 0 && this.a[i - 1] === this.b[j - 1]) {
        len++
        i--
        j--
      }
      if (len === 0) {
        if (this.goesUp(i - 1, j - 1)) i--
        else j--
      } else if (len >= least) {
        count++
        reply.array(withLengths ? 3 : 2)
        replyRange(reply, i, len)
        replyRange(reply, j, len)
        if (withLengths) reply.integer(len)
      }
    }
    reply.endArray(mark, count)
  }
}

function replyRange(reply: Reply, first: number, len: number): void {
  reply.array(2)
  reply.integer(first)
  reply.integer(first + len - 1)
}

/** The entry's string, copied: there are two of them, and an integer's digits are made in one place. */
function stringOf(call: Call, entry: Ref): Uint8Array {
  if (entry === NONE) return new Uint8Array(0)
  const { strings } = call.keyspace
  strings.locate(entry)
  return strings.bytes.slice(strings.pos, strings.pos + strings.len)
}

function lookup(call: Call, index: number): Ref {
  return call.db.lookupRead(call.bytes, call.posOf(index), call.lenOf(index))
}

function lcs(call: Call): void {
  const { entries, strings } = call.keyspace
  const first = lookup(call, 1)
  const second = lookup(call, 2)
  const isString = (entry: Ref): boolean => entry === NONE || entries.type(entry) === Type.STRING
  if (!isString(first) || !isString(second)) return call.reply.error(LCS_NOT_STRINGS)
  let asksLen = false
  let asksRanges = false
  let withLengths = false
  let least = 0
  for (let index = 3; index < call.argc; index++) {
    if (call.is(index, 'IDX')) asksRanges = true
    else if (call.is(index, 'LEN')) asksLen = true
    else if (call.is(index, 'WITHMATCHLEN')) withLengths = true
    else if (call.is(index, 'MINMATCHLEN') && index + 1 < call.argc) {
      const value = call.integer(++index)
      if (value === undefined) return call.reply.error(NOT_INTEGER)
      least = toNumber(value)
    } else return call.reply.error(SYNTAX)
  }
  if (asksLen && asksRanges) return call.reply.error(LCS_LEN_AND_IDX)
  const lenOf = (entry: Ref): number => (entry === NONE ? 0 : strings.length(entry))
  const size = (lenOf(first) + 1) * (lenOf(second) + 1) * REDIS_CELL_SIZE
  if (size > Math.min(call.keyspace.stringLenMax, REDIS_SIZE_MAX)) return call.reply.error(LCS_TOO_LARGE)
  const comparison = new Comparison(stringOf(call, first), stringOf(call, second), !asksLen)
  if (asksLen) return call.reply.integer(comparison.length)
  if (!asksRanges) return replyText(call, comparison)
  call.reply.map(2)
  call.reply.bulkString('matches')
  comparison.replyRanges(call.reply, least, withLengths)
  call.reply.bulkString('len')
  call.reply.integer(comparison.length)
}

function replyText(call: Call, comparison: Comparison): void {
  const text = comparison.text()
  call.reply.bulk(text, 0, text.length)
}

export const lcsCommands = group('string', {
  LCS: {
    summary: 'Finds the longest common subsequence of two strings.',
    since: '7.0.0',
    complexity: 'O(N*M), N and M the lengths of the strings',
    flags: Flag.READONLY,
    args: [
      key('RO access', 'key1'),
      key('RO access', 'key2'),
      optional('LEN'),
      optional('IDX'),
      optional(integer('MINMATCHLEN min-match-len')),
      optional('WITHMATCHLEN'),
    ],
    keySpecs: [keySpec('RO access', atWord(1), range(1, 1, 0))],
    run: lcs,
  },
} satisfies CommandGroup)
