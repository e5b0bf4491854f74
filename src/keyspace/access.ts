/* Access: what an entry remembers of its use, for eviction and for OBJECT IDLETIME and FREQ.
 *
 *   LRU policies   | milliseconds, low 32 bits of the clock                        |
 *   LFU policies   | minutes of the last use (16) | 256ths of that minute (8) | counter (8) |
 *
 * The LRU clock runs in milliseconds, not seconds as Redis's: a small cache at full speed turns over within a second,
 * and hot keys must differ from cold ones within it. It wraps after 49 days; a key idle for longer seems younger.
 * The LFU counter is Redis's: a logarithmic counter (Morris 1978) that decays with time. Of keys used equally often,
 * which most keys of a large cache are, the one not used for longest goes first: Redis takes any of them. */
import { random } from '../lib/random.ts'

/** What a new key starts with, so that it is not evicted before it could be used. */
const LFU_START = 5
const LFU_MAX = 255
const FINE_MS = 60_000 / 256
const FINE_MASK = 0xffffff
/** More than any time in fine units. */
const LFU_STEP = 2 ** 40

export class AccessClock {
  /** Whether entries keep LFU counters (maxmemory-policy *-lfu). */
  lfu = false
  lfuLogFactor = 10
  lfuDecayMinutes = 1
  /** The access word of this moment, for LRU. */
  private lru = 0
  /** Minutes and 256ths of a minute, 24 bits; and all of them. */
  private fine = 0
  private fineNow = 0
  private nowMs = 0
  /** How far the system's clock has jumped, all in all: idle times do not. */
  private jumpedMs = 0

  /** Sets the time, in milliseconds. */
  tick(clockMs: number): void {
    const nowMs = clockMs - this.jumpedMs
    this.nowMs = nowMs
    this.lru = nowMs | 0
    this.fineNow = Math.floor(nowMs / FINE_MS)
    this.fine = this.fineNow & FINE_MASK
  }

  /** The clock that `tick` is told of has jumped by so much, on or back; `tick` is to follow. */
  jump(ms: number): void {
    this.jumpedMs += ms
  }

  /** The access word of a key just made. */
  fresh(): number {
    return this.lfu ? (this.fine << 8) | LFU_START : this.lru
  }

  /** The access word after one more use. */
  used(access: number): number {
    if (!this.lfu) return this.lru
    let counter = this.frequency(access)
    if (counter < LFU_MAX) {
      const base = Math.max(counter - LFU_START, 0)
      if (random() < 1 / (base * this.lfuLogFactor + 1)) counter++
    }
    return (this.fine << 8) | counter
  }

  /** LFU counter, decayed to now: 0 … 255. */
  frequency(access: number): number {
    const counter = access & 0xff
    if (this.lfuDecayMinutes === 0) return counter
    const passed = ((this.fine >>> 8) - (access >>> 16)) & 0xffff
    return Math.max(counter - Math.floor(passed / this.lfuDecayMinutes), 0)
  }

  /** Where this key stands in the order of eviction: those with the least go first. Comparable for as long as the
   *  policy stays. */
  worth(access: number): number {
    if (!this.lfu) return this.nowMs - ((this.lru - access) >>> 0)
    return this.frequency(access) * LFU_STEP + this.fineNow - ((this.fine - (access >>> 8)) & FINE_MASK)
  }

  /** Milliseconds since the last use. */
  idleMs(access: number): number {
    return (this.lru - access) >>> 0
  }

  /** The access word of a key that has been idle for so long. */
  idleSince(idleMs: number): number {
    return (this.lru - idleMs) | 0
  }

  withFrequency(counter: number): number {
    return (this.fine << 8) | (counter & 0xff)
  }
}
