/* Compaction (activedefrag): gives sparsely used chunks of the arena back, a little at a time.
 *
 * Once a second it is asked whether what the arena takes and does not use is worth it; that is two numbers, so being
 * idle costs nothing. Then the compactor works in slices between turns of the loop, for the share of the time that the
 * directives grant: active-defrag-cycle-min percent at the lower threshold of waste, -max at the upper one; and half of
 * it while no command comes. */
import { Compactor } from '../keyspace/compactor.ts'
import type { Server } from './server.ts'

const CHECK_MS = 1000
/** Longest slice, and steps between looks at the clock. */
const SLICE_MS = 0.5
const STEPS = 8
/** Waste of more than this is worth it whatever active-defrag-ignore-bytes says. */
const IGNORED_MAX = 3 * 1024 * 1024
/** What compaction may take of the time when nobody asks for anything. */
const QUIET_SHARE = 0.5
/** After a round that emptied no chunk, the next one waits for so long, and twice as long each time; unless there is
 *  more waste by then, or less: things lie in another way. */
const PATIENCE_MS = 5000
const CHANGE_MIN = 4 * 1024 * 1024
const PATIENCE_MAX_MS = 3_600_000

export class Compaction {
  readonly compactor: Compactor
  /** Milliseconds that compaction took in all rounds before, and since when the present one is under way. */
  private spentMs = 0
  private startedAt = 0
  private enabled = false
  private checkedAt = 0
  private notBefore = 0
  private patienceMs = 0
  /** Waste that the last round left. */
  private wasteLeft = 0
  private restsUntil = 0
  /** Commands that had run when the last slice ended. */
  private activity = 0
  private hadSpare = false
  private timer: NodeJS.Timeout | undefined
  private readonly server: Server

  constructor(server: Server) {
    this.server = server
    this.compactor = new Compactor(server.keyspace)
    const { config } = server
    config.onChange('activedefrag', () => {
      this.enabled = config.bool('activedefrag')
      this.notBefore = 0
      if (!this.enabled && this.compactor.isRunning) this.end()
    })
    server.cron.every(() => this.check())
    server.background.add(() => this.work())
  }

  /** Percent of what is used that is reserved besides. */
  private get wastePercent(): number {
    return (this.compactor.wasteBytes / this.server.keyspace.memory.usedBytes) * 100
  }

  private get isWorthIt(): boolean {
    const { config } = this.server
    const ignored = Math.min(config.number('active-defrag-ignore-bytes'), IGNORED_MAX)
    if (this.compactor.wasteBytes <= ignored) return false
    return this.wastePercent > config.number('active-defrag-threshold-lower')
  }

  private check(): void {
    const now = performance.now()
    if (!this.enabled || this.compactor.isRunning || now < this.checkedAt + CHECK_MS) return
    this.checkedAt = now
    this.releaseSpare()
    if (!this.isWorthIt) return
    if (now < this.notBefore && Math.abs(this.compactor.wasteBytes - this.wasteLeft) < CHANGE_MIN) return
    this.compactor.begin()
    if (!this.compactor.isRunning) return
    this.startedAt = now
    this.server.background.wake()
  }

  /** The chunk in reserve goes when it has not been wanted for a while. */
  private releaseSpare(): void {
    const { memory } = this.server.keyspace
    const isUnwanted = this.hadSpare && memory.hasSpare
    this.hadSpare = memory.hasSpare && !isUnwanted
    if (isUnwanted) memory.purge()
  }

  private work(): boolean {
    const { compactor } = this
    if (!compactor.isRunning) return false
    const start = performance.now()
    if (start < this.restsUntil) return false
    let now = start
    while (compactor.isRunning && now - start < SLICE_MS) {
      for (let left = STEPS; left > 0 && compactor.step(); left--) {}
      now = performance.now()
    }
    if (!compactor.isRunning) this.finish(now)
    else this.rest(now, now - start)
    return false
  }

  /** Leaves the others their share of the time. */
  private rest(now: number, workedMs: number): void {
    const { config } = this.server
    const lower = config.number('active-defrag-threshold-lower')
    const upper = Math.max(config.number('active-defrag-threshold-upper'), lower + 1)
    const least = config.number('active-defrag-cycle-min')
    const most = Math.max(config.number('active-defrag-cycle-max'), least)
    const part = Math.max(0, Math.min(1, (this.wastePercent - lower) / (upper - lower)))
    const busyShare = (least + (most - least) * part) / 100
    const activity = this.server.background.activity()
    const share = activity === this.activity ? Math.max(QUIET_SHARE, busyShare) : busyShare
    this.activity = activity
    const restMs = workedMs * (1 / share - 1)
    this.restsUntil = now + restMs
    this.timer = setTimeout(() => this.server.background.wake(), Math.ceil(restMs))
    this.timer.unref()
  }

  private finish(now: number): void {
    this.spentMs += now - this.startedAt
    this.startedAt = 0
    this.wasteLeft = this.compactor.wasteBytes
    this.patienceMs =
      this.compactor.emptied > 0 ? 0 : Math.min(Math.max(PATIENCE_MS, this.patienceMs * 2), PATIENCE_MAX_MS)
    this.notBefore = now + this.patienceMs
  }

  private end(): void {
    this.compactor.stop()
    this.finish(performance.now())
  }

  /** Whether a round is under way, and how long that and all took, in milliseconds; for INFO. */
  get isRunning(): boolean {
    return this.compactor.isRunning
  }
  get currentMs(): number {
    return this.startedAt === 0 ? 0 : performance.now() - this.startedAt
  }
  get totalMs(): number {
    return this.spentMs + this.currentMs
  }

  close(): void {
    clearTimeout(this.timer)
  }
}
