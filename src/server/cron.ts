/* The cron: what the server does `hz` times a second whether or not anybody asks. */
import type { Connection } from './connection.ts'
import type { Server } from './server.ts'

/** Backwards jump of the system's clock from which on the expiry indexes are built anew. */
const CLOCK_JUMP_MS = 1000
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
  private lastMs = 0
  /** Time that all ticks took, and the longest of them, in milliseconds; for INFO. */
  spentMs = 0
  longestMs = 0
  /** DEBUG PAUSE-CRON. */
  paused = false
  /** DEBUG SET-ACTIVE-EXPIRE. */
  activeExpire = true

  constructor(server: Server) {
    this.server = server
    server.background.add(
      () => this.expireNext(),
      (ms, cut) => this.bookExpiry(ms, cut),
    )
    server.background.add(() => server.keyspace.reclaim())
  }

  /** Adds what is to be done every tick. */
  every(task: Task): void {
    this.tasks.push(task)
  }

  /** Adds what is to be done to every connection once a second. */
  everyClient(task: (connection: Connection, nowMs: number) => void): void {
    this.clientTasks.push(task)
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

  private tick(): void {
    if (this.paused) return
    const start = performance.now()
    const { dispatcher, keyspace, background } = this.server
    dispatcher.syncClock()
    dispatcher.begin()
    const now = keyspace.now
    if (now < this.lastMs - CLOCK_JUMP_MS) for (const db of keyspace.databases) db.rebuildIndex()
    this.lastMs = now
    for (const task of this.tasks) task(now)
    this.walkClients(now)
    const took = performance.now() - start
    this.spentMs += took
    this.longestMs = Math.max(this.longestMs, took)
    background.run()
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
