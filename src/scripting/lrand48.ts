/* The generator behind math.random: 48 bits, X' = 0x5DEECE66D · X + 0xB, of which the upper 31 are given, as lrand48 of
 * C does: the same seed gives the same numbers on every machine, and the same as in Redis. */

const FACTOR_HIGH = 0x5de // 0x5deece66d above its lowest 24 bits
const FACTOR_LOW = 0xece66d
const ADDEND = 0xb
const HALF = 2 ** 24
const SEED_LOW = 0x330e

/** What a random number is less than. */
export const LRAND48_MAX = 2 ** 31 - 1

export class Lrand48 {
  // Two halves of 24 bits, so that products stay exact.
  private high = 0x1234ab
  private low = 0xcd330e

  seed(seed: number): void {
    const word = seed >>> 0
    this.high = Math.floor(word / 256)
    this.low = (word % 256) * 65536 + SEED_LOW
  }

  /** 0 to 2^31 - 1. */
  next(): number {
    const low = this.low * FACTOR_LOW + ADDEND
    const carry = Math.floor(low / HALF)
    this.high = (this.high * FACTOR_LOW + this.low * FACTOR_HIGH + carry) % HALF
    this.low = low % HALF
    return Math.floor((this.high * HALF + this.low) / 2 ** 17)
  }
}
