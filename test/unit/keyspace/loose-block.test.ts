import { describe, expect, test } from 'vitest'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { LooseBlock } from '../../../src/keyspace/loose-block.ts'
import { CHUNK_BYTES, FIRST_PAGE_BYTES, NONE, posOf } from '../../../src/memory/memory.ts'

const VALUE = 300 * 1024
const AT = 37

describe('a block for a long value', () => {
  test('has the value at the beginning of a granule, wherever it stands in the request', () => {
    const keyspace = new Keyspace(1)
    for (const at of [16, 17, 31, 32, AT]) {
      const block = LooseBlock.for(keyspace, at + VALUE + 2, at)!
      block.bytes.fill(1, 0, at)
      block.bytes.fill(2, at, at + VALUE)
      const ref = block.take(block.bytes, at, VALUE)
      const bytes = keyspace.memory.bytesOf(ref)
      const pos = posOf(ref)
      expect([bytes[pos - 1], bytes[pos], bytes[pos + VALUE - 1]], `at ${at}`).toEqual([1, 2, 2])
      keyspace.memory.free(ref)
    }
    keyspace.verify()
  })

  test('is not made for short values, huge requests, or values that begin late', () => {
    const keyspace = new Keyspace(1)
    expect(LooseBlock.for(keyspace, AT + 1000, AT)).toBeNull()
    expect(LooseBlock.for(keyspace, CHUNK_BYTES, AT)).toBeNull()
    expect(LooseBlock.for(keyspace, FIRST_PAGE_BYTES + VALUE, FIRST_PAGE_BYTES)).toBeNull()
    expect(keyspace.tenants).toBe(0)
  })

  test('is given away once, and only for the value that it was made for', () => {
    const keyspace = new Keyspace(1)
    const block = LooseBlock.for(keyspace, AT + VALUE + 2, AT)!
    expect(keyspace.tenants).toBe(1)
    expect(block.take(new Uint8Array(AT + VALUE), AT, VALUE)).toBe(NONE)
    expect(block.take(block.bytes, AT + 1, VALUE)).toBe(NONE)
    expect(block.take(block.bytes, AT, 1000)).toBe(NONE)
    const ref = block.take(block.bytes, AT, VALUE)
    expect(ref).not.toBe(NONE)
    expect(keyspace.tenants).toBe(0)
    expect(block.take(block.bytes, AT, VALUE)).toBe(NONE)
    block.free() // does nothing: it has been taken
    const { usedBytes } = keyspace.memory
    keyspace.memory.free(ref)
    expect(keyspace.memory.usedBytes).toBeLessThan(usedBytes)
  })

  test('is freed once if nobody takes it', () => {
    const keyspace = new Keyspace(1)
    const { usedBytes } = keyspace.memory
    const block = LooseBlock.for(keyspace, AT + VALUE + 2, AT)!
    block.free()
    block.free()
    expect(keyspace.memory.usedBytes).toBe(usedBytes)
    expect(keyspace.tenants).toBe(0)
    keyspace.verify()
  })
})
