import { expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Queue, QueuePool } from '../../../src/transactions/queue.ts'

function add(queue: Queue, id: number, args: readonly string[], hash?: number): void {
  const bytes = fromLatin1(args.join('|'))
  const pos = new Int32Array(args.length)
  const len = Int32Array.from(args, (arg) => arg.length)
  for (let index = 1; index < args.length; index++) pos[index] = pos[index - 1]! + len[index - 1]! + 1
  queue.add(id, bytes, pos, len, args.length, hash !== undefined, hash ?? 0)
}

function read(queue: Queue): { id: number; args: string[]; hash: number | undefined } {
  queue.next()
  const pos = new Int32Array(queue.argc)
  const len = new Int32Array(queue.argc)
  queue.ranges(pos, len)
  const args = Array.from(pos, (at, index) => latin1(queue.bytes, at, len[index]!))
  return { id: queue.commandId, args, hash: queue.isHinted ? queue.hash : undefined }
}

test('commands come out as they went in, however many and large they are', () => {
  const queue = new Queue()
  const commands = Array.from({ length: 300 }, (_, index) => ({
    id: index * 7,
    args: Array.from({ length: 1 + (index % 40) }, (__, at) => 'x'.repeat((index * 31 + at * 17) % 200)),
    hash: index % 3 === 0 ? index * 1_000_003 : undefined,
  }))
  for (const { id, args, hash } of commands) add(queue, id, args, hash)
  expect(queue.count).toBe(300)
  for (let round = 0; round < 2; round++) {
    queue.rewind()
    expect(commands.map(() => read(queue))).toEqual(commands)
  }
})

test('its size is that of the arguments and what points to them', () => {
  const queue = new Queue()
  add(queue, 1, ['SET', 'k', 'value'])
  add(queue, 2, ['GET', 'k'])
  expect(queue.memoryBytes).toBe(3 + 1 + 5 + 3 + 1 + 5 * 8)
  expect(queue.capacity).toBeGreaterThanOrEqual(queue.memoryBytes)
})

test('a small queue is used again, empty; a large one is not kept', () => {
  const pool = new QueuePool()
  const small = pool.take()
  add(small, 1, ['SET', 'k', 'value'])
  pool.give(small)
  expect(pool.take()).toBe(small)
  expect(small.count).toBe(0)
  expect(small.memoryBytes).toBe(0)
  const large = pool.take()
  add(large, 1, ['SET', 'k', 'v'.repeat(100_000)])
  pool.give(large)
  expect(pool.take()).not.toBe(large)
})
