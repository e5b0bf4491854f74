/* Digest: a fingerprint of data as DEBUG DIGEST makes it, 20 bytes that SHA-1 sums are added to in one of two ways.
 *
 *   xor   digest ^= sha1(part)              whatever the order of the parts: members of a set, keys of a database
 *   mix   digest = sha1(digest ^ sha1(part))    the order counts: elements of a list, a field and its value
 */
import { writeSha1 } from './sha1.ts'

const SIZE = 20

export class Digest {
  readonly bytes = new Uint8Array(SIZE)
  private readonly sum = new Uint8Array(SIZE)

  xor(bytes: Uint8Array, pos: number, len: number): void {
    const { sum } = this
    writeSha1(bytes, pos, len, sum)
    for (let at = 0; at < SIZE; at++) this.bytes[at]! ^= sum[at]!
  }

  mix(bytes: Uint8Array, pos: number, len: number): void {
    this.xor(bytes, pos, len)
    writeSha1(this.bytes, 0, SIZE, this.bytes)
  }

  /** Adds another digest as a part. */
  xorDigest(other: Digest): void {
    this.xor(other.bytes, 0, SIZE)
  }

  reset(): void {
    this.bytes.fill(0)
  }

  get hex(): string {
    return Buffer.from(this.bytes).toString('hex')
  }
}
