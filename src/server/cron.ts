/* The cron: what the server does `hz` times a second whether or not anybody asks. */
import { LONG_MS } from '../commands/dispatcher.ts'
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

/** Difference between the system's clock and one that is never set, from tick to tick, that is a jump: the clock was
 *  set, or the machine slept. */
const CLOCK_JUMP_MS = 1000
/** Milliseconds of each turn of the loop that expiry may take: with an active-expire-effort of 1, and more for each
 *  step. */
const EXPIRY_MS = 0.5
const EXPIRY_STEP_MS = 0.15
/** Clients looked after per tick at least; all of them are within a second. */
const CLIENTS_MIN = 5

export type Task = (nowMs: number) => void

export class Cron {
  private readonly server: Server
  private timer: NodeJS.Timeout | undefined
  private hz = 10
  private readonly tasks: Task[] = []
  private readonly clientTasks: ((connection: Connection, nowMs: number) => void)[] = []
  private walk: Iterator<Connection> | undefined
  /** The system's clock, and one that is never set, at the last tick. */
  private lastMs = 0
  private lastStart = 0
  private readonly jumpTasks: ((jumpMs: number) => void)[] = []
  private expiryMs = EXPIRY_MS
  /** Time that all ticks took, and the longest of them, in milliseconds; for INFO. */
  spentMs = 0
  longestMs = 0
  /** Told of ticks that took `LONG_MS` and more. */
  onLongTick: (ms: number) => void = () => {}
  /** DEBUG PAUSE-CRON. */
  paused = false
  /** DEBUG SET-ACTIVE-EXPIRE. */
  activeExpire = true

  constructor(server: Server) {
    this.server = server
    server.background.add(
      () => this.expireNext(),
      (ms, cut) => this.bookExpiry(ms, cut),
      () => this.expiryMs,
    )
    server.config.onChange('active-expire-effort', () => {
      this.expiryMs = EXPIRY_MS + (server.config.number('active-expire-effort') - 1) * EXPIRY_STEP_MS
    })
    server.background.add(() => this.reclaimNext())
    server.background.addUncut(() => server.keyspace.memory.discard())
    server.keyspace.memory.discardsLater = true
  }

  /** Adds what is to be done every tick. */
  every(task: Task): void {
    this.tasks.push(task)
  }

  /** Adds what is to be done to every connection once a second. */
  everyClient(task: (connection: Connection, nowMs: number) => void): void {
    this.clientTasks.push(task)
  }

  /** Adds what is to be done when the system's clock has jumped by so many milliseconds, on or back. Expiries follow
   *  that clock; how long something has lasted should not. */
  onClockJump(task: (jumpMs: number) => void): void {
    this.jumpTasks.push(task)
  }

  /** Ticks a second: 1 … 500. */
  setRate(hz: number): void {
    this.hz = hz
    if (this.timer !== undefined) this.start()
  }

  start(): void {
    clearInterval(this.timer)
    this.timer = setInterval(() => this.tick(), Math.max(1, Math.round(1000 / this.hz)))
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** What is done `hz` times a second. */
  tick(): void {
    if (this.paused) return
    const start = performance.now()
    const { dispatcher, keyspace, background } = this.server
    dispatcher.syncClock()
    dispatcher.begin()
    const now = keyspace.now
    if (this.lastMs > 0) this.watchClock(Math.round(now - this.lastMs - (start - this.lastStart)))
    this.lastMs = now
    this.lastStart = start
    for (const task of this.tasks) task(now)
    this.walkClients(now)
    const took = performance.now() - start
    this.spentMs += took
    this.longestMs = Math.max(this.longestMs, took)
    if (took >= LONG_MS) this.onLongTick(took)
    background.run()
  }

  private watchClock(jumpMs: number): void {
    if (Math.abs(jumpMs) < CLOCK_JUMP_MS) return
    const { keyspace, connections } = this.server
    if (jumpMs < 0) for (const db of keyspace.databases) db.rebuildIndex()
    keyspace.clock.jump(jumpMs)
    keyspace.setTime(keyspace.now)
    for (const connection of connections.values()) connection.clockJumped(jumpMs)
    for (const task of this.jumpTasks) task(jumpMs)
  }

  private reclaimNext(): boolean {
    const { background, keyspace } = this.server
    if (keyspace.reclaim()) return true
    // Chunks of the arena are given back one by one.
    if (keyspace.memory.discardedChunks > 0) background.wake()
    return false
  }

  private expireNext(): boolean {
    if (!this.activeExpire || this.server.keyspace.expiryPaused) return false
    for (const db of this.server.keyspace.databases) {
      if (db.expireNext()) return true
    }
    return false
  }

  private bookExpiry(ms: number, cut: boolean): void {
    const { keyspace, slow } = this.server
    keyspace.stats.expireCycleMs += ms
    if (cut) keyspace.stats.expireTimeCapReached++
    slow.latency.note('expire-cycle', ms)
  }

  private walkClients(now: number): void {
    const connections = this.server.connections
    const count = Math.max(Math.ceil(connections.size / this.hz), Math.min(CLIENTS_MIN, connections.size))
    for (let left = count; left > 0; left--) {
      this.walk ??= connections.values()
      const next = this.walk.next()
      if (next.done === true) {
        this.walk = undefined
        continue
      }
      next.value.shrink()
      for (const task of this.clientTasks) task(next.value, now)
    }
  }
}
