/* The compactor: empties sparsely used chunks of the arena, so that they can be given back.
 *
 *   chunks    | 90 % | 12 % | 88 % | 9 % | 15 % | …         measured, one a step
 *                       ↓             ↓     ↓
 *             | 90 % |      | 88 % |     |      |           nothing is allocated in these any more,
 *                                                           and what lies there is moved to the others
 *
 * Where that would gain nothing because little is left in all, what lies in several goes close together into a new one,
 * of which only the part that is written to takes memory.
 *
 * Who holds a ref knows it: the databases' tables are walked, bucket by bucket, with each entry what hangs at it
 * (value-compaction.ts), and each database's expiry index. Large values are done piece by piece; the key is kept to
 * find them again. What the walk does not meet (a type that cannot be moved, a value being freed) stays, and its chunk
 * with it.
 *
 * No ref may be held across a step by anybody else: so there is no compaction while a snapshot is taken. While anything
 * is freed in slices, or keys past their time wait to be, it would move what is about to go. */
import { copyBytes } from '../lib/bytes.ts'
import { CHUNK_BYTES, NONE, type Ref } from '../memory/memory.ts'
import { SCAN_END } from '../structures/table.ts'
import type { EntryMover } from '../structures/table-compaction.ts'
import type { Database } from './database.ts'
import type { Keyspace } from './keyspace.ts'
import { COMPACTED } from './value-compaction.ts'

/** Of the free memory in the other chunks, how much may be filled: classes and pages do not fit seamlessly. */
const FILL_MAX = 0.85
/** Emptying a chunk that takes no more than this beyond what lies in it is not worth its while. */
const GAIN_MIN = 0.08 * CHUNK_BYTES
/** Of a new chunk, how much is filled; and how many bytes that must gain. */
const NEW_FILL_MAX = 0.9
const NEW_GAIN_MIN = 2 * 1024 * 1024

const Phase = { IDLE: 0, MEASURE: 1, WALK: 2 } as const

/** A value that is moved piece by piece. */
interface LargeValue {
  readonly db: Database
  readonly key: Uint8Array
  cursor: number
}

/** What INFO stats tells. */
export class CompactionStats {
  /** Entries that were moved, and that were looked at in vain. */
  hits = 0
  misses = 0
}

export class Compactor implements EntryMover {
  stats = new CompactionStats()
  private readonly keyspace: Keyspace
  private phase: number = Phase.IDLE
  /** By chunk, free bytes. */
  private free: number[] = []
  /** Chunks that this round is to empty. */
  private chosen = 0
  /** Chunks that the last round emptied. */
  emptied = 0
  private dbIndex = 0
  private position = 0
  private readonly large: LargeValue[] = []

  constructor(keyspace: Keyspace) {
    this.keyspace = keyspace
  }

  get isRunning(): boolean {
    return this.phase !== Phase.IDLE
  }

  /** Bytes that the arena takes, and that hold nothing. */
  get wasteBytes(): number {
    const { residentBytes, usedBytes } = this.keyspace.memory
    return residentBytes - usedBytes
  }

  begin(): void {
    if (this.phase !== Phase.IDLE || !this.isPossible) return
    this.free = []
    this.chosen = 0
    this.phase = Phase.MEASURE
  }

  private get isPossible(): boolean {
    const { snapshot, canReclaim, databases } = this.keyspace
    return snapshot === null && !canReclaim && !databases.some(({ index }) => index?.isBehind)
  }

  /** Does a little; false when nothing is left to do. */
  step(): boolean {
    if (this.phase === Phase.IDLE) return false
    if (this.keyspace.snapshot !== null) {
      this.stop()
      return false
    }
    if (this.phase === Phase.MEASURE) this.measure()
    else this.walk()
    return this.phase !== Phase.IDLE
  }

  /** Gives up. */
  stop(): void {
    this.emptied = this.chosen - this.keyspace.memory.emptyingChunks
    this.keyspace.memory.endEmptying()
    this.large.length = 0
    this.phase = Phase.IDLE
  }

  private measure(): void {
    const { memory } = this.keyspace
    const chunk = this.free.length
    if (chunk < memory.chunkCount) {
      this.free.push(memory.freeIn(chunk))
      return
    }
    if (this.isPossible) this.choose()
    if (memory.emptyingChunks === 0) return this.stop()
    this.dbIndex = -1
    this.beginDatabase()
    this.phase = Phase.WALK
  }

  private beginDatabase(): void {
    this.dbIndex++
    this.position = 0
    this.keyspace.databases[this.dbIndex]?.index?.beginCompaction()
  }

  /** The emptiest chunks are to be emptied, as many as fit into the others. */
  private choose(): void {
    const { memory } = this.keyspace
    const chunks = this.free
      .map((free, chunk) => ({ chunk, free }))
      .filter(
        ({ chunk, free }) => memory.residentIn(chunk) - (CHUNK_BYTES - free) >= GAIN_MIN && memory.canEmpty(chunk),
      )
    chunks.sort((first, second) => second.free - first.free)
    let room = this.free.reduce((sum, free) => sum + free, 0)
    let moved = 0
    for (const { chunk, free } of chunks) {
      room -= free
      moved += CHUNK_BYTES - free
      if (moved > room * FILL_MAX) break
      this.empty(chunk)
    }
    if (this.chosen === 0) this.chooseForNew(chunks.map(({ chunk }) => chunk))
  }

  /** The emptiest chunks are to be emptied, as many as fit into a new one, if they take so much more memory. */
  private chooseForNew(chunks: readonly number[]): void {
    const { memory } = this.keyspace
    let moved = 0
    let gained = 0
    const chosen: number[] = []
    for (const chunk of chunks) {
      const used = CHUNK_BYTES - this.free[chunk]!
      if (moved + used > CHUNK_BYTES * NEW_FILL_MAX) break
      moved += used
      gained += memory.residentIn(chunk) - used / NEW_FILL_MAX
      chosen.push(chunk)
    }
    if (gained >= NEW_GAIN_MIN) for (const chunk of chosen) this.empty(chunk)
  }

  private empty(chunk: number): void {
    this.keyspace.memory.beginEmptying(chunk)
    this.chosen++
  }

  private walk(): void {
    if (this.large.length > 0) return this.moveLarge(this.large.at(-1)!)
    const { databases, memory } = this.keyspace
    const db = databases[this.dbIndex]
    // All that could be emptied has been: there is no need to go on.
    if (db === undefined || memory.emptyingChunks === 0) return this.stop()
    if (db.index?.compact()) return
    this.position = db.compact(this.position, this)
    if (this.position === SCAN_END) this.beginDatabase()
  }

  moveEntry(entry: Ref): Ref {
    const { keyspace } = this
    const moved = keyspace.memory.move(entry)
    if (moved === entry) this.stats.misses++
    else this.stats.hits++
    const cursor = keyspace.kindOf(moved).compact?.(moved, 0) ?? COMPACTED
    if (cursor !== COMPACTED) this.large.push(this.largeValue(moved, cursor))
    return moved
  }

  private largeValue(entry: Ref, cursor: number): LargeValue {
    const { entries, memory, databases } = this.keyspace
    const key = new Uint8Array(entries.keyLen(entry))
    copyBytes(memory.bytesOf(entry), entries.keyPos(entry), key, 0, key.length)
    return { db: databases[this.dbIndex]!, key, cursor }
  }

  private moveLarge(value: LargeValue): void {
    const { keyspace } = this
    const entry = value.db.peek(value.key, 0, value.key.length)
    const compact = entry === NONE ? undefined : keyspace.kindOf(entry).compact
    value.cursor = compact === undefined ? COMPACTED : compact(entry, value.cursor)
    if (value.cursor === COMPACTED) this.large.splice(this.large.indexOf(value), 1)
  }
}
