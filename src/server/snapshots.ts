/* Snapshots: who takes one, and how fast. There is one at a time, for they share the marks of the entries: a save of
 * the RDB file, or the rewriting of the append-only file. It is taken in the background's share of each turn, of which
 * showing keys that are about to change is a part, and waits while what it has shown has not been written. */
import { type ImageSink, Snapshot } from '../persistence/snapshot.ts'
import type { Server } from './server.ts'

export interface SnapshotUser {
  readonly sink: ImageSink
  /** Whether so much waits to be written that the walk must pause. Whoever says so calls `resume` later. */
  isFull(): boolean
  /** Bytes that wait in memory for their place in the file. */
  heldBytes?(): number
  /** How long to pause after each key, in microseconds, so that tests can look at a save under way. */
  readonly keyDelayUs: number
  /** The last key has been shown, and the sink told so. */
  shown(): void
}

export class Snapshots {
  private readonly server: Server
  private snapshot: Snapshot | null = null
  private user: SnapshotUser | null = null
  private pausedUntil = 0
  private timer: NodeJS.Timeout | undefined
  /** Keys that had been shown early when the last slice began. */
  private earlyBefore = 0

  constructor(server: Server) {
    this.server = server
  }

  /** Whether a snapshot is under way, or one that was given up is still in the way of the next. */
  get busy(): boolean {
    return this.snapshot !== null
  }

  /** Whether one that was given up is still in the way. */
  get isClearing(): boolean {
    return this.snapshot !== null && this.user === null
  }

  /** Keys that have been shown of the snapshot under way, and all that will be. */
  get shownCount(): number {
    return this.user === null ? 0 : (this.snapshot?.shownCount ?? 0)
  }
  get keyCount(): number {
    return this.user === null ? 0 : (this.snapshot?.keyCount ?? 0)
  }

  /** Bytes that the snapshot under way holds because data has changed. */
  get heldBytes(): number {
    if (this.snapshot === null || this.user === null) return 0
    return this.snapshot.copiedBytes + (this.user.heldBytes?.() ?? 0)
  }

  /** The data as it is now will be shown to the user. Nothing else may be under way. */
  begin(user: SnapshotUser): void {
    this.user = user
    this.snapshot = new Snapshot(this.server.keyspace, user.sink)
    this.pausedUntil = 0
    this.earlyBefore = 0
    this.server.background.share(
      () => this.step(),
      () => this.earlyMs(),
    )
  }

  /** How long commands have taken since the last slice to show keys that they were about to change: as long as the walk
   *  takes for so many. */
  private earlyMs(): number {
    const { snapshot } = this
    if (snapshot === null) return 0
    const { earlyCount, shownCount } = snapshot
    const count = earlyCount - this.earlyBefore
    this.earlyBefore = earlyCount
    return (count * this.server.background.sharedMs) / Math.max(1, shownCount - earlyCount)
  }

  /** The user does not want to see the rest. He may have seen all, and another one's may be under way. */
  giveUp(user: SnapshotUser | null): void {
    if (user === null || this.user !== user) return
    this.user = null
    this.pausedUntil = 0
    clearTimeout(this.timer)
    this.snapshot?.abandon()
    if (this.snapshot?.isDone) this.end()
    else this.resume()
  }

  /** There is room for what comes next. */
  resume(): void {
    this.server.background.wake()
  }

  private step(): boolean {
    const { snapshot, user } = this
    if (snapshot === null) return false
    if (user === null) return snapshot.step() || this.end()
    if (user.isFull() || performance.now() < this.pausedUntil) return false
    const shown = snapshot.shownCount
    const more = snapshot.step()
    if (user.keyDelayUs > 0) this.pause((snapshot.shownCount - shown) * user.keyDelayUs)
    if (more) return this.pausedUntil === 0
    this.end()
    user.shown()
    return false
  }

  private pause(us: number): void {
    if (us === 0) return
    const ms = us / 1000
    this.pausedUntil = performance.now() + ms
    clearTimeout(this.timer)
    const wake = () => {
      this.pausedUntil = 0
      this.resume()
    }
    this.timer = setTimeout(wake, Math.ceil(ms))
  }

  private end(): false {
    this.snapshot = null
    this.user = null
    this.server.background.share(null)
    return false
  }

  close(): void {
    clearTimeout(this.timer)
  }
}
