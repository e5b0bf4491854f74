/* Outputs of several clients take replies, bytes and ranges of shared buffers in any order, hold them back or hand them
 * over: each must hand over what was added, in order, and in the end nobody holds a shared buffer. */
import { expect, test } from 'vitest'
import { Random } from '../../../src/lib/random.ts'
import { dropBuffer, ReplyBuffer, takeBuffer } from '../../../src/protocol/reply-buffer.ts'
import { SharedBuffers } from '../../../src/protocol/shared-buffers.ts'
import { Output, SharedRange } from '../../../src/server/output.ts'

/** Takes everything out of an output, as a connection does when the kernel takes it all. */
function drain(output: Output): string {
  let text = ''
  const { first, shared } = output
  output.size = 0
  const more = output.takeMore()
  if (first !== null) {
    output.first = null
    text += first.view().toString('latin1')
    dropBuffer(first)
  } else if (shared !== null) {
    const buffer = output.takeShared(shared)
    text += Buffer.from(output.view).toString('latin1')
    dropBuffer(buffer)
  }
  for (const piece of more) {
    if (piece instanceof ReplyBuffer) {
      text += piece.view().toString('latin1')
      dropBuffer(piece)
    } else if (piece instanceof SharedRange) {
      text += Buffer.from(piece.view()).toString('latin1')
      dropBuffer(piece.buffer)
    } else text += Buffer.from(piece).toString('latin1')
  }
  return text
}

test.each([1, 2, 3, 4])('outputs hand over what was added, in order (seed %i)', (seed) => {
  const random = new Random(seed)
  const outputs = Array.from({ length: 5 }, () => ({ output: new Output(), expected: '' }))
  const writers = [new SharedBuffers(), new SharedBuffers()]
  const buffers = new Set<ReplyBuffer>()
  const lengths = [1, 60, 60, 60, 900, 5000, 9000, 40_000]
  let count = 0
  const textOf = () => `${count++}`.padEnd(lengths[random.below(lengths.length)]!, 'abcdefg')
  for (let step = 0; step < 4000; step++) {
    const chosen = outputs[random.below(outputs.length)]!
    const kind = random.below(20)
    const bytes = new Uint8Array(Buffer.from(textOf()))
    const text = Buffer.from(bytes).toString('latin1')
    if (kind < 2) {
      const buffer = takeBuffer(bytes.length)
      buffer.bytes.set(bytes)
      buffer.len = bytes.length
      chosen.output.addReply(buffer)
      chosen.expected += text
    } else if (kind < 3) {
      chosen.output.addBytes(bytes)
      chosen.expected += text
    } else if (kind < 16) {
      const buffer = writers[random.below(2)]!.begin(bytes.length)
      buffers.add(buffer)
      const from = buffer.len
      buffer.bytes.set(bytes, from)
      buffer.len += bytes.length
      for (const each of outputs) {
        if (random.below(2) === 0) continue
        each.output.addShared(buffer, from, buffer.len)
        each.expected += text
      }
    } else if (kind < 17) chosen.output.settle()
    for (const { output, expected } of outputs) expect(output.size).toBe(expected.length)
    if (kind < 17) continue
    const drained = kind < 19 ? [chosen] : outputs
    for (const each of drained) {
      if (drain(each.output) !== each.expected) throw new Error(`seed ${seed}, step ${step}: other bytes came out`)
      each.expected = ''
      expect([each.output.isEmpty, each.output.count]).toEqual([true, 0])
    }
  }
  for (const { output } of outputs) output.clear()
  // Each writer keeps one, and the long message it wrote last.
  expect([...buffers].filter((buffer) => buffer.users > 1)).toEqual([])
  expect([...buffers].filter((buffer) => buffer.users === 1).length).toBeLessThanOrEqual(4)
})
