/* Bytes that fail the test when anything outside of a range is read: for what looks at bytes from elsewhere. */
import { expect } from 'vitest'

/** The bytes in the middle of others, with `pos`, the place where they begin. */
export function guarded(bytes: Uint8Array, pos: number): Uint8Array {
  const whole = new Uint8Array(pos + bytes.length + 16)
  whole.set(bytes, pos)
  return new Proxy(whole, {
    get(target, key) {
      const index = typeof key === 'string' ? Number(key) : Number.NaN
      if (!Number.isInteger(index)) return Reflect.get(target, key, target)
      if (index < pos || index >= pos + bytes.length) expect.fail(`read of byte ${index - pos} of ${bytes.length}`)
      return target[index]
    },
  })
}
