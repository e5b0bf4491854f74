/* A client for which keys are tracked (CLIENT TRACKING): how it wants that done. */

export class TrackedClient {
  /** The client's id; the tables know its low half. */
  readonly id: number
  isOn = false
  /** The client that is told instead of this one; 0: none. */
  redirect = 0
  /** It has gone. */
  isBroken = false
  /** Told of all changes of keys with certain prefixes, not of those that it has read. */
  bcast = false
  optIn = false
  optOut = false
  /** Not told of what it changes itself. */
  noLoop = false
  /** CLIENT CACHING was said for the next command; that has come, so it no longer holds for the one after. */
  isCachingSaid = false
  isCachingSpent = false
  /** With `bcast`: byte strings, in their order. */
  prefixes: readonly string[] = []

  constructor(id: number) {
    this.id = id
  }

  /** Everything as before it was turned on. */
  turnOff(): void {
    this.isOn = false
    this.isBroken = false
    this.bcast = false
    this.optIn = false
    this.optOut = false
    this.noLoop = false
    this.isCachingSaid = false
    this.prefixes = []
  }

  /** Whether what it reads now is to be remembered. */
  get remembers(): boolean {
    if (!this.isOn || this.bcast) return false
    return this.optIn ? this.isCachingSaid : !(this.optOut && this.isCachingSaid)
  }
}
