/* Fields of a large hash: the entries of its table, each with its value.
 *
 *   word  0      1           [2]
 *       +------+-----------+----------+-------------+-------------+
 *       | head | value len | long len | field bytes | value bytes |      a value of up to INLINE_MAX bytes
 *       +------+-----------+----------+-------------+-------------+
 *       | head | block     | long len | field bytes |                    OWN: a longer one
 *       +------+-----------+----------+-------------+
 *                  └──► | value len | value bytes … |
 *
 * `head` is structures/entry-head.ts's: the field is the key, type and encoding are zero; the long length is there from
 * 65,535 bytes on. Setting a value in place is possible while the block's size does not change. */
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
const VALUE = 1
/** Bytes of a value's length in a block of its own. */
const LEN_SIZE = 4

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

  /** Makes a field with both copied in. Allocates. */
  create(bytes: Uint8Array, pos: number, len: number, valueBytes: Uint8Array, valuePos: number, valueLen: number): Ref {
    const { memory } = this
    const long = len >= KEY_LEN_LONG
    const keyWord = long ? 3 : 2
    const own = valueLen > INLINE_MAX
    const field = memory.alloc((keyWord << 2) + len + (own ? 0 : valueLen))
    const chunk = field >>> CHUNK_SHIFT
    const words = memory.words[chunk]!
    const head = (field & CHUNK_MASK) << 2
    words[head] = keyWord | (own ? OWN_BIT : 0) | ((long ? KEY_LEN_LONG : len) << KEY_LEN_SHIFT)
    if (long) words[head + 2] = len
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

  /** The block of the value, or NONE if it is inline. */
  blockOf(field: Ref): Ref {
    return (this.memory.word(field, 0) & OWN_BIT) === 0 ? NONE : (this.memory.word(field, VALUE) as Ref)
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
    assert(keyWord === (long ? 3 : 2), 'the field begins behind its head')
    this.locate(field)
    const block = this.blockOf(field)
    assert(block === NONE ? this.len <= INLINE_MAX : this.len > INLINE_MAX, 'just the long values have their own block')
    const size = (keyWord << 2) + keyLenOf(memory, field) + (block === NONE ? this.len : 0)
    assert(memory.capacity(field) === blockSizeFor(size), 'a field has a block of its size')
    if (block !== NONE) assert(memory.capacity(block) === blockSizeFor(LEN_SIZE + this.len), 'and so has its value')
  }
}
