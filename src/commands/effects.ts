/* Effects: what commands did, in the words to do it again: for the append-only file, and for replicas.
 *
 *   SET k v EX 10   ->   SET k v PXAT 1700000010000           what time or chance decided is written down as decided
 *   GET k           ->   DEL k                                the key had run out of time, and was met
 *   EVAL …, EXEC    ->   MULTI, what was done inside, EXEC    several effects of one command are done together
 *
 * A command that changed something (the keyspace's `dirty` rose) is told as it came. A handler that knows better says
 * so while it runs, through `call.effects`, and asks `listening` first, which is false while nobody wants to know:
 *
 *   if (call.effects.listening) call.effects.begin(call, 3).word('PEXPIREAT').argument(call, 1).integer(due)
 *
 * What it says takes the place of its own words; it may say several commands, or that it did nothing worth telling
 * (`suppress`), or that it is to be told though nothing changed (`force`). A command inside which others ran (EXEC, a
 * script) is never told: they are. Keys that ran out of time or were evicted are told as DEL, before the command that
 * met them.
 *
 * Effects are gathered until the outermost command ends. Most commands have one, their own words, which lie in the read
 * buffer just as they are to be told: runs of such are handed on as one range when the read has been served. */
import type { Database } from '../keyspace/database.ts'
import type { Removals } from '../keyspace/keyspace.ts'
import { type Int64, int64Length } from '../lib/int64.ts'
import { RequestWriter } from '../protocol/request-writer.ts'
import type { Call } from './call.ts'
import type { Command } from './definition.ts'

/** Who wants to know. */
export interface EffectListener {
  /** `count` commands, in bytes[pos … pos + len), done in this database. The bytes are dead after the call. */
  take(dbIndex: number, bytes: Uint8Array, pos: number, len: number, count: number): void
  /** What is taken from here to `end` belongs together. */
  begin(): void
  end(): void
}

const LF = 10
const CR = 13
const DOLLAR = 36
const STAR = 42
const DIGIT_0 = 48
/** Numbers to an effect in `ops`: its database, and where in the writer's bytes it begins. */
const OP_NUMBERS = 2

export class Effects implements Removals {
  /** Whether anybody wants to know. */
  listening = false
  /** Keys that go by themselves are told as UNLINK (lazyfree-lazy-expire, lazyfree-lazy-eviction). */
  lazyExpire = false
  lazyEviction = false
  /** A key that a command empties is told as UNLINK (lazyfree-lazy-server-del). */
  lazyDelete = false
  private readonly listeners: EffectListener[] = []
  /** The effects of the outermost command that are not its own words. */
  private readonly writer = new RequestWriter()
  private ops = new Int32Array(16)
  private opCount = 0
  /** How many commands run inside one another. */
  private depth = 0
  /** The running command's own words are not told, or are in any case. */
  private silent = false
  private forced = false
  // Commands as they came that have not been handed on: one range of a read.
  private runBytes: Uint8Array = this.writer.bytes
  private runPos = 0
  private runEnd = 0
  private runDb = 0
  private runCount = 0

  listen(listener: EffectListener): void {
    this.listeners.push(listener)
    this.listening = true
  }

  unlisten(listener: EffectListener): void {
    this.settle()
    const index = this.listeners.indexOf(listener)
    if (index >= 0) this.listeners.splice(index, 1)
    this.listening = this.listeners.length > 0
  }

  /** How a key is told to have gone that is past its time. */
  get expiryWord(): string {
    return this.lazyExpire ? 'UNLINK' : 'DEL'
  }

  /** Runs a command and tells what it did. */
  perform(call: Call, command: Command): void {
    const { keyspace } = call
    const { dirty } = keyspace
    call.effects = this
    this.silent = false
    this.forced = false
    this.depth++
    command.run(call)
    this.depth--
    // The listener may have come or gone with this very command.
    if (this.listening && !this.silent && (this.forced || keyspace.dirty > dirty)) this.tellOwn(call)
    this.silent = true // of the command around this one, what ran inside is told
    if (this.depth === 0) this.commit()
  }

  /** Nothing is told of the running command but what else it says. */
  suppress(): void {
    this.silent = true
  }

  /** The running command is told even if it changes nothing. */
  force(): void {
    this.forced = true
  }

  /** A command to be told instead of the running one begins; `argc` arguments must follow. */
  begin(call: Call, argc: number): this {
    this.silent = true
    this.open(call.db, argc)
    return this
  }

  private open(db: Database, argc: number): void {
    const index = this.opCount * OP_NUMBERS
    if (index === this.ops.length) {
      const larger = new Int32Array(this.ops.length * 2)
      larger.set(this.ops)
      this.ops = larger
    }
    this.ops[index] = db.id
    this.ops[index + 1] = this.writer.length
    this.opCount++
    this.writer.head(argc)
  }

  word(text: string): this {
    this.writer.word(text)
    return this
  }
  integer(value: Int64): this {
    this.writer.integer(value)
    return this
  }
  bulk(bytes: Uint8Array, pos: number, len: number): this {
    this.writer.bulk(bytes, pos, len)
    return this
  }
  argument(call: Call, index: number): this {
    this.writer.bulk(call.bytes, call.pos[index]!, call.len[index]!)
    return this
  }

  expired(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.tellRemoved(this.lazyExpire, db, bytes, pos, len)
  }
  evicted(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.tellRemoved(this.lazyEviction, db, bytes, pos, len)
  }

  /** A key has been deleted outside of any command. */
  deleted(db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.tellRemoved(false, db, bytes, pos, len)
  }

  fieldExpired(
    db: Database,
    keyBytes: Uint8Array,
    keyPos: number,
    keyLen: number,
    bytes: Uint8Array,
    pos: number,
    len: number,
  ): void {
    this.open(db, 3)
    this.word('HDEL').bulk(keyBytes, keyPos, keyLen).bulk(bytes, pos, len)
    if (this.depth === 0) this.commit()
  }

  private tellRemoved(lazy: boolean, db: Database, bytes: Uint8Array, pos: number, len: number): void {
    this.open(db, 2)
    this.word(lazy ? 'UNLINK' : 'DEL').bulk(bytes, pos, len)
    if (this.depth === 0) this.commit()
  }

  private tellOwn(call: Call): void {
    if (this.depth === 0 && this.opCount === 0 && this.extendRun(call)) return
    this.open(call.db, call.argc)
    for (let index = 0; index < call.argc; index++) this.argument(call, index)
  }

  /** Adds a call to the run if it lies in its bytes as it would be written; false if it does not. Nothing is taken for
   *  granted: lengths may have zeros in front, line ends may be anything, and inline requests have neither. */
  private extendRun(call: Call): boolean {
    const { bytes, argc, pos, len } = call
    const first = pos[0]! - headerLength(len[0]!)
    const start = first - headerLength(argc)
    if (start < 0 || !isHeader(bytes, start, STAR, argc)) return false
    let end = first
    for (let index = 0; index < argc; index++) {
      const header = end
      end += headerLength(len[index]!)
      if (pos[index] !== end || !isHeader(bytes, header, DOLLAR, len[index]!)) return false
      end += len[index]! + 2
      if (bytes[end - 2] !== CR || bytes[end - 1] !== LF) return false
    }
    const dbIndex = call.db.id
    if (bytes !== this.runBytes || start !== this.runEnd || dbIndex !== this.runDb || this.runCount === 0) {
      this.settle()
      this.runBytes = bytes
      this.runPos = start
      this.runDb = dbIndex
    }
    this.runEnd = end
    this.runCount++
    return true
  }

  /** The bytes of the read are about to change: what lies in them is handed on. */
  settle(): void {
    const count = this.runCount
    if (count === 0) return
    this.runCount = 0
    for (const listener of this.listeners) {
      listener.take(this.runDb, this.runBytes, this.runPos, this.runEnd - this.runPos, count)
    }
  }

  /** The outermost command has ended: what it did is handed on. */
  private commit(): void {
    const count = this.opCount
    if (count === 0) return
    this.settle()
    this.opCount = 0
    for (const listener of this.listeners) this.tell(listener, count)
    this.writer.clear()
  }

  private tell(listener: EffectListener, count: number): void {
    const { ops, writer } = this
    if (count > 1) listener.begin()
    for (let index = 0; index < count; index++) {
      const at = index * OP_NUMBERS
      const pos = ops[at + 1]!
      const end = index + 1 < count ? ops[at + 1 + OP_NUMBERS]! : writer.length
      listener.take(ops[at]!, writer.bytes, pos, end - pos, 1)
    }
    if (count > 1) listener.end()
  }
}

/** Bytes of a line that says a length. */
function headerLength(value: number): number {
  return value < 10 ? 4 : value < 100 ? 5 : 3 + int64Length(value)
}

/** Whether the line that says this length stands at `from`, in `headerLength` bytes. */
function isHeader(bytes: Uint8Array, from: number, type: number, value: number): boolean {
  let at = from + headerLength(value) - 2
  if (bytes[from] !== type || bytes[at] !== CR || bytes[at + 1] !== LF) return false
  let rest = value
  do {
    if (bytes[--at] !== DIGIT_0 + (rest % 10)) return false
    rest = Math.trunc(rest / 10)
  } while (rest > 0)
  return true
}

/** For calls that nobody listens to. */
export const NO_EFFECTS = new Effects()
