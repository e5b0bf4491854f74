/* Random: a small, fast, seeded generator (sfc32), for sampling and for tests that must repeat themselves.
 *
 * Not for secrets. One seed gives one sequence, on every machine; a generator without one draws it from the system. */
import { randomBytes } from './crypto.ts'

/** Rounds until the seed has reached every bit. */
const WARM_UP = 12

export class Random {
  private a: number
  private b: number
  private c: number
  private counter: number

  /** `seed`: any 32-bit integer. */
  constructor(seed: number = randomBytes(4).readInt32LE(0)) {
    this.a = 0
    this.b = 0
    this.c = 0
    this.counter = 1
    this.seed(seed)
  }

  seed(seed: number): void {
    this.a = seed | 0
    this.b = 0x6b2fb644
    this.c = 0x3adc1a3f
    this.counter = 1
    for (let round = 0; round < WARM_UP; round++) this.next()
  }

  /** 32 random bits, as a signed integer. */
  next(): number {
    const sum = (((this.a + this.b) | 0) + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum
  }

  /** A whole number from 0 to count - 1, each as likely as the other. 1 <= count <= 2^31. */
  below(count: number): number {
    // The fewest bits that can hold it, drawn again when they are too many: less than two draws on average.
    const shift = Math.clz32(count - 1)
    if (shift === 32) return 0
    for (;;) {
      const drawn = this.next() >>> shift
      if (drawn < count) return drawn
    }
  }

  /** From 0 to just under 1, 53 bits. */
  fraction(): number {
    return ((this.next() >>> 5) * 67108864 + (this.next() >>> 6)) / 9007199254740992
  }
}

const shared = new Random()

/** Words of the process's own generator, some of them drawn before they are wanted: all that are drawn ahead are taken
 *  in their order, so that they are as random as any, whatever has become of what they were drawn for. */
export class DrawnWords {
  private readonly words: Int32Array
  private taken = 0
  private count = 0

  constructor(size: number) {
    this.words = new Int32Array(size)
  }

  /** How many more can be drawn ahead. */
  get room(): number {
    return this.words.length - this.count
  }

  /** Draws a word and keeps it; there must be room. */
  ahead(): number {
    const word = shared.next()
    this.words[this.count++] = word
    return word
  }

  /** Leaves what has been drawn ahead and not taken. */
  forget(): void {
    this.taken = 0
    this.count = 0
  }

  /** The next word. */
  take(): number {
    if (this.taken === this.count) return shared.next()
    const word = this.words[this.taken++]!
    if (this.taken === this.count) {
      this.taken = 0
      this.count = 0
    }
    return word
  }
}

/** As Random.below, from the process's own generator. */
export function randomBelow(count: number): number {
  return shared.below(count)
}

/** As Random.fraction, from the process's own generator. */
export function random(): number {
  return shared.fraction()
}

/** Makes randomBelow and random repeat themselves, for tests. */
export function seedRandom(seed: number): void {
  shared.seed(seed)
}
