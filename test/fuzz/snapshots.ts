/* Random commands of all types, read in pipelines as a client sends them, while snapshots are taken in tiny slices.
 *
 *   live ──────┬───────── effects since ──────────┐
 *              │ begin                            │ end
 *   image:     └► base ─► loaded, compared        └► replayed onto it, compared
 *
 * Each round is held to this: the image is the data of the instant at which it began; the image and what was told since
 * are the data at the end; what is replayed fits, so no command of it answers with an error; a command that answered
 * with an error has told nothing but what ran out of time; and the live data is sound, down to the arena.
 *
 * Time is the fuzzer's own: it passes as the commands do, so that a seed gives the same run. */
import { Batch } from '../../src/commands/batch.ts'
import { Call } from '../../src/commands/call.ts'
import type { EffectListener } from '../../src/commands/effects.ts'
import { Session } from '../../src/commands/session.ts'
import { Compactor } from '../../src/keyspace/compactor.ts'
import type { Database } from '../../src/keyspace/database.ts'
import { HashWalk } from '../../src/keyspace/hash-walk.ts'
import type { Keyspace } from '../../src/keyspace/keyspace.ts'
import { latin1 } from '../../src/lib/bytes.ts'
import { Digest } from '../../src/lib/digest.ts'
import { int64ToString } from '../../src/lib/int64.ts'
import { Random, seedRandom } from '../../src/lib/random.ts'
import { seedHash } from '../../src/lib/siphash.ts'
import { NONE, type Ref } from '../../src/memory/memory.ts'
import { CommandImage } from '../../src/persistence/aof/image.ts'
import { LogBuffer } from '../../src/persistence/aof/log-buffer.ts'
import { AofReader } from '../../src/persistence/aof/reader.ts'
import { LARGE, type LargeLimits } from '../../src/persistence/frozen.ts'
import { Hint, RdbImage } from '../../src/persistence/rdb/image.ts'
import { ValueFormats } from '../../src/persistence/rdb/values.ts'
import { RdbWriter } from '../../src/persistence/rdb/writer.ts'
import { type ImageSink, Snapshot } from '../../src/persistence/snapshot.ts'
import { COMPLETE, Decoder } from '../../src/protocol/decoder.ts'
import { Reply } from '../../src/protocol/reply.ts'
import { Replay, ReplayEnd } from '../../src/server/append-only/replay.ts'
import { Config } from '../../src/server/config/config.ts'
import { ownDirectory } from '../../src/server/config/working-directory.ts'
import { type Log, silentLog } from '../../src/server/log.ts'
import { Server } from '../../src/server/server.ts'
import { SCAN_END } from '../../src/structures/table.ts'
import { encode } from '../helpers/raw-client.ts'
import { Collector, load } from '../unit/persistence/rdb/support.ts'
import { LOCAL } from '../unit/server/config/support.ts'
import { run } from '../unit/server/support.ts'
import { Commands, DATABASES } from './snapshot-commands.ts'

const START_MS = 1_700_000_000_000
/** What is counted otherwise by whoever does it again, in Redis as well. */
const UNTOLD = /(seen-time|active-time|radix-tree-keys|radix-tree-nodes|entries-read|lag)\r\n(:|\$)-?\d+/g

/** A consumer that has nothing pending: that one was made by the way is not told, in Redis neither. */
const IDLE_CONSUMER = /\*\d+ name \w+ pel-count :0 pending \*0 /g

/** All but the smallest values are shown in pieces. */
const TINY: LargeLimits = { elements: 3, nodes: 1, bytes: 1500 }

export interface SnapshotFuzz {
  readonly seed: number
  readonly rounds: number
  /** Told of each round. */
  readonly progress?: (text: string) => void
}

/** A log that keeps what it is warned of. */
function noting(warnings: string[]): Log {
  const log = silentLog()
  log.warn = (message: string) => {
    warnings.push(message)
  }
  return log
}

/** A server that writes no file: FLUSHALL would, where there are save points. */
function serverOf(log: Log): Server {
  const config = new Config({ directory: ownDirectory() })
  config.set(['save', ''], LOCAL)
  return new Server({ config, log, exit: () => {} })
}

/** Collections of a few elements are large; what is small depends on the seed. */
function setLimits({ sets, hashes, zsets, lists }: Keyspace, random: Random): void {
  const count = [4, 12, 12, 64][random.below(4)]!
  sets.intsetCountMax = count
  sets.listpackCountMax = count
  hashes.listpackCountMax = count
  zsets.listpackCountMax = count
  lists.quicklist.setFill(1 + random.below(8))
}

/** Everything that must be brought back, in one comparable form. */
function stateOf(keyspace: Keyspace): Map<string, string> {
  const { databases, table, entries, memory, kinds } = keyspace
  const walk = new HashWalk(entries)
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
        const dues: string[] = []
        if (entries.hasExpiringFields(entry)) {
          for (walk.begin(entry); walk.next(); ) {
            const { due } = walk
            walk.locateField()
            if (due !== 0) dues.push(`${latin1(walk.bytes, walk.pos, walk.len)}@${due}`)
          }
        }
        const name = `${db.id}:${key}`
        if (state.has(name)) throw new Error(`${name} is there twice`)
        state.set(name, `${kind.name} ${kind.length(entry)} ${digest.hex} ${expiry} ${dues.sort().join(' ')}`)
      }
    }
  }
  return state
}

/** With all that is known of streams, but for what is counted otherwise while it is replayed. */
function wholeState(server: Server, withPending = true): Map<string, string> {
  const kept = server.keyspace.keepsExpired
  server.keyspace.keepExpired(true)
  const state = stateOf(server.keyspace)
  for (const [name, value] of state) {
    if (!value.startsWith('stream')) continue
    const [dbIndex, key] = name.split(':') as [string, string]
    const session = new Session(9)
    session.dbIndex = Number(dbIndex)
    const info = run(server, session, 'XINFO', 'STREAM', key, 'FULL', 'COUNT', '0')
    const told = info
      .replace(UNTOLD, '')
      .replace(/(\$\d+)?\r\n/g, ' ')
      .replace(/ +/g, ' ')
    const known = told.replace(IDLE_CONSUMER, '').replace(/consumers \*\d+/g, 'consumers')
    const shown = withPending ? known : known.slice(0, known.indexOf(' groups '))
    state.set(name, `${value.replace(/^stream \d+/, 'stream')} ${shown}`)
  }
  server.keyspace.keepExpired(kept)
  return state
}

/** Fails if two states are not the same. */
function compare(what: string, found: Map<string, string>, wanted: Map<string, string>): void {
  const lines: string[] = []
  for (const [key, value] of wanted) {
    const other = found.get(key)
    if (other === value) continue
    const at =
      other === undefined ? 0 : Math.max(0, [...value].findIndex((letter, index) => letter !== other[index]) - 20)
    lines.push(`${key}: ${other?.slice(at, at + 300) ?? 'nothing'}, not ${value.slice(at, at + 300)}`)
  }
  for (const [key, value] of found) if (!wanted.has(key)) lines.push(`${key}: ${value}, not nothing`)
  if (lines.length > 0) throw new Error(`${what}:\n${lines.join('\n')}`)
}

/** What has been told since a snapshot began, as a file would have it; and what the last command told. */
class Teller implements EffectListener {
  readonly buffer = new LogBuffer()
  told: string[] = []

  take(dbIndex: number, bytes: Uint8Array, pos: number, len: number): void {
    this.buffer.add(dbIndex, 0, bytes, pos, len)
    this.told.push(latin1(bytes, pos, Math.min(len, 300)))
  }
  begin(): void {
    this.buffer.begin(0)
  }
  end(): void {
    this.buffer.end()
  }
}

class Fuzzer {
  private readonly random: Random
  private readonly commands: Commands
  private readonly server: Server
  private readonly keyspace: Keyspace
  private readonly teller = new Teller()
  private readonly sessions = [new Session(1), new Session(2), new Session(3)]
  private readonly reply = new Reply()
  private readonly call: Call
  private readonly batch: Batch
  /** As the buffer that all connections share. */
  private readonly bytes = new Uint8Array(256 * 1024)
  private readonly compactor: Compactor
  private readonly warnings: string[] = []
  private readonly clock: { nowMs: number }
  /** Each command is handed on by itself, and not in runs. */
  private strict = false
  commandCount = 0
  errorCount = 0
  /** The last commands, for the message of a failure. */
  private readonly recent: string[] = []
  private readonly options: SnapshotFuzz

  constructor(options: SnapshotFuzz, clock: { nowMs: number }) {
    this.clock = clock
    this.options = options
    seedHash(options.seed, ~options.seed)
    seedRandom(options.seed)
    this.random = new Random(options.seed)
    this.commands = new Commands(this.random)
    this.server = serverOf(silentLog())
    this.keyspace = this.server.keyspace
    if (this.random.below(3) > 0) setLimits(this.keyspace, this.random)
    this.batch = new Batch(this.server.table, this.server.keyspace.memory)
    this.call = new Call(this.keyspace, this.sessions[0]!, this.reply)
    this.compactor = new Compactor(this.keyspace)
    this.server.dispatcher.propagateTo(this.teller)
    this.setTime()
  }

  private setTime(): void {
    this.keyspace.setTime(this.clock.nowMs)
  }

  /** One read of one client: some requests, decoded ahead as connections do it. */
  private read(count: number, big: boolean): void {
    const { random, server, call, batch, bytes, reply } = this
    const { dispatcher, keyspace } = server
    const requests = Array.from({ length: count }, () => this.commands.next(this.clock.nowMs, big))
    let end = 0
    for (const request of requests) {
      const encoded = encode(...request)
      if (end + encoded.length > bytes.length) break
      bytes.set(encoded, end)
      end += encoded.length
    }
    const session = this.sessions[random.below(this.sessions.length)]!
    this.strict = random.below(3) === 0
    call.session = session
    call.db = keyspace.databases[session.dbIndex]!
    const decoder = new Decoder()
    decoder.reset(0)
    dispatcher.begin()
    this.setTime()
    let at = 0
    while (decoder.at < end) {
      batch.count = 0
      decoder.first = 0
      while (decoder.decode(bytes, end) === COMPLETE && batch.add(decoder) && decoder.at < end);
      if (batch.count > 1) batch.prefetch(decoder, call)
      for (let index = 0; index < batch.count; index++) {
        batch.load(index, decoder, call)
        this.dispatch(requests[at++]!)
      }
    }
    dispatcher.end(false)
    reply.drop()
    this.commandCount += requests.length
  }

  private dispatch(request: readonly string[]): void {
    const { call, reply, server, teller, recent } = this
    const errors = reply.errors
    if (this.strict) server.dispatcher.effects.settle()
    teller.told.length = 0
    recent.push(`${call.session.dbIndex}> ${request.join(' ').slice(0, 200)}`)
    if (recent.length > 60) recent.shift()
    server.dispatcher.dispatch(call)
    if (reply.errors > errors) {
      this.errorCount++
      server.dispatcher.effects.settle()
      if (this.strict && request[0] !== 'EVAL') this.lookForLies(request)
    }
    if (call.reply.length > 100_000) call.reply.drop()
  }

  /** A command has failed: what it told can only be what ran out of time. */
  private lookForLies(request: readonly string[]): void {
    for (const told of this.teller.told) {
      if (!/^\*\d+\r\n\$\d+\r\n(DEL|HDEL|UNLINK)\r/.test(told)) {
        throw new Error(`${request.join(' ')} failed, and told ${told}`)
      }
    }
  }

  /** A little of all that happens between reads. */
  private others(): void {
    const { random, keyspace } = this
    this.clock.nowMs += random.below(random.below(20) === 0 ? 300 : 3)
    this.setTime()
    if (random.below(4) === 0) for (const db of keyspace.databases) db.expireNext()
    if (random.below(4) === 0) keyspace.reclaim()
    if (random.below(100) === 0) this.evict(keyspace.databases[random.below(DATABASES)]!)
    if (random.below(200) === 0) this.compactor.begin()
    for (let left = random.below(20); left > 0 && this.compactor.isRunning; left--) this.compactor.step()
    if (random.below(3000) === 0) for (const db of keyspace.databases) db.rebuildIndex()
  }

  private evict(db: Database): void {
    const entry = db.random()
    if (entry !== NONE) db.evictFound(entry)
  }

  run(): void {
    const { options } = this
    for (let round = 0; round < options.rounds; round++) {
      try {
        this.round(round)
      } catch (error) {
        const { message, stack } = error as Error
        const tail = this.recent.join('\n')
        throw new Error(`seed ${options.seed}, round ${round}: ${message}\n${stack}\nthe last commands:\n${tail}`)
      }
    }
    this.server.close()
  }

  private round(round: number): void {
    const { random, keyspace, teller, server } = this
    if (random.below(5) === 0) return this.effectsRound()
    const big = random.below(2) === 0
    if (big) this.fill()
    for (let left = random.below(60); left > 0; left--) {
      this.read(1 + random.below(20), false)
      this.others()
    }
    server.dispatcher.effects.settle()
    teller.buffer.clear()
    teller.buffer.startFile()
    // Commands cannot make what is pending of entries that are deleted: as in Redis, they are left out.
    const rdb = random.below(2) === 0
    const before = wholeState(server, rdb)
    const beganAt = this.clock.nowMs
    const file = new Collector()
    const sink = rdb ? this.rdbImage(file) : new CommandImage(keyspace, file, { second: 0, functions: null })
    const snapshot = new Snapshot(keyspace, sink, random.below(3) === 0 ? LARGE : TINY)
    const pace = 2 + random.below(30)
    const turns = random.below(60)
    for (let turn = 0, more = true; more || turn < turns; turn++) {
      for (let left = random.below(pace); left > 0 && more; left--) more = snapshot.step()
      if (turn < 3000) this.read(1 + random.below(20), big && random.below(3) > 0)
      this.others()
      if (random.below(100) === 0) keyspace.verify()
    }
    server.dispatcher.effects.settle()
    keyspace.verify()
    this.verifyBase(file, rdb, before, beganAt)
    if (round % 8 === 7) this.empty()
    this.options.progress?.(`${rdb ? 'RDB' : 'commands'}, ${before.size} keys, ${teller.buffer.length} bytes since`)
  }

  /** From nothing on, by what is told alone. */
  private effectsRound(): void {
    const { random, keyspace, teller, server } = this
    this.empty()
    server.dispatcher.effects.settle()
    teller.buffer.clear()
    teller.buffer.startFile()
    for (let left = random.below(400); left > 0; left--) {
      this.read(1 + random.below(20), random.below(9) === 0)
      this.others()
    }
    server.dispatcher.effects.settle()
    keyspace.verify()
    this.replayOnto(serverOf(noting(this.warnings)))
    this.empty()
    this.options.progress?.(`effects alone, ${teller.buffer.length} bytes`)
  }

  /** Does what was told since the round began, on top of what it began with. */
  private replayOnto(restored: Server, withPending = true): void {
    const { keyspace } = restored
    const { buffer } = this.teller
    keyspace.keepExpired(true)
    replay(restored, buffer.bytes.slice(0, buffer.length))
    keyspace.verify()
    if (this.warnings.length > 0) throw new Error(this.warnings.join('\n'))
    const wanted = wholeState(this.server, withPending)
    compare('the data has gone other ways', wholeState(restored, withPending), wanted)
    restored.close()
  }

  private rdbImage(file: Collector): ImageSink {
    const { keyspace } = this
    const writer = new RdbWriter(file, { checksum: true, compression: true }, new Uint8Array(4096))
    const options = { hint: Hint.NONE, aux: { 'aof-base': 1 }, keyDelay: 0, functions: null, compression: true }
    return new RdbImage(keyspace, new ValueFormats(keyspace), writer, options)
  }

  private verifyBase(file: Collector, rdb: boolean, before: Map<string, string>, beganAt: number): void {
    const restored = serverOf(noting(this.warnings))
    const { keyspace } = restored
    keyspace.keepExpired(true)
    if (rdb) load(file.all, { keyspace })
    else replay(restored, file.all)
    keyspace.verify()
    compare(`the image is not the data as it was at ${beganAt}`, wholeState(restored, rdb), before)
    this.replayOnto(restored, rdb)
  }

  /** Large values, as those that clients have. */
  private fill(): void {
    const { random } = this
    for (const request of this.commands.fill(300 + random.below(2500))) this.send(request)
  }

  private send(request: readonly string[]): void {
    const { call, server } = this
    const encoded = encode(...request)
    this.bytes.set(encoded)
    const decoder = new Decoder()
    decoder.decode(this.bytes, encoded.length)
    server.dispatcher.begin()
    this.setTime()
    this.batch.count = 0
    decoder.first = 0
    this.batch.add(decoder)
    this.batch.load(0, decoder, call)
    this.dispatch(request)
    server.dispatcher.end(false)
    call.reply.drop()
  }

  /** Nothing is left behind. */
  private empty(): void {
    const { keyspace } = this
    for (const db of keyspace.databases) {
      this.call.session.dbIndex = db.id
      this.call.db = db
      this.send(['FLUSHDB'])
    }
    while (keyspace.reclaim());
    keyspace.verify()
  }
}

/** Does what a file says. */
function replay(server: Server, bytes: Uint8Array): void {
  const readAt = (target: Uint8Array, pos: number, len: number, offset: number): number => {
    const count = Math.min(len, bytes.length - offset)
    target.set(bytes.subarray(offset, offset + count), pos)
    return count
  }
  const replaying = new Replay(server, new AofReader(readAt, 0, bytes.length, 4096))
  while (replaying.step());
  if (replaying.end !== ReplayEnd.WHOLE) throw new Error(`replay ended with ${replaying.end}`)
}

/** Puts the process's clocks under somebody's control while something is done. */
function withTime<T>(nowMs: () => number, action: () => T): T {
  const { now, timeOrigin } = performance
  const systemNow = Date.now
  Object.defineProperty(performance, 'timeOrigin', { value: START_MS, configurable: true })
  performance.now = () => nowMs() - START_MS
  Date.now = nowMs
  try {
    return action()
  } finally {
    Object.defineProperty(performance, 'timeOrigin', { value: timeOrigin, configurable: true })
    performance.now = now
    Date.now = systemNow
  }
}

export function fuzzSnapshots(options: SnapshotFuzz): { commands: number; errors: number } {
  const clock = { nowMs: START_MS }
  return withTime(
    () => clock.nowMs,
    () => {
      const fuzzer = new Fuzzer(options, clock)
      fuzzer.run()
      return { commands: fuzzer.commandCount, errors: fuzzer.errorCount }
    },
  )
}
