/* Streams against a plain model of them, under random operations, with nodes of a few entries and trees of tiny blocks,
 * so that everything splits, joins and goes. `verify` checks log and groups after each operation, and the memory at the
 * end. */
import { describe, expect, test } from 'vitest'
import type { Database } from '../../../src/keyspace/database.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { Streams, streamKind } from '../../../src/keyspace/streams.ts'
import { latin1 } from '../../../src/lib/bytes.ts'
import { Random } from '../../../src/lib/random.ts'
import { StreamId } from '../../../src/lib/stream-id.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { LogId } from '../../../src/structures/stream-log.ts'
import { testSeed } from '../../helpers/seed.ts'
import { endOf } from './support.ts'

const ROUNDS = 6
const STEPS = 300
const KEY = Buffer.from('stream')

interface ModelEntry {
  readonly id: bigint
  readonly pairs: readonly string[]
}
interface ModelPending {
  owner: string
  time: number
  count: number
}
interface ModelGroup {
  lastId: bigint
  readonly consumers: Set<string>
  readonly pending: Map<bigint, ModelPending>
}

const idOf = (value: bigint): StreamId =>
  new StreamId().set(
    Number((value >> 96n) & 0xffffffffn),
    Number((value >> 64n) & 0xffffffffn),
    Number((value >> 32n) & 0xffffffffn),
    Number(value & 0xffffffffn),
  )
const word = (value: number): bigint => BigInt(value >>> 0)
const numberOf = ({ msHigh, msLow, seqHigh, seqLow }: StreamId): bigint =>
  (word(msHigh) << 96n) | (word(msLow) << 64n) | (word(seqHigh) << 32n) | word(seqLow)

function ranges(parts: readonly string[]) {
  const pos = new Int32Array(parts.length)
  const len = new Int32Array(parts.length)
  let at = 0
  parts.forEach((part, index) => {
    pos[index] = at
    len[index] = part.length
    at += part.length
  })
  return { bytes: new Uint8Array(Buffer.from(parts.join(''), 'latin1')), pos, len }
}

class Pair {
  readonly keyspace = new Keyspace(1)
  readonly streams: Streams
  readonly db: Database
  readonly random: Random
  readonly entry: Ref
  readonly root: Ref
  entries: ModelEntry[] = []
  readonly groups = new Map<string, ModelGroup>()
  lastId = 0n
  deleted = 0n
  added = 0

  constructor(seed: number) {
    const { keyspace } = this
    this.random = new Random(seed)
    this.streams = new Streams(keyspace.entries, keyspace.listpacks, (step) => keyspace.doom(step), 4, 4)
    keyspace.register(streamKind(this.streams))
    this.streams.log.nodeEntriesMax = 1 + this.random.below(7)
    this.db = keyspace.databases[0]!
    this.db.lookup(KEY, 0, KEY.length)
    this.entry = this.streams.add(this.db, KEY, 0, KEY.length)
    this.root = this.streams.rootOf(this.entry)
  }

  private text(): string {
    const { random } = this
    switch (random.below(6)) {
      case 0:
        return String(random.below(2) * 1e9 - random.below(100000))
      case 1:
        return ''
      case 2:
        return 'x'.repeat(random.below(200))
      case 3:
        return 'long'.repeat(random.below(1500))
      default:
        return `value ${random.below(1000)}`
    }
  }

  private nextId(): bigint {
    const { random } = this
    const step = [1n, BigInt(1 + random.below(5)), 1n << 64n, (3n << 64n) - 2n, (1n << 32n) + 7n][random.below(5)]!
    return this.lastId + step
  }

  append(): void {
    const { random } = this
    const usual = ['name', 'age', '12']
    const fields = random.below(4) === 0 ? Array.from({ length: 1 + random.below(5) }, () => this.text()) : usual
    const pairs = fields.flatMap((field) => [field, this.text()])
    const id = this.nextId()
    this.streams.log.append(this.root, idOf(id), ranges(pairs), 0, fields.length)
    this.entries.push({ id, pairs })
    this.lastId = id
    this.added++
  }

  private someId(): bigint {
    const { random, entries } = this
    if (entries.length === 0 || random.below(8) === 0) return this.lastId + BigInt(random.below(3)) - 1n
    return entries[random.below(entries.length)]!.id + (random.below(5) === 0 ? 1n : 0n)
  }

  delete(): void {
    const { log } = this.streams
    const id = this.someId() < 0n ? 0n : this.someId()
    const at = this.entries.findIndex((entry) => entry.id === id)
    expect(log.has(this.root, idOf(id))).toBe(at >= 0)
    expect(log.delete(this.root, idOf(id))).toBe(at >= 0)
    if (at >= 0) this.entries.splice(at, 1)
    log.renewFirst(this.root)
  }

  trim(): void {
    const { random, entries } = this
    const { log } = this.streams
    const approximate = random.below(2) === 0
    const limit = random.below(3) === 0 ? 1 + random.below(20) : 0
    const left = random.below(entries.length + 5)
    const id = this.someId()
    if (id < 0n) return
    const byLength = random.below(2) === 0
    const gone = byLength
      ? log.trimToLength(this.root, left, approximate, approximate ? limit : 0)
      : log.trimToId(this.root, idOf(id), approximate, approximate ? limit : 0)
    const wanted = byLength ? Math.max(entries.length - left, 0) : entries.filter((entry) => entry.id < id).length
    if (approximate) expect(gone).toBeLessThanOrEqual(limit > 0 ? Math.min(limit, wanted) : wanted)
    else expect(gone).toBe(wanted)
    entries.splice(0, gone)
  }

  range(): void {
    const { random, streams } = this
    const [one, other] = [this.someId(), this.someId()]
    if (one < 0n || other < 0n) return
    const [from, to] = one < other ? [one, other] : [other, one]
    const backwards = random.below(2) === 0
    const expected = this.entries.filter(({ id }) => id >= from && id <= to)
    if (backwards) expected.reverse()
    streams.walk.start(this.root, idOf(from), idOf(to), backwards)
    expect(this.read()).toEqual(expected)
  }

  private read(): ModelEntry[] {
    const { walk, log } = this.streams
    const { listpacks } = log.nodes
    const found: ModelEntry[] = []
    while (walk.next()) {
      const pairs: string[] = []
      for (let left = walk.fieldCount; left > 0; left--) {
        walk.locateField()
        pairs.push(latin1(listpacks.bytes, listpacks.pos, listpacks.len))
        walk.locateValue()
        pairs.push(latin1(listpacks.bytes, listpacks.pos, listpacks.len))
      }
      found.push({ id: numberOf(walk.id), pairs })
    }
    return found
  }

  // Groups.

  private name(count: number): string {
    const number = this.random.below(count)
    return number === 0 ? '' : `name-${number}`
  }

  group(): void {
    const { random, root } = this
    const { groups } = this.streams
    const name = this.name(5)
    const bytes = Buffer.from(name)
    const group = groups.group(root, bytes, 0, bytes.length)
    const model = this.groups.get(name)
    expect(group === NONE).toBe(model === undefined)
    if (model === undefined) {
      groups.addGroup(root, bytes, 0, bytes.length, idOf(this.lastId), -1)
      this.groups.set(name, { lastId: this.lastId, consumers: new Set(), pending: new Map() })
    } else if (random.below(60) === 0) {
      groups.detachGroup(root, group)
      this.streams.freeGroup(group)
      this.groups.delete(name)
    } else for (let left = 8; left > 0; left--) this.consumer(group, model)
  }

  private consumer(group: Ref, model: ModelGroup): void {
    const { random } = this
    const { groups } = this.streams
    const name = this.name(12)
    const bytes = Buffer.from(name)
    const consumer = groups.consumer(group, bytes, 0, bytes.length)
    expect(consumer !== NONE).toBe(model.consumers.has(name))
    if (consumer === NONE) {
      groups.addConsumer(group, bytes, 0, bytes.length, 5)
      model.consumers.add(name)
    } else if (random.below(40) === 0) {
      const owned = [...model.pending].filter(([, { owner }]) => owner === name)
      expect(groups.ownedCount(consumer)).toBe(owned.length)
      groups.removeConsumer(group, consumer)
      for (const [id] of owned) model.pending.delete(id)
      model.consumers.delete(name)
    } else this.pend(group, model, consumer, name)
  }

  private pend(group: Ref, model: ModelGroup, consumer: Ref, name: string): void {
    const { random } = this
    const { groups } = this.streams
    const value = BigInt(random.below(200)) << BigInt(random.below(2) * 64)
    const id = idOf(value)
    const pending = model.pending.get(value)
    expect(groups.findPending(group, id)).toBe(pending !== undefined)
    if (pending === undefined) {
      expect(groups.addPending(group, id, consumer, 7, 1)).toBe(true)
      model.pending.set(value, { owner: name, time: 7, count: 1 })
    } else if (random.below(2) === 0) {
      expect(groups.addPending(group, id, consumer, 7, 1)).toBe(false)
      expect(groups.removePending(group, id)).toBe(true)
      model.pending.delete(value)
    } else {
      groups.setDelivery(group, id, pending.time + 1, pending.count + 2)
      groups.give(group, id, consumer)
      model.pending.set(value, { owner: name, time: pending.time + 1, count: pending.count + 2 })
    }
  }

  verify(): void {
    const { streams, entries, root, entry } = this
    streams.verify(entry)
    const { log, groups } = streams
    expect(log.length(root)).toBe(entries.length)
    expect(numberOf(log.id(root, LogId.LAST, new StreamId()))).toBe(this.lastId)
    expect(numberOf(log.id(root, LogId.FIRST, new StreamId()))).toBe(entries[0]?.id ?? 0n)
    expect(log.added(root)).toBe(this.added)
    expect(groups.groupCount(root)).toBe(this.groups.size)
  }

  verifyAll(root: Ref): void {
    const { streams } = this
    const { groups } = streams
    streams.walk.startAt(root, true)
    expect(this.read()).toEqual(this.entries)
    const names = [...this.groups.keys()].sort()
    names.forEach((name, rank) => {
      const group = groups.groupAt(root, rank)
      const model = this.groups.get(name)!
      expect(this.nameOf(group)).toBe(name)
      const consumers = [...model.consumers].sort()
      expect(consumers.map((_, at) => this.nameOf(groups.consumerAt(group, at)))).toEqual(consumers)
      expect(groups.pendingCount(group)).toBe(model.pending.size)
      for (const [id, pending] of model.pending) {
        expect(groups.findPending(group, idOf(id))).toBe(true)
        expect(groups.deliveredAt).toBe(pending.time)
        expect(groups.deliveries).toBe(pending.count)
        expect(this.nameOf(groups.owner(group))).toBe(pending.owner)
      }
    })
  }

  private nameOf(block: Ref): string {
    const { groups } = this.streams
    return latin1(this.keyspace.memory.bytesOf(block), groups.namePos(block), groups.nameLen(block))
  }

  step(): void {
    const kind = this.random.below(20)
    if (kind < 8) this.append()
    else if (kind < 11) this.delete()
    else if (kind < 12) this.trim()
    else if (kind < 15) this.range()
    else this.group()
  }
}

describe('streams', () => {
  test('do what the model does, and leave no byte behind', () => {
    for (let round = 0; round < ROUNDS; round++) {
      const seed = testSeed(round)
      const pair = new Pair(seed)
      let step = 0
      try {
        for (; step < STEPS; step++) {
          pair.step()
          pair.verify()
        }
        pair.verifyAll(pair.root)
        pair.db.lookup(Buffer.from('copy'), 0, 4)
        pair.db.insertCopy(pair.entry, Buffer.from('copy'), 0, 4)
        const copy = pair.db.lookup(Buffer.from('copy'), 0, 4)
        pair.streams.verify(copy)
        pair.verifyAll(pair.streams.rootOf(copy))
        expect(pair.streams.valueBytes(copy)).toBeLessThanOrEqual(pair.streams.valueBytes(pair.entry))
        pair.db.remove(copy)
        pair.db.lookup(KEY, 0, KEY.length)
        pair.db.remove(pair.entry)
        endOf(pair.keyspace)
        expect(pair.keyspace.memory.usedBytes).toBeLessThan(5000)
      } catch (error) {
        throw new Error(`seed ${seed}, step ${step}`, { cause: error })
      }
    }
  })
})
