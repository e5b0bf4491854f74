/* Deadlines: things that are to happen at some time, each at its own, with one timer for all of them.
 *
 * A binary heap by time; each thing knows its place in it, so that one that is no longer to happen leaves in O(log n).
 * The timer is set for the earliest: ten thousand waiting clients cost nothing until the first one's time is up. Time
 * is `performance.now()`: it goes on evenly when the system's clock is set. */

/** Longest time that a timer takes. */
export const TIMER_MAX_MS = 2 ** 31 - 1

export interface Timed {
  /** When, in milliseconds of `performance.now()`. */
  readonly deadline: number
  /** Its place in the heap; -1 while it is in none. */
  place: number
}

export class Deadlines<T extends Timed> {
  private readonly heap: T[] = []
  private readonly onDue: (timed: T) => void
  private timer: NodeJS.Timeout | undefined
  private timerAt = Number.POSITIVE_INFINITY

  /** `onDue` is told of each whose time has come, in the order of their times; it has left by then. */
  constructor(onDue: (timed: T) => void) {
    this.onDue = onDue
  }

  get count(): number {
    return this.heap.length
  }

  add(timed: T): void {
    timed.place = this.heap.length
    this.heap.push(timed)
    this.rise(timed)
    if (timed.deadline < this.timerAt) this.watch()
  }

  remove(timed: T): void {
    if (timed.place < 0) return
    const last = this.heap.pop()!
    if (last !== timed) {
      this.put(last, timed.place)
      this.rise(last)
      this.sink(last)
    }
    timed.place = -1
  }

  close(): void {
    clearTimeout(this.timer)
    this.heap.length = 0
  }

  /** Sets the timer for the earliest. One that is set too early only looks. */
  private watch(): void {
    clearTimeout(this.timer)
    const first = this.heap[0]
    this.timerAt = first === undefined ? Number.POSITIVE_INFINITY : first.deadline
    if (first === undefined) return
    const left = Math.ceil(first.deadline - performance.now())
    this.timer = setTimeout(this.due, Math.max(1, Math.min(left, TIMER_MAX_MS)))
  }

  private readonly due = (): void => {
    const now = performance.now()
    for (;;) {
      const first = this.heap[0]
      if (first === undefined || first.deadline > now) break
      this.remove(first)
      this.onDue(first)
    }
    this.watch()
  }

  private put(timed: T, place: number): void {
    this.heap[place] = timed
    timed.place = place
  }

  private rise(timed: T): void {
    while (timed.place > 0) {
      const parent = this.heap[(timed.place - 1) >>> 1]!
      if (parent.deadline <= timed.deadline) return
      this.swap(parent, timed)
    }
  }

  private sink(timed: T): void {
    for (;;) {
      const left = this.heap[2 * timed.place + 1]
      const right = this.heap[2 * timed.place + 2]
      const least = right !== undefined && right.deadline < left!.deadline ? right : left
      if (least === undefined || least.deadline >= timed.deadline) return
      this.swap(timed, least)
    }
  }

  private swap(above: T, below: T): void {
    const place = above.place
    this.put(above, below.place)
    this.put(below, place)
  }
}
