/* What sorted indexes and sequences cost: nanoseconds an operation on a million members or nodes, and bytes for each.
 * The figures in the essays of src/structures/sorted-index.ts and sequence.ts come from here. Asserts must be dropped
 * as in production, so it is bundled first:
 *
 *   npx esbuild bench/structures-trees.ts --bundle --platform=node --format=esm --drop-labels=DEV --minify-syntax \
 *     --log-level=warning | node --input-type=module -
 *
 * Every sample is a thousand operations, short enough to fit between two turns of another process: the lesser samples
 * are those of a quiet machine. Where a tree grows, the samples are of its last quarter. */
import { Random } from '../src/lib/random.ts'
import { Memory, NONE, type Ref } from '../src/memory/memory.ts'
import { Sequence } from '../src/structures/sequence.ts'
import { IndexCursor, SortedIndex } from '../src/structures/sorted-index.ts'
import { createMember, scoreOf, setScore } from '../src/structures/zset-member.ts'
import { percentile } from './statistics.ts'

const COUNT = 1_000_000
const SAMPLE = 1000
const LOOKUPS = 400_000

let sink = 0

/** Times `operation` for 0 to count - 1; what it returns is summed up, so that no work is dead. */
function measure(name: string, count: number, operation: (index: number) => number, growing = false): void {
  const samples: number[] = []
  let sum = 0
  for (let index = 0; index < count; ) {
    const began = performance.now()
    for (const end = index + SAMPLE; index < end; index++) sum = (sum + operation(index)) | 0
    samples.push(((performance.now() - began) * 1e6) / SAMPLE)
  }
  sink = (sink + sum) | 0
  const sorted = Float64Array.from(samples.slice(growing ? samples.length * 0.75 : samples.length * 0.1)).sort()
  const figures = [0.1, 0.5, 0.9].map((share) => percentile(sorted, share).toFixed(0).padStart(8))
  process.stdout.write(`  ${name.padEnd(44)}${figures.join('')}\n`)
}

const note = (name: string, value: number): void => {
  process.stdout.write(`  ${name.padEnd(44)}${value.toFixed(2).padStart(16)}\n`)
}

/** Scores by the order in which members come. */
const ORDERS: Record<string, (index: number, random: Random) => number> = {
  'in random order': (_, random) => random.fraction() * COUNT,
  ascending: (index) => index,
  'descending, as from an RDB file': (index) => COUNT - index,
  'all of one score': () => 0,
}

function measureIndex(order: string, scoreFor: (index: number, random: Random) => number): void {
  process.stdout.write(`sorted index, ${COUNT} members ${order}${'10 %  50 %  90 %, ns'.padStart(30)}\n`)
  const memory = new Memory()
  const random = new Random(1)
  const index = new SortedIndex(memory)
  const root = index.create()
  const members = new Int32Array(COUNT)
  const text = Buffer.alloc(32)
  for (let number = 0; number < COUNT; number++) {
    // The members of one score come in random order too.
    const name = order === 'all of one score' ? random.next() * 2 ** 20 + number : number
    members[number] = createMember(memory, scoreFor(number, random), text, 0, text.write(`element:${name}`))
  }
  const memberAt = (number: number): Ref => members[number]! as Ref
  // As a command does that has just found the member in the table: its first line is in the cache.
  const scoreAt = (number: number): number => scoreOf(memory, memberAt(number))
  const insert = (number: number): number => {
    index.insert(root, scoreAt(number), memberAt(number))
    return 0
  }
  measure('insert', COUNT, insert, true)
  note('bytes a member', index.bytes(root) / COUNT)
  if (order !== 'in random order' && order !== 'all of one score') return

  measure('read a random member (part of what follows)', LOOKUPS, () => scoreAt(random.below(COUNT)))
  const rankOf = (number: number): number => index.rank(root, scoreAt(number), memberAt(number))
  measure('rank', LOOKUPS, () => rankOf(random.below(COUNT)))
  measure('at', LOOKUPS, () => index.at(root, random.below(COUNT)))
  measure('at, first and last', LOOKUPS, (number) => index.at(root, (number & 1) * (COUNT - 1)))
  measure('scoreRank', LOOKUPS, () => index.scoreRank(root, random.fraction() * COUNT, false))
  const cursor = new IndexCursor(memory)
  measure('seekScore', LOOKUPS, () => {
    index.seekScore(root, random.fraction() * COUNT, false, cursor)
    return cursor.member
  })
  index.seek(root, 0, cursor)
  const step = (): number => {
    const member = cursor.member
    cursor.next()
    return member
  }
  measure('next', COUNT, step)
  index.seek(root, COUNT - 1, cursor)
  measure('prev, and score', COUNT, () => {
    const score = cursor.score
    cursor.prev()
    return score
  })
  const rescore = (number: number, score: number): number => {
    const member = memberAt(number)
    index.rescore(root, scoreOf(memory, member), member, score)
    setScore(memory, member, score)
    return 0
  }
  if (order === 'in random order') {
    const nearby = (number: number): number => rescore(number, scoreAt(number) + 1)
    measure('rescore, by one', LOOKUPS, () => nearby(random.below(COUNT)))
    measure('rescore, to anywhere', LOOKUPS, () => rescore(random.below(COUNT), random.fraction() * COUNT))
    note('bytes a member', index.bytes(root) / COUNT)
  }
  const remove = (number: number): number => {
    index.remove(root, scoreAt(number), memberAt(number))
    return 0
  }
  measure('remove', 300_000, remove)
  note('bytes a member', index.bytes(root) / index.count(root))
  measure('remove the first', 300_000, () => index.removeRange(root, 0, 1))
  measure('remove the last', 300_000, () => index.removeRange(root, index.count(root) - 1, 1))
}

function measureSequence(): void {
  process.stdout.write(`sequence, ${COUNT} nodes of one element${'10 %  50 %  90 %, ns'.padStart(30)}\n`)
  const memory = new Memory()
  const random = new Random(1)
  const sequence = new Sequence(memory)
  const root = sequence.create()
  const payload = memory.alloc(16)
  measure('insert last', COUNT, () => sequence.insertLast(root, payload, 1, 10, 0), true)
  note('bytes a node', sequence.bytes(root) / COUNT)
  measure('node of a random element', LOOKUPS, () => sequence.nodeAt(root, random.below(COUNT)))
  const update = (node: Ref, change: number): number => {
    sequence.setNode(root, node, payload, sequence.countIn(node) + change, 10)
    return node
  }
  measure('push onto the tail node', LOOKUPS, () => update(sequence.tail(root), 1))
  measure('pop from the tail node', LOOKUPS, () => update(sequence.tail(root), -1))
  const nodes = new Int32Array(LOOKUPS)
  for (let index = 0; index < LOOKUPS; index++) nodes[index] = sequence.nodeAt(root, 1 + random.below(COUNT - 2))
  measure('another count in a random node', LOOKUPS, (index) => update(nodes[index]! as Ref, 1))
  let node = sequence.head(root)
  measure('next', COUNT - SAMPLE, () => {
    node = sequence.next(node)
    return node
  })
  const insert = (): number => sequence.insertAfter(root, nodes[random.below(LOOKUPS)]! as Ref, payload, 1, 10, 0)
  measure('insert after a random node', LOOKUPS, insert)
  note('bytes a node', sequence.bytes(root) / sequence.nodeCount(root))
  const removed = (which: Ref): number => {
    sequence.removeNode(root, which)
    return which
  }
  measure('remove the first', LOOKUPS, () => removed(sequence.head(root)))
  measure('remove the last', LOOKUPS, () => removed(sequence.tail(root)))
  const dismantle = (): number => sequence.dismantle(root)
  measure('dismantle', Math.floor(sequence.nodeCount(root) / SAMPLE) * SAMPLE, dismantle)
  while (sequence.dismantle(root) !== NONE) sink++
}

for (const [order, scoreFor] of Object.entries(ORDERS)) measureIndex(order, scoreFor)
measureSequence()
process.stdout.write(`checksum ${sink}\n`)
