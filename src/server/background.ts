/* Background work: what may take long is done in slices between turns of the loop, so that no client waits for more
 * than one slice. A job does one small step a call and says whether there is more; while any has, the loop does not
 * sleep. */

/** Longest slice, in milliseconds. */
const SLICE_MS = 1
/** Steps between looks at the clock. */
const STEPS = 16

/** One small step; false when there is nothing left to do now. */
export type Job = () => boolean

/** Told of each go at a job: how long it took, and whether it ended because the slice did. */
export type Account = (ms: number, cut: boolean) => void

export class Background {
  private readonly jobs: Job[] = []
  private readonly accounts: Account[] = []
  private scheduled = false
  /** Time that all slices took, and the longest of them, in milliseconds; for INFO. */
  spentMs = 0
  longestMs = 0

  add(job: Job, account: Account = () => {}): void {
    this.jobs.push(job)
    this.accounts.push(account)
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
    const end = start + SLICE_MS
    let busy = true
    let now = start
    while (busy && now < end) {
      busy = false
      for (const [index, job] of this.jobs.entries()) {
        const before = now
        let step = 0
        while (step < STEPS && job()) step++
        if (step === STEPS) busy = true
        now = performance.now()
        this.accounts[index]!(now - before, step === STEPS && now >= end)
      }
    }
    this.spentMs += now - start
    this.longestMs = Math.max(this.longestMs, now - start)
    return busy
  }
}
