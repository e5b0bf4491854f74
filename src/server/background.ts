/* Background work: what may take long is done in slices between turns of the loop, so that no client waits for more than
 * one slice. A job does one small step a call and says whether there is more; while any has, the loop does not sleep. */

/** Longest slice, in milliseconds. */
const SLICE_MS = 1
/** Steps between looks at the clock. */
const STEPS = 16

/** One small step; false when there is nothing left to do now. */
export type Job = () => boolean

export class Background {
  private readonly jobs: Job[] = []
  private scheduled = false
  /** Longest slice so far, in milliseconds of `performance.now()`; for INFO. */
  longestMs = 0

  add(job: Job): void {
    this.jobs.push(job)
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

  /** Works for one slice; whether something is left. */
  private slice(): boolean {
    const start = performance.now()
    const end = start + SLICE_MS
    let busy = true
    while (busy && performance.now() < end) {
      busy = false
      for (const job of this.jobs) {
        let step = 0
        while (step < STEPS && job()) step++
        if (step === STEPS) busy = true
      }
    }
    this.longestMs = Math.max(this.longestMs, performance.now() - start)
    return busy
  }
}
