/* Strings: the values of type string, in the three forms that entry.ts draws.
 *
 * A value that reads as a 64-bit integer is kept as one (INT); up to INLINE_MAX bytes lie behind the key; longer ones
 * have a block of their own, which grows with room to spare, so that APPEND is amortised O(1). Which of the three it is
 * shows only here: to others a string is a length and, after `locate`, a range of bytes. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { INT64_LEN_MAX, type Int64, int64Length, parseInt64, toNumber, writeInt64 } from '../lib/int64.ts'
import { BLOCK_BYTES_MAX, blockSizeFor, type Memory, NONE, posOf, type Ref } from '../memory/memory.ts'
import type { Database } from './database.ts'
import { type Entries, EntryFlag, StringEncoding, Type } from './entry.ts'
import type { Kind } from './kinds.ts'
import type { LooseBlock } from './loose-block.ts'
import { compactString } from './value-compaction.ts'

/** The longest value that lies in the entry itself. */
const INLINE_MAX = 1024
/** The longest that Redis calls embstr. */
const EMBSTR_MAX = 44
/** Room to grow is as much again as the string has, but not more than this. */
const SPARE_MAX = 1024 * 1024
/** The longest string there can be, whatever the configuration allows. */
export const STRING_LEN_MAX = BLOCK_BYTES_MAX - SPARE_MAX

export class Strings {
  private readonly entries: Entries
  private readonly memory: Memory
  /** Where the bytes of the string last located are. Dead after anything that allocates. */
  bytes: Uint8Array
  pos = 0
  len = 0
  /** What the running command's arguments lie in, if a value that it stores may stay there. */
  offered: LooseBlock | null = null
  private readonly digits = new Uint8Array(INT64_LEN_MAX)

  constructor(entries: Entries) {
    this.entries = entries
    this.memory = entries.memory
    this.bytes = this.digits
  }

  length(entry: Ref): number {
    if (this.entries.encoding(entry) === StringEncoding.INT) return int64Length(this.entries.integer(entry))
    return this.entries.isOwn(entry) ? this.entries.valueHigh(entry) : this.entries.value(entry)
  }

  /** Points `bytes`, `pos`, `len` at the string; an integer's digits are written into a scratch. */
  locate(entry: Ref): void {
    const entries = this.entries
    if (entries.encoding(entry) === StringEncoding.INT) {
      this.bytes = this.digits
      this.pos = 0
      this.len = writeInt64(entries.integer(entry), this.digits, 0)
    } else if (entries.isOwn(entry)) {
      const block = entries.value(entry) as Ref
      this.bytes = this.memory.bytesOf(block)
      this.pos = posOf(block)
      this.len = entries.valueHigh(entry)
    } else {
      this.bytes = this.memory.bytesOf(entry)
      this.pos = entries.inlinePos(entry)
      this.len = entries.value(entry)
    }
  }

  /** The string as an integer, or undefined if it is none. */
  integer(entry: Ref): Int64 | undefined {
    if (this.entries.encoding(entry) === StringEncoding.INT) return this.entries.integer(entry)
    this.locate(entry)
    return parseInt64(this.bytes, this.pos, this.len)
  }

  /** Stores a value at a key: `found` is what the database's last lookup, of this key, answered. An `expiry` replaces
   *  any there was, undefined takes it away. Allocates. */
  store(
    db: Database,
    found: Ref,
    keyBytes: Uint8Array,
    keyPos: number,
    keyLen: number,
    bytes: Uint8Array,
    pos: number,
    len: number,
    expiry: Int64 | undefined,
  ): void {
    const integer = len <= INT64_LEN_MAX ? parseInt64(bytes, pos, len) : undefined
    if (integer !== undefined) this.storeInteger(db, found, keyBytes, keyPos, keyLen, integer, expiry)
    else this.storeBytes(db, found, keyBytes, keyPos, keyLen, bytes, pos, len, expiry)
  }

  /** As `store`, but the value stays bytes even if it reads as an integer. */
  storeBytes(
    db: Database,
    found: Ref,
    keyBytes: Uint8Array,
    keyPos: number,
    keyLen: number,
    bytes: Uint8Array,
    pos: number,
    len: number,
    expiry: Int64 | undefined,
  ): void {
    const encoding = len <= EMBSTR_MAX ? StringEncoding.EMBSTR : StringEncoding.RAW
    const own = len > INLINE_MAX ? EntryFlag.OWN : 0
    const flags = expiry === undefined ? own : own | EntryFlag.EXPIRES
    const entries = this.entries
    if (found !== NONE) db.willChange(found)
    const taken = this.takeOffered(bytes, pos, len)
    if (taken === NONE && found !== NONE && this.fits(found, flags, len)) {
      entries.setEncoding(found, encoding)
      this.setLength(found, len)
      this.locate(found)
      copyBytes(bytes, pos, this.bytes, this.pos, len)
      this.renewExpiry(db, found, expiry)
      return
    }
    const entry = entries.create(Type.STRING, encoding, flags, keyBytes, keyPos, keyLen, own === 0 ? len : 0)
    if (own !== 0) {
      const block = taken !== NONE ? taken : this.memory.alloc(len)
      entries.setValue(entry, block)
      entries.setValueHigh(entry, len)
      if (taken === NONE) copyBytes(bytes, pos, this.memory.bytesOf(block), posOf(block), len)
    } else copyBytes(bytes, pos, this.memory.bytesOf(entry), entries.inlinePos(entry), len)
    this.settle(db, found, entry, expiry)
  }

  /** What an entry refers to a value by that stays where it was received; NONE if it must be copied. */
  private takeOffered(bytes: Uint8Array, pos: number, len: number): Ref {
    const { offered } = this
    return offered === null ? NONE : offered.take(bytes, pos, len)
  }

  storeInteger(
    db: Database,
    found: Ref,
    keyBytes: Uint8Array,
    keyPos: number,
    keyLen: number,
    value: Int64,
    expiry: Int64 | undefined,
  ): void {
    const entries = this.entries
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    if (found !== NONE) db.willChange(found)
    if (
      found !== NONE &&
      entries.encoding(found) === StringEncoding.INT &&
      entries.type(found) === Type.STRING &&
      (entries.flags(found) & ~EntryFlag.INDEXED) === flags
    ) {
      entries.setInteger(found, value)
      this.renewExpiry(db, found, expiry)
      return
    }
    const entry = entries.create(Type.STRING, StringEncoding.INT, flags, keyBytes, keyPos, keyLen, 0)
    entries.setInteger(entry, value)
    this.settle(db, found, entry, expiry)
  }

  /** Whether a string of `len` bytes can take the place of the value without a new block, wasting none. */
  private fits(entry: Ref, flags: number, len: number): boolean {
    const entries = this.entries
    if (entries.type(entry) !== Type.STRING || entries.encoding(entry) === StringEncoding.INT) return false
    if ((entries.flags(entry) & ~EntryFlag.INDEXED) !== flags) return false
    if ((flags & EntryFlag.OWN) !== 0) {
      return this.memory.capacity(entries.value(entry) as Ref) === blockSizeFor(len)
    }
    const old = entries.value(entry)
    if (old === len) return true
    const capacity = this.memory.capacity(entry)
    return blockSizeFor(capacity - entries.inlineRoom(entry) + len) === capacity
  }

  private setLength(entry: Ref, len: number): void {
    if (this.entries.isOwn(entry)) this.entries.setValueHigh(entry, len)
    else this.entries.setValue(entry, len)
  }

  /** Puts a new entry into the table, in `found`'s place if there is one. */
  private settle(db: Database, found: Ref, entry: Ref, expiry: Int64 | undefined): void {
    const entries = this.entries
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    if (found === NONE) return db.insert(entry)
    entries.setAccess(entry, entries.access(found))
    db.replace(entry)
    if (entries.fallsDue(found)) {
      const kept = entries.expires(found) && entries.isIndexed(found) && expiry !== undefined
      if (kept && toNumber(expiry) >= toNumber(entries.expiry(found))) entries.markIndexed(entry)
      db.forgetDue(found)
    }
    if (expiry !== undefined) db.noteExpiry(entry, db.hash)
    db.keyspace.freeEntry(found)
  }

  private renewExpiry(db: Database, entry: Ref, expiry: Int64 | undefined): void {
    if (expiry !== undefined) db.setExpiry(entry, expiry)
  }

  /** Adds a string of `len` zero bytes, at least one, for the key last looked up, which must not be there.
   *  Returns its entry. Allocates. */
  add(db: Database, keyBytes: Uint8Array, keyPos: number, keyLen: number, len: number): Ref {
    const { entries, memory } = this
    const own = len > INLINE_MAX ? EntryFlag.OWN : 0
    const inlineLen = own === 0 ? len : 0
    const entry = entries.create(Type.STRING, StringEncoding.RAW, own, keyBytes, keyPos, keyLen, inlineLen)
    if (own !== 0) entries.setValue(entry, memory.alloc(len))
    this.setLength(entry, len)
    this.locate(entry)
    this.bytes.fill(0, this.pos, this.pos + len)
    db.insert(entry)
    return entry
  }

  /** Makes an entry, which is in no database yet, for a string of `len` bytes that does not read as an integer. The
   *  bytes are the caller's to write, where `bytes` and `pos` point then. Allocates. */
  make(keyBytes: Uint8Array, keyPos: number, keyLen: number, len: number, expiry: Int64 | undefined): Ref {
    const { entries, memory } = this
    const own = len > INLINE_MAX
    const flags = (own ? EntryFlag.OWN : 0) | (expiry === undefined ? 0 : EntryFlag.EXPIRES)
    const encoding = len <= EMBSTR_MAX ? StringEncoding.EMBSTR : StringEncoding.RAW
    const entry = entries.create(Type.STRING, encoding, flags, keyBytes, keyPos, keyLen, own ? 0 : len)
    if (own) {
      entries.setValue(entry, memory.alloc(len))
      entries.setValueHigh(entry, len)
    }
    if (expiry !== undefined) entries.setExpiry(entry, expiry)
    this.locate(entry)
    return entry
  }

  /** Makes an entry, which is in no database yet, for an integer. Allocates. */
  makeInteger(keyBytes: Uint8Array, keyPos: number, keyLen: number, value: Int64, expiry: Int64 | undefined): Ref {
    const flags = expiry === undefined ? 0 : EntryFlag.EXPIRES
    const entry = this.entries.create(Type.STRING, StringEncoding.INT, flags, keyBytes, keyPos, keyLen, 0)
    this.entries.setInteger(entry, value)
    if (expiry !== undefined) this.entries.setExpiry(entry, expiry)
    return entry
  }

  /** Makes the string last found `len` bytes long, no less than it is, the new ones zero; it is raw from then on. If it
   *  has to move, room is left for `spare` bytes more. Returns the entry, which may have moved. Allocates. */
  extend(db: Database, entry: Ref, len: number, spare = Math.min(len, SPARE_MAX)): Ref {
    const entries = this.entries
    this.locate(entry)
    const old = this.len
    DEV: assert(len >= old, 'a string is extended, not cut')
    const inPlace = this.hasRoom(entry, len)
    const target = inPlace ? entry : this.remake(db, entry, len, len + spare)
    this.setLength(target, len)
    entries.setEncoding(target, StringEncoding.RAW)
    this.locate(target)
    this.bytes.fill(0, this.pos + old, this.pos + len)
    return target
  }

  private hasRoom(entry: Ref, len: number): boolean {
    const entries = this.entries
    if (entries.encoding(entry) === StringEncoding.INT) return false
    if (entries.isOwn(entry)) return this.memory.capacity(entries.value(entry) as Ref) >= len
    return entries.inlineRoom(entry) >= len
  }

  /** Takes bytes off the end of a string that is raw, which keeps its block; `len` are left, at least one. */
  shorten(entry: Ref, len: number): void {
    DEV: assert(len <= this.length(entry), 'a string is cut, not extended')
    this.setLength(entry, len)
  }

  /** Moves the string, which is to have `len` bytes, to where `wanted` have room. */
  private remake(db: Database, entry: Ref, len: number, wanted: number): Ref {
    const { entries, memory } = this
    if (entries.isOwn(entry)) {
      entries.setValue(entry, memory.resize(entries.value(entry) as Ref, wanted, this.len))
      return entry
    }
    const own = len > INLINE_MAX
    const flags = (entries.flags(entry) & ~EntryFlag.OWN) | (own ? EntryFlag.OWN : 0)
    const keyBytes = memory.bytesOf(entry)
    const keyPos = entries.keyPos(entry)
    const keyLen = entries.keyLen(entry)
    const target = entries.create(Type.STRING, StringEncoding.RAW, flags, keyBytes, keyPos, keyLen, own ? 0 : wanted)
    if (own) entries.setValue(target, memory.alloc(wanted))
    entries.setAccess(target, entries.access(entry))
    if (entries.expires(entry)) entries.setExpiry(target, entries.expiry(entry))
    this.setLength(target, this.len)
    const { bytes, pos, len: oldLen } = this
    this.locate(target)
    copyBytes(bytes, pos, this.bytes, this.pos, oldLen)
    db.replace(target)
    memory.free(entry)
    return target
  }

  freeValue(entry: Ref): void {
    if (this.entries.isOwn(entry)) this.memory.free(this.entries.value(entry) as Ref)
  }

  /** Bytes of the string's own block, 0 if it has none. */
  valueBytes(entry: Ref): number {
    return this.entries.isOwn(entry) ? this.memory.capacity(this.entries.value(entry) as Ref) : 0
  }

  /** Gives `target`, an own-block entry or an integer without a value, a copy of `source`'s. Allocates. */
  copyValue(source: Ref, target: Ref): void {
    const { entries, memory } = this
    if (entries.encoding(source) === StringEncoding.INT) return entries.setInteger(target, entries.integer(source))
    this.locate(source)
    const { bytes, pos, len } = this
    if (entries.isOwn(target)) {
      entries.setValue(target, memory.alloc(Math.max(len, 1)))
      entries.setValueHigh(target, len)
    } else entries.setValue(target, len)
    this.locate(target)
    copyBytes(bytes, pos, this.bytes, this.pos, len)
  }

  verify(entry: Ref): void {
    if (this.entries.encoding(entry) === StringEncoding.INT) return
    if (this.entries.isOwn(entry)) {
      assert(this.memory.capacity(this.entries.value(entry) as Ref) >= this.length(entry), 'the block holds the string')
    } else assert(this.entries.inlineRoom(entry) >= this.length(entry), 'the entry holds the string')
  }
}

const ENCODING_NAMES = ['int', 'embstr', 'raw']

export function stringKind(strings: Strings, entries: Entries): Kind {
  return {
    type: Type.STRING,
    name: 'string',
    encodingName: (entry) => ENCODING_NAMES[entries.encoding(entry)]!,
    freeValue: (entry) => strings.freeValue(entry),
    valueBytes: (entry) => strings.valueBytes(entry),
    copyValue: (source, target) => strings.copyValue(source, target),
    length: (entry) => strings.length(entry),
    memberTable: () => NONE,
    digest: (entry, into) => {
      strings.locate(entry)
      into.mix(strings.bytes, strings.pos, strings.len)
    },
    compact: (entry) => compactString(entries, entry),
    verify: (entry) => strings.verify(entry),
  }
}
