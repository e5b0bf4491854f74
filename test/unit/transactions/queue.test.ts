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

test('lent bytes are not copied before they are to change, and all come out as they went in', () => {
  const queue = new Queue()
  const first = fromLatin1('SET a 1 SET b 2')
  const word = Int32Array.of(3, 1, 1)
  const texts = () => {
    queue.rewind()
    return Array.from({ length: queue.count }, () => read(queue).args.join(' '))
  }
  queue.add(1, first, Int32Array.of(0, 4, 6), word, 3, true, 7, true)
  queue.add(1, first, Int32Array.of(8, 12, 14), word, 3, false, 0, true)
  expect(queue.bytes).toBe(first)
  expect(texts()).toEqual(['SET a 1', 'SET b 2'])
  queue.settle()
  first.fill(0)
  expect(texts()).toEqual(['SET a 1', 'SET b 2'])
  // What has bytes of its own by now does not refer to lent ones.
  const next = fromLatin1(`SET c ${'3'.repeat(5000)}`)
  queue.add(1, next, Int32Array.of(0, 4, 6), Int32Array.of(3, 1, 5000), 3, false, 0, true)
  next.fill(0)
  expect(texts()).toEqual(['SET a 1', 'SET b 2', `SET c ${'3'.repeat(5000)}`])
  expect(queue.memoryBytes).toBe(10 + 4 + 5000 + 9 * 8)
})

test('lent bytes are kept when others come in between, and forgotten with the queue', () => {
  const queue = new Queue()
  const lent = fromLatin1('PING')
  queue.add(1, lent, Int32Array.of(0), Int32Array.of(4), 1, false, 0, true)
  add(queue, 2, ['GET', 'k'])
  lent.fill(0)
  queue.rewind()
  expect([read(queue).args, read(queue).args]).toEqual([['PING'], ['GET', 'k']])
  queue.clear()
  queue.add(1, lent, Int32Array.of(0), Int32Array.of(4), 1, false, 0, true)
  queue.clear()
  expect(queue.bytes).not.toBe(lent)
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
