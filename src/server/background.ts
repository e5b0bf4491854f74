/* Background work: what may take long is done in slices between turns of the loop, so that no client waits for more
 * than one slice. A job does one small step a call and says whether there is more; while any has, the loop does not
 * sleep. What takes long and cannot be cut (a chunk of memory given back) has a slice for itself, every other one.
 *
 * One kind of work is long whatever its slices are: a snapshot. It gets a share: so much of each turn that clients keep
 * most of the time, and all of it while nobody asks for anything. What clients' commands do of its work counts towards
 * the share: while they write to what has not been shown yet they pay for that themselves, and its slices are short. */

import { LONG_MS } from '../commands/dispatcher.ts'

/** Longest slice, in milliseconds, if a job has no other wish. */
const SLICE_MS = 1
/** Steps between looks at the clock. */
const STEPS = 16

/** What the shared job may take of the time that went by since its last slice, and at least and at most in
 *  milliseconds; the last also when nobody else wants anything. */
const SHARE = 0.3
const SHARE_MIN_MS = 0.05
const SHARE_MAX_MS = 1
const SHARE_IDLE_MS = 1

/** One small step; false when there is nothing left to do now. */
export type Job = () => boolean

/** Told how long a job has worked; and with `cut`, that it had more to do when the slice ended. */
export type Account = (ms: number, cut: boolean) => void

interface Work {
  readonly job: Job
  readonly account: Account
  /** How late in a slice it may still go on; it always gets to work once. */
  readonly sliceMs: () => number
  /** Whether it had something left to do when it was last asked. */
  isBusy: boolean
}

export class Background {
  private readonly works: Work[] = []
  private uncut: Job = () => false
  /** Whether the last slice was the uncut job's. */
  private wasUncut = false
  private scheduled = false
  private shared: Job | null = null
  /** When the shared job's last slice ended, and how many commands had run then. */
  private sharedEnd = 0
  private sharedActivity = 0
  /** Milliseconds of the shared job's work that was done outside of its slices since the last of them. */
  private sharedElsewhere: () => number = () => 0
  /** Time that the shared job's slices have taken, in milliseconds. */
  sharedMs = 0
  /** Tells a number that grows with what clients ask for. */
  activity: () => number = () => 0
  /** Time that all slices took, and the longest of them, in milliseconds; for INFO. */
  spentMs = 0
  longestMs = 0
  /** Told of slices that took `LONG_MS` and more. */
  onLongSlice: (ms: number) => void = () => {}

  add(job: Job, account: Account = () => {}, sliceMs = () => SLICE_MS): void {
    this.works.push({ job, account, sliceMs, isBusy: false })
  }

  /** Sets the job whose step is a slice; false if it had nothing to do. */
  addUncut(job: Job): void {
    this.uncut = job
  }

  /** Sets the job that gets a share of the time, or null: there is one at a time. `elsewhere` is asked before each
   *  slice for how many milliseconds others have done its work since it was last asked. */
  share(job: Job | null, elsewhere: () => number = () => 0): void {
    this.shared = job
    this.sharedElsewhere = elsewhere
    this.sharedMs = 0
    this.sharedEnd = performance.now()
    if (job !== null) this.wake()
  }

  /** There may be work: begins with the next turn of the loop. */
  wake(): void {
    if (this.scheduled) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      if (this.slice()) this.wake()
    })
  }

  /** Works for one slice at once, and goes on with the next turn of the loop if that was not enough. */
  run(): void {
    if (!this.scheduled && this.slice()) this.wake()
  }

  /** Works for one slice; whether something is left. */
  private slice(): boolean {
    const start = performance.now()
    this.wasUncut = !this.wasUncut && this.uncut()
    if (!this.wasUncut) return this.sliceOf(start)
    this.book(performance.now() - start)
    return true
  }

  private book(ms: number): void {
    this.spentMs += ms
    this.longestMs = Math.max(this.longestMs, ms)
    if (ms >= LONG_MS) this.onLongSlice(ms)
  }

  /** Lets all others work in turn. */
  private sliceOf(start: number): boolean {
    let goesOn = true
    let now = start
    for (let round = 0; goesOn; round++) {
      goesOn = false
      for (const work of this.works) {
        const end = start + work.sliceMs()
        if (round > 0 && now >= end) continue
        const before = now
        let step = 0
        while (step < STEPS && work.job()) step++
        work.isBusy = step === STEPS
        now = performance.now()
        if (work.isBusy && now < end) goesOn = true
        work.account(now - before, false)
      }
    }
    let busy = false
    for (const { isBusy, account } of this.works) {
      if (!isBusy) continue
      busy = true
      account(0, true)
    }
    if (this.shared !== null) {
      if (this.sharedSlice(this.shared, now)) busy = true
      now = this.sharedEnd
    }
    this.book(now - start)
    return busy
  }

  private sharedSlice(job: Job, start: number): boolean {
    const activity = this.activity()
    const quiet = activity === this.sharedActivity
    this.sharedActivity = activity
    const left = (start - this.sharedEnd) * SHARE - this.sharedElsewhere()
    const share = Math.min(Math.max(left, SHARE_MIN_MS), SHARE_MAX_MS)
    const end = start + (quiet ? SHARE_IDLE_MS : share)
    let busy = true
    let now = start
    while (busy && now < end) {
      busy = job()
      now = performance.now()
    }
    this.sharedEnd = now
    this.sharedMs += now - start
    return busy
  }
}
