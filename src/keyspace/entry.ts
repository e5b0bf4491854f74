/* Entries: a key, what is stored at it, and what is known about it, in one block (small values) or two.
 *
 *   word  0      1        2       [3]            [+2]           [+1]
 *       +------+--------+-------+------------+--------------+----------+-----------+-------------+
 *       | head | access | value | value high | expiry lo hi | long len | key bytes | value bytes |
 *       +------+--------+-------+------------+--------------+----------+-----------+-------------+
 *         always                  INT, OWN     EXPIRES        long key               inline strings
 *
 *   string, INT      value, value high: the 64-bit integer's words
 *   string, OWN      value: ref of a block with the bytes; value high: their count; the block may have room to grow
 *   string, inline   value: count of the bytes that follow the key
 *   other types      value: ref of the structure's root
 *
 * `head` is structures/entry-head.ts's; its flags are EXPIRES, OWN and INDEXED (the expiry index has a record of this
 * key at or before its expiry). The fourth bit is the mark of snapshots (persistence/snapshot.ts): whether the entry
 * still has to be shown to the one under way. No operation carries it from entry to entry. `access` is the LRU clock
 * in milliseconds, or minutes and counter when the policy is LFU. OBJECT ENCODING's embstr and raw are two encodings of
 * the same bytes: they differ in how the value came to be.
 *
 * Always: key word = 3 + (INT or OWN) + 2 (EXPIRES) + 1 (long key); the block holds just what the head says. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { fromWords, highWord, type Int64, lowWord } from '../lib/int64.ts'
import { CHUNK_MASK, CHUNK_SHIFT, type Memory, posOf, type Ref } from '../memory/memory.ts'
import {
  ENCODING_SHIFT,
  FLAGS_SHIFT,
  KEY_LEN_LONG,
  KEY_LEN_SHIFT,
  KEY_WORD_MASK,
  keyLenOf,
  TYPE_SHIFT,
} from '../structures/entry-head.ts'

/** Types, numbered as in Redis's object header. */
export const Type = { STRING: 0, LIST: 1, SET: 2, ZSET: 3, HASH: 4, STREAM: 6 } as const
export type Type = (typeof Type)[keyof typeof Type]

/** Encodings of strings; the other types number their own from 0. */
export const StringEncoding = { INT: 0, EMBSTR: 1, RAW: 2 } as const
export const SetEncoding = { INTSET: 0, LISTPACK: 1, TABLE: 2 } as const
/** Bit 0 tells a table from a listpack, bit 1 that fields may expire. */
export const HashEncoding = { LISTPACK: 0, TABLE: 1, LISTPACK_EX: 2, TABLE_EX: 3 } as const
export const ZsetEncoding = { LISTPACK: 0, TABLE: 1 } as const

export const EntryFlag = { EXPIRES: 1, OWN: 2, INDEXED: 4 } as const

const ACCESS = 1
const VALUE = 2
const VALUE_HIGH = 3
const FIXED_WORDS = 3

const EXPIRES_BIT = EntryFlag.EXPIRES << FLAGS_SHIFT
const OWN_BIT = EntryFlag.OWN << FLAGS_SHIFT
const INDEXED_BIT = EntryFlag.INDEXED << FLAGS_SHIFT
const MARK_BIT = 8 << FLAGS_SHIFT
const FLAGS_MASK = 7
const TYPE_MASK = 7
const ENCODING_MASK = 15
/** What tells a hash whose fields may expire. */
const EXPIRING_FIELDS_MASK = (TYPE_MASK << TYPE_SHIFT) | (HashEncoding.LISTPACK_EX << ENCODING_SHIFT)
const EXPIRING_FIELDS = (Type.HASH << TYPE_SHIFT) | (HashEncoding.LISTPACK_EX << ENCODING_SHIFT)

/** Whether a head has the second value word. */
function hasValueHigh(type: number, encoding: number, flags: number): boolean {
  return (flags & EntryFlag.OWN) !== 0 || (type === Type.STRING && encoding === StringEncoding.INT)
}

export class Entries {
  readonly memory: Memory
  /** Written into new entries: the current LRU clock or LFU start value. */
  freshAccess = 0
  /** The mark that new entries get, and that entries have which are no matter of the snapshot under way. */
  private mark = 0

  constructor(memory: Memory) {
    this.memory = memory
  }

  /** Makes an entry with the key copied in and the value unset; `inlineLen` bytes are left for it behind the key. */
  create(
    type: number,
    encoding: number,
    flags: number,
    bytes: Uint8Array,
    pos: number,
    len: number,
    inlineLen: number,
  ): Ref {
    const long = len >= KEY_LEN_LONG
    let keyWord = FIXED_WORDS
    if (hasValueHigh(type, encoding, flags)) keyWord++
    if ((flags & EntryFlag.EXPIRES) !== 0) keyWord += 2
    if (long) keyWord++
    const entry = this.memory.alloc((keyWord << 2) + len + inlineLen)
    const chunk = entry >>> CHUNK_SHIFT
    const words = this.memory.words[chunk]!
    const head = (entry & CHUNK_MASK) << 2
    const shownLen = long ? KEY_LEN_LONG : len
    words[head] =
      keyWord |
      (type << TYPE_SHIFT) |
      (encoding << ENCODING_SHIFT) |
      (flags << FLAGS_SHIFT) |
      this.mark |
      (shownLen << KEY_LEN_SHIFT)
    words[head + ACCESS] = this.freshAccess
    words[head + VALUE] = inlineLen
    if (long) words[head + keyWord - 1] = len
    copyBytes(bytes, pos, this.memory.bytes[chunk]!, (head + keyWord) << 2, len)
    return entry
  }

  type(entry: Ref): Type {
    return ((this.memory.word(entry, 0) >>> TYPE_SHIFT) & TYPE_MASK) as Type
  }
  encoding(entry: Ref): number {
    return (this.memory.word(entry, 0) >>> ENCODING_SHIFT) & ENCODING_MASK
  }
  setEncoding(entry: Ref, encoding: number): void {
    const head = this.memory.word(entry, 0) & ~(ENCODING_MASK << ENCODING_SHIFT)
    this.memory.setWord(entry, 0, head | (encoding << ENCODING_SHIFT))
  }
  flags(entry: Ref): number {
    return (this.memory.word(entry, 0) >>> FLAGS_SHIFT) & FLAGS_MASK
  }
  isOwn(entry: Ref): boolean {
    return (this.memory.word(entry, 0) & OWN_BIT) !== 0
  }
  expires(entry: Ref): boolean {
    return (this.memory.word(entry, 0) & EXPIRES_BIT) !== 0
  }
  /** Whether it is a hash whose fields may expire. */
  hasExpiringFields(entry: Ref): boolean {
    return (this.memory.word(entry, 0) & EXPIRING_FIELDS_MASK) === EXPIRING_FIELDS
  }
  /** Whether it, or something in it, may fall due. */
  fallsDue(entry: Ref): boolean {
    const head = this.memory.word(entry, 0)
    return (head & EXPIRES_BIT) !== 0 || (head & EXPIRING_FIELDS_MASK) === EXPIRING_FIELDS
  }
  isIndexed(entry: Ref): boolean {
    return (this.memory.word(entry, 0) & INDEXED_BIT) !== 0
  }
  markIndexed(entry: Ref): void {
    this.memory.setWord(entry, 0, this.memory.word(entry, 0) | INDEXED_BIT)
  }
  clearIndexed(entry: Ref): void {
    this.memory.setWord(entry, 0, this.memory.word(entry, 0) & ~INDEXED_BIT)
  }

  /** A snapshot begins: every entry that there is has the other mark from now on. */
  turnMark(): void {
    this.mark ^= MARK_BIT
  }
  isMarked(entry: Ref): boolean {
    return (this.memory.word(entry, 0) & MARK_BIT) === this.mark
  }
  setMark(entry: Ref): void {
    this.memory.setWord(entry, 0, (this.memory.word(entry, 0) & ~MARK_BIT) | this.mark)
  }

  access(entry: Ref): number {
    return this.memory.word(entry, ACCESS)
  }
  setAccess(entry: Ref, access: number): void {
    this.memory.setWord(entry, ACCESS, access)
  }
  value(entry: Ref): number {
    return this.memory.word(entry, VALUE)
  }
  setValue(entry: Ref, value: number): void {
    this.memory.setWord(entry, VALUE, value)
  }
  valueHigh(entry: Ref): number {
    return this.memory.word(entry, VALUE_HIGH)
  }
  setValueHigh(entry: Ref, value: number): void {
    this.memory.setWord(entry, VALUE_HIGH, value)
  }
  integer(entry: Ref): Int64 {
    return fromWords(this.valueHigh(entry), this.value(entry))
  }
  setInteger(entry: Ref, value: Int64): void {
    this.setValue(entry, lowWord(value))
    this.setValueHigh(entry, highWord(value))
  }

  private expiryWord(entry: Ref): number {
    const head = this.memory.word(entry, 0)
    const encoding = (head >>> ENCODING_SHIFT) & ENCODING_MASK
    const type = (head >>> TYPE_SHIFT) & TYPE_MASK
    return hasValueHigh(type, encoding, (head >>> FLAGS_SHIFT) & FLAGS_MASK) ? VALUE_HIGH + 1 : VALUE_HIGH
  }
  /** Unix time in milliseconds; only of an entry that `expires`. */
  expiry(entry: Ref): Int64 {
    DEV: assert(this.expires(entry), 'expiry of an entry that has none')
    const word = this.expiryWord(entry)
    return fromWords(this.memory.word(entry, word + 1), this.memory.word(entry, word))
  }
  setExpiry(entry: Ref, expiry: Int64): void {
    DEV: assert(this.expires(entry), 'the entry has room for an expiry')
    const word = this.expiryWord(entry)
    this.memory.setWord(entry, word, lowWord(expiry))
    this.memory.setWord(entry, word + 1, highWord(expiry))
  }

  keyLen(entry: Ref): number {
    return keyLenOf(this.memory, entry)
  }
  keyPos(entry: Ref): number {
    return posOf(entry) + ((this.memory.word(entry, 0) & KEY_WORD_MASK) << 2)
  }
  /** Where an inline string's bytes are. */
  inlinePos(entry: Ref): number {
    return this.keyPos(entry) + this.keyLen(entry)
  }
  /** Bytes that an inline value may take without the block growing. */
  inlineRoom(entry: Ref): number {
    const used = ((this.memory.word(entry, 0) & KEY_WORD_MASK) << 2) + this.keyLen(entry)
    return this.memory.capacity(entry) - used
  }

  /** Bytes of the value that lie in the entry itself. */
  private inlineLen(entry: Ref): number {
    const inline = this.type(entry) === Type.STRING && this.encoding(entry) !== StringEncoding.INT && !this.isOwn(entry)
    return inline ? this.value(entry) : 0
  }

  /** Makes the same entry with other flags (an expiry more or less), or under another name: value, access and, where
   *  both have one, expiry are carried over, an own block too. Frees `entry`; the caller puts the new one into the
   *  table. Allocates. */
  recreate(entry: Ref, flags: number, keyBytes: Uint8Array, keyPos: number, keyLen: number): Ref {
    const encoding = this.encoding(entry)
    const type = this.type(entry)
    const inlineLen = this.inlineLen(entry)
    const target = this.create(type, encoding, flags, keyBytes, keyPos, keyLen, inlineLen)
    const memory = this.memory
    memory.setWord(target, ACCESS, memory.word(entry, ACCESS))
    memory.setWord(target, VALUE, memory.word(entry, VALUE))
    if (hasValueHigh(type, encoding, flags)) memory.setWord(target, VALUE_HIGH, memory.word(entry, VALUE_HIGH))
    if ((flags & EntryFlag.EXPIRES) !== 0 && this.expires(entry)) this.setExpiry(target, this.expiry(entry))
    const bytes = memory.bytesOf(entry)
    copyBytes(bytes, this.inlinePos(entry), memory.bytesOf(target), this.inlinePos(target), inlineLen)
    memory.free(entry)
    return target
  }

  /** Makes an entry of the same type, encoding and expiry under another name, with room for a copy of the value, which
   *  is the caller's to make. The expiry index does not know it. Allocates. */
  createLike(source: Ref, keyBytes: Uint8Array, keyPos: number, keyLen: number): Ref {
    const flags = this.flags(source) & ~EntryFlag.INDEXED
    const type = this.type(source)
    const target = this.create(type, this.encoding(source), flags, keyBytes, keyPos, keyLen, this.inlineLen(source))
    if (this.expires(source)) this.setExpiry(target, this.expiry(source))
    return target
  }
}
