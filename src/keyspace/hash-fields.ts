/* Fields of a large hash: the entries of its table, each with its value.
 *
 *   word  0      1           [2]            [+1]
 *       +------+-----------+--------------+----------+-------------+-------------+
 *       | head | value len | expiry lo hi | long len | field bytes | value bytes |   a value of up to INLINE_MAX bytes
 *       +------+-----------+--------------+----------+-------------+-------------+
 *       | head | block     | expiry lo hi | long len | field bytes |                 OWN: a longer one
 *       +------+-----------+--------------+----------+-------------+
 *                  └──► | value len | value bytes … |
 *
 * `head` is structures/entry-head.ts's: the field is the key, type and encoding are zero; the long length is there from
 * 65,535 bytes on, the expiry (Unix time in milliseconds, below 2^47) only if the field EXPIRES. Setting a value in
 * place is possible while the block's size does not change. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { blockSizeFor, CHUNK_MASK, CHUNK_SHIFT, type Memory, NONE, posOf, type Ref } from '../memory/memory.ts'
import {
  FLAGS_SHIFT,
  KEY_LEN_LONG,
  KEY_LEN_SHIFT,
  KEY_WORD_MASK,
  keyLenOf,
  keyPosOf,
} from '../structures/entry-head.ts'

/** The longest value that lies in the field's own block. */
export const INLINE_MAX = 1024
const OWN_BIT = 1 << FLAGS_SHIFT
const EXPIRES_BIT = 2 << FLAGS_SHIFT
const VALUE = 1
const EXPIRY_LOW = 2
const EXPIRY_HIGH = 3
const TWO_32 = 2 ** 32
/** Bytes of a value's length in a block of its own. */
const LEN_SIZE = 4

/** The word at which the field's bytes begin. */
function keyWordFor(long: boolean, due: number): number {
  return (due > 0 ? EXPIRY_HIGH + 1 : VALUE + 1) + (long ? 1 : 0)
}

export class HashFields {
  readonly memory: Memory
  /** The value last located. Dead after anything that allocates. */
  bytes: Uint8Array
  pos = 0
  len = 0

  constructor(memory: Memory) {
    this.memory = memory
    this.bytes = memory.bytes[0]!
  }

  /** Makes a field with both copied in; `due` is when it expires, 0 if never. Allocates. */
  create(
    bytes: Uint8Array,
    pos: number,
    len: number,
    valueBytes: Uint8Array,
    valuePos: number,
    valueLen: number,
    due = 0,
  ): Ref {
    const { memory } = this
    const long = len >= KEY_LEN_LONG
    const keyWord = keyWordFor(long, due)
    const own = valueLen > INLINE_MAX
    const field = memory.alloc((keyWord << 2) + len + (own ? 0 : valueLen))
    const chunk = field >>> CHUNK_SHIFT
    const words = memory.words[chunk]!
    const head = (field & CHUNK_MASK) << 2
    const flags = (own ? OWN_BIT : 0) | (due > 0 ? EXPIRES_BIT : 0)
    words[head] = keyWord | flags | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT)
    if (due > 0) this.setDue(field, due)
    if (long) words[head + keyWord - 1] = len
    const keyPos = (head + keyWord) << 2
    copyBytes(bytes, pos, memory.bytes[chunk]!, keyPos, len)
    if (own) words[head + VALUE] = this.createBlock(valueBytes, valuePos, valueLen)
    else {
      words[head + VALUE] = valueLen
      copyBytes(valueBytes, valuePos, memory.bytes[chunk]!, keyPos + len, valueLen)
    }
    return field
  }

  private createBlock(bytes: Uint8Array, pos: number, len: number): Ref {
    const { memory } = this
    const block = memory.alloc(LEN_SIZE + len)
    memory.setWord(block, 0, len)
    copyBytes(bytes, pos, memory.bytesOf(block), posOf(block) + LEN_SIZE, len)
    return block
  }

  /** Writes a value over the one there is, if that takes a block of the same size; false if not. */
  overwrite(field: Ref, bytes: Uint8Array, pos: number, len: number): boolean {
    const { memory } = this
    const block = this.blockOf(field)
    if (block !== NONE) {
      if (len <= INLINE_MAX || memory.capacity(block) !== blockSizeFor(LEN_SIZE + len)) return false
      memory.setWord(block, 0, len)
      copyBytes(bytes, pos, memory.bytesOf(block), posOf(block) + LEN_SIZE, len)
      return true
    }
    const valuePos = keyPosOf(memory, field) + keyLenOf(memory, field)
    const size = valuePos - posOf(field) + len
    if (len !== memory.word(field, VALUE)) {
      if (len > INLINE_MAX || memory.capacity(field) !== blockSizeFor(size)) return false
      memory.setWord(field, VALUE, len)
    }
    copyBytes(bytes, pos, memory.bytesOf(field), valuePos, len)
    return true
  }

  /** When the field expires, 0 if never. */
  due(field: Ref): number {
    const { memory } = this
    if ((memory.word(field, 0) & EXPIRES_BIT) === 0) return 0
    return memory.word(field, EXPIRY_HIGH) * TWO_32 + (memory.word(field, EXPIRY_LOW) >>> 0)
  }

  /** Sets when a field that expires does so. */
  setDue(field: Ref, due: number): void {
    this.memory.setWord(field, EXPIRY_LOW, due | 0)
    this.memory.setWord(field, EXPIRY_HIGH, Math.floor(due / TWO_32))
  }

  /** Makes the same field with an expiry or (0) without one; its value goes with it. The caller puts the new one into
   *  the table, and frees the block of `field`. Allocates. */
  recreate(field: Ref, due: number): Ref {
    const { memory } = this
    const block = this.blockOf(field)
    const bytes = memory.bytesOf(field)
    const pos = keyPosOf(memory, field)
    const len = keyLenOf(memory, field)
    const valueLen = block === NONE ? memory.word(field, VALUE) : 0
    const fresh = this.create(bytes, pos, len, bytes, pos + len, valueLen, due)
    if (block !== NONE) {
      memory.setWord(fresh, 0, memory.word(fresh, 0) | OWN_BIT)
      memory.setWord(fresh, VALUE, block)
    }
    return fresh
  }

  /** The block of the value, or NONE if it is inline. */
  blockOf(field: Ref): Ref {
    return (this.memory.word(field, 0) & OWN_BIT) === 0 ? NONE : (this.memory.word(field, VALUE) as Ref)
  }
  /** Of a field whose value has a block of its own: that is another one now, with the same content. */
  setBlock(field: Ref, block: Ref): void {
    this.memory.setWord(field, VALUE, block)
  }

  /** Points `bytes`, `pos`, `len` at the value. */
  locate(field: Ref): void {
    const { memory } = this
    const block = this.blockOf(field)
    if (block === NONE) {
      this.bytes = memory.bytesOf(field)
      this.pos = keyPosOf(memory, field) + keyLenOf(memory, field)
      this.len = memory.word(field, VALUE)
    } else {
      this.bytes = memory.bytesOf(block)
      this.pos = posOf(block) + LEN_SIZE
      this.len = memory.word(block, 0)
    }
  }

  free(field: Ref): void {
    const block = this.blockOf(field)
    if (block !== NONE) this.memory.free(block)
    this.memory.free(field)
  }

  verify(field: Ref): void {
    const { memory } = this
    const long = memory.word(field, 0) >>> KEY_LEN_SHIFT === KEY_LEN_LONG
    const keyWord = memory.word(field, 0) & KEY_WORD_MASK
    assert(keyWord === keyWordFor(long, this.due(field)), 'the field begins behind its head')
    this.locate(field)
    const block = this.blockOf(field)
    assert(block === NONE ? this.len <= INLINE_MAX : this.len > INLINE_MAX, 'just the long values have their own block')
    const size = (keyWord << 2) + keyLenOf(memory, field) + (block === NONE ? this.len : 0)
    assert(memory.capacity(field) === blockSizeFor(size), 'a field has a block of its size')
    if (block !== NONE) assert(memory.capacity(block) === blockSizeFor(LEN_SIZE + this.len), 'and so has its value')
  }
}
