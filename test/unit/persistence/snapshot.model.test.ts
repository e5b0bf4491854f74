/* Random changes of every kind, interleaved with the slices of a snapshot: what it shows is what was there when it
 * began, no more and no less. */
import { expect, test } from 'vitest'
import { Session } from '../../../src/commands/session.ts'
import type { Hashes } from '../../../src/keyspace/hashes.ts'
import type { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { latin1 } from '../../../src/lib/bytes.ts'
import { Digest } from '../../../src/lib/digest.ts'
import { int64ToString } from '../../../src/lib/int64.ts'
import { Random } from '../../../src/lib/random.ts'
import { StreamId } from '../../../src/lib/stream-id.ts'
import { NONE, type Ref } from '../../../src/memory/memory.ts'
import { CommandImage } from '../../../src/persistence/aof/image.ts'
import type { LargeLimits } from '../../../src/persistence/frozen.ts'
import { Hint, RdbImage } from '../../../src/persistence/rdb/image.ts'
import { ValueFormats } from '../../../src/persistence/rdb/values.ts'
import { RdbWriter } from '../../../src/persistence/rdb/writer.ts'
import { Snapshot } from '../../../src/persistence/snapshot.ts'
import type { Server } from '../../../src/server/server.ts'
import { LogId } from '../../../src/structures/stream-log.ts'
import { SCAN_END } from '../../../src/structures/table.ts'
import { newServer, run } from '../server/support.ts'
import { Collector, load } from './rdb/support.ts'

const SEEDS = [1, 2, 3, 5]
const FORMATS = ['rdb', 'commands'] as const
type Format = (typeof FORMATS)[number]
const KEYS = 40
const DATABASES = 3

/** When the fields of a hash expire. */
function duesOf(hashes: Hashes, entry: Ref): string {
  const { walk } = hashes
  const dues: string[] = []
  for (walk.begin(entry); walk.next(); ) {
    walk.locateField()
    if (walk.due !== 0) dues.push(`${latin1(walk.bytes, walk.pos, walk.len)} ${walk.due}`)
  }
  return dues.sort().join()
}

/** What a stream knows beside its entries. */
function groupsOf({ streams, memory }: Keyspace, entry: Ref): string {
  const { log, groups } = streams
  const root = streams.rootOf(entry)
  const id = new StreamId()
  const nameOf = (block: Ref) => latin1(memory.bytesOf(block), groups.namePos(block), groups.nameLen(block))
  const ids = Object.values(LogId).map((which) => String(log.id(root, which, id)))
  const parts = [log.length(root), int64ToString(log.added(root)), ...ids]
  for (let rank = 0; rank < groups.groupCount(root); rank++) {
    const group = groups.groupAt(root, rank)
    parts.push(nameOf(group), String(groups.lastId(group, id)), groups.pendingCount(group))
    for (let at = 0; at < groups.consumerCount(group); at++) {
      const consumer = groups.consumerAt(group, at)
      parts.push(nameOf(consumer), groups.ownedCount(consumer))
    }
    const pending = groups.pendingRoot(group)
    for (let more = pending !== NONE && groups.pending.first(pending); more; more = groups.pending.next()) {
      const times = [groups.deliveredAt, groups.deliveries].map(int64ToString)
      parts.push(`${groups.pending.id(id)} ${times} ${nameOf(groups.owner(group))}`)
    }
  }
  return parts.join(' ')
}

/** Everything that a file must bring back, in one comparable form. */
function stateOf(keyspace: Keyspace): Map<string, string> {
  const { databases, table, entries, memory, kinds, hashes } = keyspace
  const state = new Map<string, string>()
  for (const db of databases) {
    for (let position = 0; position !== SCAN_END; ) {
      position = table.scan(db.root, position)
      for (const entry of [...table.found.subarray(0, table.foundCount)] as Ref[]) {
        const kind = kinds[entries.type(entry)]!
        const digest = new Digest()
        kind.digest(entry, digest)
        const expiry = entries.expires(entry) ? int64ToString(entries.expiry(entry)) : ''
        const key = latin1(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
        const dues = kind.name === 'hash' ? duesOf(hashes, entry) : ''
        const size = kind.name === 'stream' ? groupsOf(keyspace, entry) : kind.length(entry)
        state.set(`${db.id}:${key}`, `${kind.name} ${size} ${digest.hex} ${expiry} ${dues}`)
      }
    }
  }
  return state
}

/** A server in which collections are large when they have a few elements. */
function smallLimits(): Server {
  const server = newServer()
  const { sets, hashes, zsets, lists, streams } = server.keyspace
  sets.intsetCountMax = 8
  sets.listpackCountMax = 12
  hashes.listpackCountMax = 12
  zsets.listpackCountMax = 12
  lists.quicklist.setFill(8)
  lists.partedNodes = 1
  zsets.partedLeast = 1
  streams.log.nodeEntriesMax = 5
  return server
}

class Writer {
  private readonly server: Server
  private readonly session = new Session(1)
  private readonly random: Random

  constructor(server: Server, random: Random) {
    this.server = server
    this.random = random
  }

  do(...args: string[]): void {
    expect(run(this.server, this.session, ...args)).not.toMatch(/^-ERR/)
  }

  private key(): string {
    return `key:${this.random.below(KEYS)}`
  }
  private item(): string {
    const { random } = this
    const what = random.below(3)
    if (what === 0) return String(random.below(3000))
    return (what === 1 ? 'item:' : 'a longer element, so that listpacks do not hold many: ') + random.below(3000)
  }
  private items(each: (item: string) => string[]): string[] {
    return Array.from({ length: 1 + this.random.below(20) }, () => each(this.item())).flat()
  }

  /** A field that the hash has, or some item. */
  private field(key: string): string {
    const reply = run(this.server, this.session, 'HKEYS', key)
    const fields = reply.split('\r\n').filter((_, at) => at > 0 && at % 2 === 0)
    return fields[this.random.below(fields.length + 1)] ?? this.item()
  }

  change(): void {
    const { random } = this
    const [key, other, item] = [this.key(), this.key(), this.item()]
    const typed = (type: string) => `${type}:${key}`
    const due = () => String(1 + random.below(100_000))
    const field = () => this.field(typed('hash'))
    const changes: (() => string[])[] = [
      () => ['SET', typed('string'), item],
      () => ['SET', typed('string'), item.repeat(1 + random.below(60)), 'PX', String(1 + random.below(100_000))],
      () => ['APPEND', typed('string'), item],
      () => ['SETRANGE', typed('string'), String(random.below(2000)), item],
      () => ['INCR', typed('number')],
      () => ['GETSET', typed('string'), item],
      () => ['GETEX', typed('string'), 'PX', String(1 + random.below(100_000))],
      () => ['GETEX', typed('string'), 'PERSIST'],
      () => ['GETDEL', typed('string')],
      () => ['RPUSH', typed('list'), ...this.items((each) => [each])],
      () => ['LPUSH', typed('list'), ...this.items((each) => [each])],
      () => ['LPOP', typed('list'), String(1 + random.below(30))],
      () => ['LREM', typed('list'), '0', item],
      () => ['LINSERT', typed('list'), 'AFTER', item, 'new'],
      () => ['LTRIM', typed('list'), String(random.below(10)), '-2'],
      () => ['LMOVE', typed('list'), `list:${other}`, 'LEFT', 'RIGHT'],
      () => ['LTRIM', typed('list'), '3', String(3 + random.below(5))],
      () => ['SADD', typed('set'), ...this.items((each) => [each])],
      () => ['SREM', typed('set'), ...this.items((each) => [each])],
      () => ['SPOP', typed('set'), String(1 + random.below(40))],
      () => ['SMOVE', typed('set'), `set:${other}`, item],
      () => ['SINTERSTORE', typed('set'), `set:${other}`, `set:${this.key()}`],
      () => ['SUNIONSTORE', typed('set'), `set:${other}`, `set:${this.key()}`],
      () => ['HSET', typed('hash'), ...this.items((each) => [each, this.item()])],
      () => ['HDEL', typed('hash'), ...this.items((each) => [each])],
      () => ['HINCRBY', typed('counts'), item, '3'],
      () => ['HPEXPIRE', typed('hash'), due(), 'FIELDS', '3', field(), field(), field()],
      () => ['HPEXPIRE', typed('hash'), due(), 'NX', 'FIELDS', '1', field()],
      () => ['HPEXPIRE', typed('counts'), due(), 'FIELDS', '1', item],
      () => ['HPERSIST', typed('hash'), 'FIELDS', '1', field()],
      () => ['HSET', typed('hash'), field(), item],
      () => ['HSETEX', typed('hash'), 'KEEPTTL', 'FIELDS', '1', field(), item],
      () => ['ZADD', typed('zset'), ...this.items((each) => [String(random.below(50)), each])],
      () => ['ZINCRBY', typed('zset'), '2.5', item],
      () => ['ZREM', typed('zset'), ...this.items((each) => [each])],
      () => ['ZPOPMIN', typed('zset'), String(1 + random.below(30))],
      () => ['ZREMRANGEBYRANK', typed('zset'), '0', String(random.below(20))],
      () => ['ZREMRANGEBYRANK', typed('zset'), '2', String(-1 - random.below(4))],
      () => ['ZUNIONSTORE', typed('zset'), '2', `zset:${other}`, `set:${this.key()}`],
      ...this.streamChanges(key, item),
    ]
    const types = ['string', 'list', 'set', 'hash', 'zset', 'stream', 'grouped']
    const any = () => `${types[random.below(types.length)]}:${this.key()}`
    const generic: (() => string[])[] = [
      () => ['DEL', any(), any()],
      () => ['UNLINK', any()],
      () => ['RENAME', any(), any()],
      () => ['MOVE', any(), String(random.below(DATABASES))],
      () => ['COPY', any(), any(), 'DB', String(random.below(DATABASES)), 'REPLACE'],
      () => ['PEXPIRE', any(), String(random.below(50_000))],
      () => ['PEXPIREAT', any(), '1'],
      () => ['PERSIST', any()],
    ]
    this.do('SELECT', String(random.below(DATABASES)))
    const list = random.below(4) === 0 ? generic : changes
    const args = list[random.below(list.length)]!()
    // Renaming what is not there, or a move to where it is, is answered with an error.
    run(this.server, this.session, ...args)
    this.server.keyspace.setTime(this.server.keyspace.now + random.below(3))
  }

  /** Nothing is deleted where it may be pending: commands do not bring that back. */
  private streamChanges(key: string, item: string): (() => string[])[] {
    const { random } = this
    const add = (stream: string) => ['XADD', stream, '*', ...this.items((each) => [each, item]).slice(0, 8)]
    return [
      () => add(`stream:${key}`),
      () => add(`stream:${key}`),
      () => ['XTRIM', `stream:${key}`, 'MAXLEN', String(random.below(30))],
      () => ['XADD', `stream:${key}`, 'MAXLEN', '~', '20', '*', 'field', item],
      () => ['XDEL', `stream:${key}`, this.entryOf(`stream:${key}`)],
      () => add(`grouped:${key}`),
      () => ['XGROUP', 'CREATE', `grouped:${key}`, `g${random.below(3)}`, '0', 'MKSTREAM'],
      () => {
        const consumer = `c${random.below(4)}`
        return ['XREADGROUP', 'GROUP', `g${random.below(3)}`, consumer, 'COUNT', '3', 'STREAMS', `grouped:${key}`, '>']
      },
      () => ['XACK', `grouped:${key}`, `g${random.below(3)}`, this.entryOf(`grouped:${key}`)],
      () => ['XAUTOCLAIM', `grouped:${key}`, `g${random.below(3)}`, `c${random.below(4)}`, '0', '0', 'COUNT', '2'],
      () => ['XCLAIM', `grouped:${key}`, `g${random.below(3)}`, 'c0', '0', this.entryOf(`grouped:${key}`), 'FORCE'],
      () => ['XREADGROUP', 'GROUP', `g${random.below(3)}`, `c${random.below(4)}`, 'STREAMS', `grouped:${key}`, '0'],
      () => ['XGROUP', 'DELCONSUMER', `grouped:${key}`, `g${random.below(3)}`, `c${random.below(4)}`],
      () => ['XGROUP', 'DESTROY', `grouped:${key}`, `g${random.below(3)}`],
    ]
  }

  /** The id of an entry that a stream has, or some id. */
  private entryOf(stream: string): string {
    const reply = run(this.server, this.session, 'XRANGE', stream, '-', '+')
    const ids = [...reply.matchAll(/\r\n(\d+-\d+)\r\n/g)].map((match) => match[1]!)
    return ids[this.random.below(ids.length + 1)] ?? '1-1'
  }

  upheaval(): void {
    const { random } = this
    const [first, second] = [random.below(DATABASES), random.below(DATABASES)]
    const what = random.below(10)
    if (what < 7) this.do('SWAPDB', String(first), String(second))
    else if (what < 9) this.do('FLUSHDB')
    else this.do('FLUSHALL')
  }
}

/** All but the smallest values are large. */
const TINY: LargeLimits = { elements: 3, nodes: 1, bytes: 1500 }

function begin(server: Server, limits?: LargeLimits, format: Format = 'rdb'): { snapshot: Snapshot; file: Collector } {
  const file = new Collector()
  const { keyspace } = server
  if (format === 'commands') {
    const commands = new CommandImage(keyspace, file, { second: 0, functions: null })
    return { snapshot: new Snapshot(keyspace, commands, limits), file }
  }
  const writer = new RdbWriter(file, { checksum: true, compression: true }, new Uint8Array(4096))
  const options = { hint: Hint.NONE, aux: { 'aof-base': 0 }, keyDelay: 0, functions: null, compression: true }
  const image = new RdbImage(keyspace, new ValueFormats(keyspace), writer, options)
  return { snapshot: new Snapshot(keyspace, image, limits), file }
}

function loaded(file: Collector, now: number, format: Format = 'rdb'): Map<string, string> {
  if (format === 'commands') return repeated(file, now)
  const keyspace = load(file.all, { keyspace: fresh(now) })
  keyspace.verify()
  return stateOf(keyspace)
}

/** What the commands in the file make of a server without data. */
function repeated(file: Collector, now: number): Map<string, string> {
  const server = smallLimits()
  const { keyspace } = server
  keyspace.setTime(now)
  keyspace.keepExpired(true)
  const session = new Session(1)
  const lines = Buffer.from(file.all).toString('latin1').split('\r\n')
  for (let at = 0; at < lines.length - 1; ) {
    const argc = Number(lines[at++]!.slice(1))
    const args = Array.from({ length: argc }, (_, index) => lines[at + index * 2 + 1]!)
    for (const [index, arg] of args.entries()) expect(lines[at + index * 2]).toBe(`$${arg.length}`)
    at += argc * 2
    expect(run(server, session, ...args)).not.toMatch(/^-/)
  }
  keyspace.verify()
  return stateOf(keyspace)
}

/** A keyspace in which nothing is past its time that was not at `now`. */
function fresh(now: number): Keyspace {
  const { keyspace } = newServer()
  keyspace.setTime(now)
  return keyspace
}

/** Deletes all there is: what was kept for a snapshot must have been given back as well. */
function expectAllFreed(keyspace: Keyspace, emptyBytes: number): void {
  keyspace.flush()
  while (keyspace.reclaim());
  for (const db of keyspace.databases) expect(db.size).toBe(0)
  keyspace.verify()
  expect(keyspace.memory.usedBytes).toBe(emptyBytes)
}

const CASES = SEEDS.flatMap((seed) => FORMATS.map((format) => [seed, format] as const))
test.each(CASES)('a snapshot shows what was there when it began (seed %i, as %s)', (seed, format) => {
  const limits = seed % 2 === 0 ? undefined : TINY
  const random = new Random(seed)
  const server = smallLimits()
  const { keyspace } = server
  const empty = keyspace.memory.usedBytes
  const writer = new Writer(server, random)
  let early = 0
  for (let round = 0; round < 4; round++) {
    for (let count = 0; count < 600; count++) writer.change()
    // What is past its time is in the picture as well, but would not be loaded.
    for (const db of keyspace.databases) while (db.expireNext());
    const now = keyspace.now
    const before = stateOf(keyspace)
    const { snapshot, file } = begin(server, limits, format)
    expect(snapshot.keyCount).toBe(before.size)
    while (snapshot.step()) {
      for (let count = random.below(8); count > 0; count--) writer.change()
      if (random.below(40) === 0) writer.upheaval()
      if (random.below(10) === 0) keyspace.reclaim()
      for (const db of keyspace.databases) db.expireNext()
    }
    expect(snapshot.shownCount).toBe(snapshot.keyCount)
    early += snapshot.earlyCount
    expect(loaded(file, now - 200_000, format)).toEqual(before)
    keyspace.verify()
  }
  expect(early).toBeGreaterThan(30)
  expectAllFreed(keyspace, empty)
})

test('a large value whose table shrinks under the walk is shown once', () => {
  const server = newServer()
  const { keyspace } = server
  const session = new Session(1)
  for (let steps = 1; steps < 60; steps += 9) {
    run(server, session, 'DEL', 'set', 'hash')
    for (let item = 0; item < 900; item++) {
      run(server, session, 'SADD', 'set', `item:${item}`)
      run(server, session, 'HSET', 'hash', `item:${item}`, `${item}`)
    }
    const before = stateOf(keyspace)
    const { snapshot, file } = begin(server, TINY)
    for (let step = 0; step < steps; step++) snapshot.step()
    for (let item = 0; item < 880; item++) {
      run(server, session, 'SREM', 'set', `item:${item}`)
      run(server, session, 'HDEL', 'hash', `item:${item}`)
    }
    while (snapshot.step());
    expect(loaded(file, keyspace.now)).toEqual(before)
  }
})

test.each(CASES)(
  'what groups have pending is shown as it was when the snapshot began (seed %i, as %s)',
  (seed, format) => {
    const random = new Random(seed)
    const server = newServer()
    const { keyspace } = server
    const session = new Session(1)
    const empty = keyspace.memory.usedBytes
    const done = (...args: string[]) => run(server, session, ...args)
    const group = () => `g${random.below(3)}`
    const consumer = () => `c${random.below(random.below(2) === 0 ? 5 : 50)}`
    const ids = () => Array.from({ length: 1 + random.below(9) }, () => `${1 + random.below(400)}-0`)
    const read = () => ['XREADGROUP', 'GROUP', group(), consumer(), 'COUNT', `${random.below(60)}`, 'STREAMS', 's', '>']
    const changes: (() => string[])[] = [
      read,
      () => ['XACK', 's', group(), ...ids()],
      () => ['XACK', 's', group(), ...ids()],
      () => ['XCLAIM', 's', group(), consumer(), '0', ...ids(), 'FORCE', 'RETRYCOUNT', `${random.below(9)}`],
      () => ['XAUTOCLAIM', 's', group(), consumer(), '0', ids()[0]!, 'COUNT', '9'],
      () => ['XREADGROUP', 'GROUP', group(), consumer(), 'COUNT', '9', 'STREAMS', 's', '0'],
      () => ['XGROUP', 'DELCONSUMER', 's', group(), consumer()],
      () => ['XGROUP', 'DESTROY', 's', group()],
      () => ['XGROUP', 'CREATE', 's', group(), '0'],
      () => (random.below(9) === 0 ? ['RENAME', 's', 'other'] : ['COPY', 'other', 's']),
    ]
    const change = () => done(...changes[random.below(changes.length)]!())
    for (let round = 0; round < 12; round++) {
      done('FLUSHALL')
      for (let entry = 1; entry <= 400; entry++) done('XADD', 's', `${entry}-0`, 'field', 'value')
      for (const name of ['g0', 'g1', 'g2']) done('XGROUP', 'CREATE', 's', name, '0')
      for (let count = 0; count < 20; count++) done(...read())
      const before = stateOf(keyspace)
      const { snapshot, file } = begin(server, TINY, format)
      const often = 1 + random.below(40)
      while (snapshot.step()) {
        if (random.below(often) === 0) change()
        if (random.below(10) === 0) keyspace.reclaim()
      }
      expect(loaded(file, keyspace.now, format)).toEqual(before)
      keyspace.verify()
    }
    done('FLUSHALL')
    while (keyspace.reclaim());
    keyspace.verify()
    expect(keyspace.memory.usedBytes).toBe(empty)
  },
)

test('a snapshot that is given up leaves the keyspace ready for the next one', () => {
  const random = new Random(7)
  const server = smallLimits()
  const { keyspace } = server
  const empty = keyspace.memory.usedBytes
  const writer = new Writer(server, random)
  for (let round = 0; round < 6; round++) {
    for (let count = 0; count < 300; count++) writer.change()
    const first = begin(server, TINY)
    for (let count = 0; count < 40 && first.snapshot.step(); count++) {
      writer.change()
      if (random.below(40) === 0) writer.upheaval()
    }
    first.snapshot.abandon()
    const { length } = first.file.all
    while (first.snapshot.step()) {
      writer.change()
      if (random.below(20) === 0) writer.upheaval()
    }
    expect(first.file.all.length, 'nothing more is shown').toBe(length)
    const { now } = keyspace
    for (const db of keyspace.databases) while (db.expireNext());
    const before = stateOf(keyspace)
    const second = begin(server)
    while (second.snapshot.step()) writer.change()
    expect(loaded(second.file, now - 200_000)).toEqual(before)
  }
  expectAllFreed(keyspace, empty)
})

test('a snapshot that is given up behind the image of a table that was flushed frees that once', () => {
  const server = smallLimits()
  const { keyspace } = server
  const empty = keyspace.memory.usedBytes
  const session = new Session(1)
  for (const db of ['0', '1']) {
    run(server, session, 'SELECT', db)
    for (let key = 0; key < 100; key++) run(server, session, 'SET', `key:${key}`, 'value')
  }
  const { snapshot } = begin(server)
  run(server, session, 'SELECT', '0')
  run(server, session, 'FLUSHDB')
  while (snapshot.shownCount < 150) snapshot.step()
  while (keyspace.reclaim());
  snapshot.abandon()
  while (snapshot.step());
  expectAllFreed(keyspace, empty)
})

test('when all keys have gone, a snapshot that is given up is over at once', () => {
  const server = smallLimits()
  const empty = server.keyspace.memory.usedBytes
  const writer = new Writer(server, new Random(3))
  for (let count = 0; count < 100; count++) writer.change()
  const { snapshot } = begin(server)
  snapshot.step()
  writer.do('FLUSHALL')
  snapshot.abandon()
  expect(snapshot.isDone).toBe(true)
  expect(server.keyspace.snapshot).toBe(null)
  expectAllFreed(server.keyspace, empty)
})
