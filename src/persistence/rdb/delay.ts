/* A pause after each key, so that a test can look at a save or a load while it is going on. */
import { random } from '../../lib/random.ts'

const never = new Int32Array(new SharedArrayBuffer(4))

/** Does nothing for so many microseconds; a negative number: for one microsecond once in so many calls. */
export function pauseFor(microseconds: number): void {
  const us = microseconds >= 0 ? microseconds : random() * -microseconds < 1 ? 1 : 0
  if (us > 0) Atomics.wait(never, 0, 0, us / 1000)
}
