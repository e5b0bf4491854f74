/* What the model tests of collections have in common: random operations on a keyspace and a plain model of it, verified
 * after each, until at last nothing may be left. */
import fc from 'fast-check'
import type { Keyspace } from '../../../src/keyspace/keyspace.ts'

export interface Pair {
  readonly keyspace: Keyspace
  /** Fails unless keyspace and model agree. */
  verify(): void
}

/** Everything goes, in slices, and no byte is left behind. */
export function endOf(keyspace: Keyspace): void {
  keyspace.flush()
  while (keyspace.reclaim()) {}
  keyspace.verify()
}

/** Does random operations to new pairs, as many rounds as told. */
export function checkOperations<P extends Pair>(
  create: () => P,
  operation: fc.Arbitrary<(pair: P) => void>,
  numRuns: number,
  maxLength = 60,
): void {
  fc.assert(
    fc.property(fc.array(operation, { maxLength }), (operations) => {
      const pair = create()
      for (const operate of operations) {
        operate(pair)
        pair.verify()
      }
      endOf(pair.keyspace)
    }),
    { numRuns },
  )
}
