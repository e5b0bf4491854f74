/* The expiry index: which keys fall due when. A timing wheel (Varghese & Lauck 1987) of four levels.
 *
 *   level 0   | tick | tick | … 256 slots of 128 ms            |      32 s
 *   level 1   | 256 ticks | … 256 slots                         |      2.3 h
 *   level 2   | 65536 ticks | … 256 slots                       |      24 days
 *   level 3   | 2^24 ticks | … 256 slots                        |      17 years; anything later waits in its last slot
 *
 *   slot      → | next | count | hash | hash | … 62 |  → | … |
 *
 * A record is nothing but the key's hash, four bytes: it names a place in the table, and whoever visits that place sees
 * what is due there. So a record needs no care when its key is overwritten, renamed or deleted; it is then a visit for
 * nothing. A key whose expiry is put off keeps its early record and gets a new one when that is visited; put forward,
 * it gets a second one. `count` above twice the keys that expire is the owner's sign to build the index anew.
 *
 * Always: every record lies in the slot of a tick not yet taken; count is the sum over the slots. */
import { assert } from '../lib/assert.ts'
import { randomBelow } from '../lib/random.ts'
import { type Memory, NONE, type Ref } from '../memory/memory.ts'

const TICK_SHIFT = 7
const TICK_MS = 1 << TICK_SHIFT
const LEVELS = 4
const SLOT_SHIFT = 8
const SLOTS = 1 << SLOT_SHIFT
const SLOT_MASK = SLOTS - 1
/** Ticks that are taken one by one: 2.3 hours of them, within a millisecond if they are empty. */
const BEHIND_MAX = 65536
/** Blocks that one call of `dismantle` frees. */
const DISMANTLED_BLOCKS = 64
/** Blocks and slots that one call of `compact` looks at. */
const COMPACTED_BLOCKS = 64

// Words of a block of records.
const NEXT = 0
const COUNT = 1
const FIRST = 2
const BLOCK_WORDS = 64
const RECORDS = BLOCK_WORDS - FIRST

export class ExpiryIndex {
  readonly memory: Memory
  /** Records in the wheel. */
  count = 0
  private blockCount = 0
  private heads: Ref
  /** The next tick to be taken. */
  private tick: number
  /** The records being visited: a chain detached from its slot, and the slot in it that comes next. */
  private current: Ref = NONE
  private currentAt = 0
  /** Where `walk` is: a block of a slot, and the word of its record. NONE: at the end of that slot. */
  private walked: Ref = NONE
  private walkedAt = 0
  private walkedSlot = 0
  /** Where `compact` is: a slot, and the block of it that was done last; NONE: none of it. */
  private compactedSlot = LEVELS * SLOTS
  private compactedTo: Ref = NONE
  /** Chains detached by the same tick, to be visited after `current`: at most one a level. */
  private readonly waiting: Ref[] = []

  constructor(memory: Memory, nowMs: number) {
    this.memory = memory
    this.heads = memory.allocZeroed(LEVELS * SLOTS * 4)
    this.tick = Math.floor(nowMs / TICK_MS)
  }

  /** Records that the key with this hash is due at `dueMs` (Unix time in milliseconds). Allocates. */
  add(hash: number, dueMs: number): void {
    // The tick after the one it falls due in: when that is taken, the key is due for certain.
    const due = Math.max(Math.floor(dueMs / TICK_MS) + 1, this.tick)
    const ahead = due - this.tick
    let level = 0
    while (level < LEVELS - 1 && ahead >= SLOTS ** (level + 1)) level++
    const reach = SLOTS ** LEVELS - SLOTS ** (LEVELS - 1)
    const at = ahead < reach ? due : this.tick + reach - 1
    this.push((level << SLOT_SHIFT) + (Math.floor(at / SLOTS ** level) & SLOT_MASK), hash)
  }

  private push(slot: number, hash: number): void {
    const memory = this.memory
    let block = memory.word(this.heads, slot) as Ref
    let count = block === NONE ? RECORDS : memory.word(block, COUNT)
    if (count === RECORDS) {
      const fresh = memory.alloc(BLOCK_WORDS * 4)
      this.blockCount++
      memory.setWord(fresh, NEXT, block)
      memory.setWord(this.heads, slot, fresh)
      block = fresh
      count = 0
    }
    memory.setWord(block, FIRST + count, hash)
    memory.setWord(block, COUNT, count + 1)
    this.count++
  }

  /** Moves on to the next record to be visited by `nowMs`; `hash` is then its hash. False when none is left.
   *  The caller visits the place and adds what is there and not yet due again. */
  advance(nowMs: number): boolean {
    const nowTick = Math.floor(nowMs / TICK_MS)
    while (this.current === NONE) {
      if (this.tick > nowTick) return false
      // Nothing recorded: no tick needs to be looked at.
      if (this.count === 0) this.tick = nowTick
      this.takeTick()
    }
    const memory = this.memory
    const block = this.current
    this.hash = memory.word(block, FIRST + this.currentAt++)
    this.count--
    if (this.currentAt === memory.word(block, COUNT)) {
      this.current = memory.word(block, NEXT) as Ref
      this.currentAt = 0
      memory.free(block)
      this.blockCount--
      if (this.current === NONE) this.current = this.waiting.pop() ?? NONE
    }
    return true
  }
  /** Of the record last stepped to, by `advance` or one of the walks. */
  hash = 0

  /** Detaches the slots that the next tick opens: its own, and at a turn of a level, the coarser slot that begins. */
  private takeTick(): void {
    const tick = this.tick
    this.tick = tick + 1
    this.take(tick & SLOT_MASK)
    for (let level = 1; level < LEVELS && tick % SLOTS ** level === 0; level++) {
      this.take((level << SLOT_SHIFT) + (Math.floor(tick / SLOTS ** level) & SLOT_MASK))
    }
  }

  private take(slot: number): void {
    const memory = this.memory
    const chain = memory.word(this.heads, slot) as Ref
    if (chain === NONE) return
    memory.setWord(this.heads, slot, NONE)
    if (slot === this.walkedSlot) this.walked = NONE
    if (slot === this.compactedSlot) this.compactedTo = NONE
    if (this.current === NONE) this.current = chain
    else this.waiting.push(chain)
  }

  /** Whether records are due and wait to be visited. */
  get isBehind(): boolean {
    return this.current !== NONE
  }

  /** Steps to the next record of all that are not due, round and round; `hash` is then its hash. False if there is
   *  none. `dropWalked` may follow. */
  walk(): boolean {
    const memory = this.memory
    if (this.walked !== NONE && --this.walkedAt >= FIRST) return this.readWalked()
    let block = this.walked === NONE ? NONE : (memory.word(this.walked, NEXT) as Ref)
    for (let left = LEVELS * SLOTS; block === NONE && left > 0; left--) {
      this.walkedSlot = (this.walkedSlot + 1) & (LEVELS * SLOTS - 1)
      block = memory.word(this.heads, this.walkedSlot) as Ref
    }
    return this.beginBlock(block)
  }

  /** Goes to a block of the soonest slot that has any, the last one begun; false if there is no record in any.
   *  `walkBlock` then draws from its records. */
  seekSoonest(): boolean {
    const memory = this.memory
    let best = Number.POSITIVE_INFINITY
    this.walked = NONE
    for (let level = 0; level < LEVELS; level++) {
      const width = SLOTS ** level
      // A coarse slot is taken when it begins: what stands there now is for the next time round.
      const first = Math.ceil(this.tick / width)
      for (let ahead = 0; ahead < SLOTS && (first + ahead) * width < best; ahead++) {
        const slot = (level << SLOT_SHIFT) + ((first + ahead) & SLOT_MASK)
        const head = memory.word(this.heads, slot) as Ref
        if (head === NONE) continue
        best = (first + ahead) * width
        this.walked = head
        this.walkedSlot = slot
      }
    }
    return this.walked !== NONE
  }

  /** Draws a record of the block sought; `hash` is then its hash. False if the block has gone. `dropWalked` may
   *  follow. */
  walkBlock(): boolean {
    if (this.walked === NONE) return false
    this.walkedAt = FIRST + randomBelow(this.memory.word(this.walked, COUNT))
    return this.readWalked()
  }

  private beginBlock(block: Ref): boolean {
    this.walked = block
    if (block === NONE) return false
    this.walkedAt = FIRST + this.memory.word(block, COUNT) - 1
    return this.readWalked()
  }

  private readWalked(): boolean {
    this.hash = this.memory.word(this.walked, this.walkedAt)
    return true
  }

  /** Drops the record just walked to: its key is not there, or has no expiry any more. A block's last one stays unless
   *  the block is its slot's first. */
  dropWalked(): void {
    const memory = this.memory
    const block = this.walked
    const count = memory.word(block, COUNT) - 1
    if (count > 0) {
      memory.setWord(block, this.walkedAt, memory.word(block, FIRST + count))
      memory.setWord(block, COUNT, count)
    } else if (memory.word(this.heads, this.walkedSlot) === block) {
      memory.setWord(this.heads, this.walkedSlot, memory.word(block, NEXT))
      memory.free(block)
      this.blockCount--
      this.walked = NONE
      if (block === this.compactedTo) this.compactedTo = NONE
    } else return
    this.count--
  }

  /** Begins to move the blocks that must be moved (Memory.move): `compact` goes on. */
  beginCompaction(): void {
    this.heads = this.memory.move(this.heads)
    this.compactedSlot = 0
    this.compactedTo = NONE
  }

  /** Moves some blocks, if they must be moved; false when all have been looked at. What is about to be visited stays
   *  where it is. Allocates. */
  compact(): boolean {
    const memory = this.memory
    for (let left = COMPACTED_BLOCKS; left > 0; left--) {
      if (this.compactedSlot === LEVELS * SLOTS) return false
      const prev = this.compactedTo
      const block = (prev === NONE ? memory.word(this.heads, this.compactedSlot) : memory.word(prev, NEXT)) as Ref
      if (block === NONE) {
        this.compactedSlot++
        this.compactedTo = NONE
        continue
      }
      const moved = memory.move(block)
      if (prev === NONE) memory.setWord(this.heads, this.compactedSlot, moved)
      else memory.setWord(prev, NEXT, moved)
      if (block === this.walked) this.walked = moved
      this.compactedTo = moved
    }
    return true
  }

  /** Bytes of the index's blocks. */
  get bytes(): number {
    return this.memory.capacity(this.heads) + this.blockCount * BLOCK_WORDS * 4
  }

  /** Whether so much time has passed at once (the clock was set, the machine slept) that a new index is made sooner
   *  than all the ticks are taken. */
  isFarBehind(nowMs: number): boolean {
    return this.count > 0 && nowMs / TICK_MS - this.tick > BEHIND_MAX
  }

  /** Frees the index, some blocks a call; false when nothing is left of it. After the first call it is good for nothing
   *  else. */
  dismantle(): boolean {
    const memory = this.memory
    for (let left = DISMANTLED_BLOCKS; left > 0; left--) {
      while (this.current === NONE) {
        if (this.waiting.length > 0) this.current = this.waiting.pop()!
        else if (this.freedSlots < LEVELS * SLOTS) this.current = memory.word(this.heads, this.freedSlots++) as Ref
        else {
          memory.free(this.heads)
          return false
        }
      }
      const next = memory.word(this.current, NEXT) as Ref
      memory.free(this.current)
      this.current = next
    }
    return true
  }
  private freedSlots = 0

  /** The essay's "Always". */
  verify(): void {
    const memory = this.memory
    let total = 0
    let blocks = 0
    const chains = [this.current, ...this.waiting]
    for (let slot = 0; slot < LEVELS * SLOTS; slot++) chains.push(memory.word(this.heads, slot) as Ref)
    for (const chain of chains) {
      for (let block = chain; block !== NONE; block = memory.word(block, NEXT) as Ref) {
        const count = memory.word(block, COUNT)
        assert(count > 0 && count <= RECORDS, 'a block holds records')
        total += count
        blocks++
      }
    }
    assert(total - this.currentAt === this.count, 'records are counted')
    assert(blocks === this.blockCount, 'blocks are counted')
  }
}
