/* Bytes that somebody else calls a listpack: what is accepted can be walked in both directions, and nothing outside of
 * the bytes is read on the way to a judgement. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { latin1 } from '../../../src/lib/bytes.ts'
import { Random } from '../../../src/lib/random.ts'
import { Memory, posOf } from '../../../src/memory/memory.ts'
import { Listpacks, NO_ELEMENT, validateListpack } from '../../../src/structures/listpack.ts'
import { guarded } from './guarded.ts'
import { anyListpack, encodeListpack, INTEGERS, LENGTHS, LOOKALIKES, mutate } from './listpack-model.ts'

const validate = (bytes: Uint8Array): number => validateListpack(guarded(bytes, 3), 3, bytes.length)

describe('a listpack from elsewhere', () => {
  test('is accepted if it is sound', () => {
    expect(validate(encodeListpack([]))).toBe(0)
    expect(validate(encodeListpack(['a', '1']))).toBe(2)
    expect(validate(encodeListpack(['a', '1'], 65535))).toBe(2)
    for (const text of [...INTEGERS, ...LOOKALIKES]) expect(validate(encodeListpack([text]))).toBe(1)
    for (const len of LENGTHS) expect(validate(encodeListpack(['-'.repeat(len), '']))).toBe(2)
  })

  test.each<[string, string]>([
    ['nothing', ''],
    ['less than a header', '06000000ff'],
    ['a header without an end', '060000000000'],
    ['a size that is too large', '080000000000ff'],
    ['a size that is too small', '060000000000ff'],
    ['a size of gigabytes', '070000800000ff'],
    ['no end', '0700000000007f'],
    ['an end too early', '09000000000001ffff'],
    ['an end in the middle', '0a00000000' + '00ff0102ff'],
    ['a count that is too large', '09000000' + '0200' + '0101ff'],
    ['a count that is too small', '09000000' + '0000' + '0101ff'],
    ['a head that is none', '09000000' + '0100' + 'f501ff'],
    ['an integer cut by the end', '09000000' + '0100' + 'f409ff'],
    ['a string cut by the end', '0a000000' + '0100' + '836102ff'],
    ['a length cut by the end', '08000000' + '0100' + 'e0ff'],
    ['a long length cut by the end', '0b000000' + '0100' + 'f0ffffffff'],
    ['a length of four gigabytes', '0d000000' + '0100' + 'f0ffffffff04ff'],
    ['a backlen that is wrong', '09000000' + '0100' + '0102ff'],
    ['a backlen without an end', '0d000000' + '0100' + '84808080' + '8081ff'],
  ])('is refused with %s', (_, hex) => {
    expect(validate(Buffer.from(hex, 'hex'))).toBe(-1)
  })

  test('is read within its bounds, and when accepted it is what it seems, however it was changed', () => {
    const memory = new Memory()
    const listpacks = new Listpacks(memory)
    let accepted = 0
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed)
        const mutant = mutate(anyListpack(random), random)
        const count = validate(mutant)
        if (count < 0) return
        accepted++
        const ref = listpacks.fromBytes(mutant, 0, mutant.length)
        listpacks.verify(ref)
        expect(listpacks.count(ref)).toBe(count)
        const texts: string[] = []
        const offs: number[] = []
        for (let off = listpacks.first(ref); off !== NO_ELEMENT; ) {
          offs.push(off)
          off = listpacks.locate(ref, off)
          texts.push(latin1(listpacks.bytes, listpacks.pos, listpacks.len))
        }
        expect(texts.length).toBe(count)
        expect(memory.capacity(ref)).toBeGreaterThanOrEqual(mutant.length)
        for (let off = listpacks.last(ref); off !== NO_ELEMENT; off = listpacks.prev(ref, off)) {
          expect(off).toBe(offs.pop())
        }
        expect(offs).toEqual([])
        const emptied = listpacks.deleteRange(ref, 0, count)
        const pos = posOf(emptied)
        expect(listpacks.isEmpty(emptied)).toBe(true)
        expect(validateListpack(memory.bytesOf(emptied), pos, listpacks.size(emptied))).toBe(0)
        listpacks.free(emptied)
      }),
      { numRuns: 4000 },
    )
    expect(accepted).toBeGreaterThan(200)
    expect(accepted).toBeLessThan(3500)
  })

  test('of random bytes is read within its bounds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (body) => {
        const bytes = Buffer.concat([Buffer.alloc(6), body, Buffer.of(255)])
        bytes.writeUInt32LE(bytes.length)
        bytes.writeUInt16LE(65535, 4)
        expect(validate(bytes)).toBeLessThanOrEqual(body.length / 2)
      }),
      { numRuns: 5000 },
    )
  })
})
