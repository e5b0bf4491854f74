/* Release: gives the memory of a large buffer back to the system at once.
 *
 * The collector knows little of what lies outside of its heap: it lets dead buffers lie until they add up to half of
 * the heap's limit (2 GB, where there are 16). Detached, a buffer is freed on the spot: 0.12 ms per megabyte on Node
 * 20. */
import { MessageChannel, type MessagePort } from 'node:worker_threads'

/* And so that it goes to the system, not to a list of free memory: glibc asks the system for a block of its own only if
 * it is larger than the largest such block that was ever given back (up to 32 MB; M_MMAP_THRESHOLD moves). Without that
 * care chunks of the arena came from the heap after the first was released, and 256 MB of free ones stayed resident. */

/** Smaller ones are the collector's. */
const SIZE_MIN = 8 * 1024 * 1024

/** Node 21 and later. */
const PAGE = 4096
/** The largest buffer released, of those that make the threshold move. */
let releasedMax = 0
const MOVING_MAX = 32 * 1024 * 1024

/** The size to ask for instead of `size`, so that the memory is the system's again when it is released. What is more is
 *  never touched, and takes nothing. */
export function releasableSize(size: number): number {
  return size > MOVING_MAX ? size : Math.max(size, releasedMax + 3 * PAGE)
}

type Transferable = { transfer?(len: number): ArrayBuffer }

const nowhere = 'transfer' in ArrayBuffer.prototype ? null : closedPort()

/** A port whose other side is closed (from the next turn of the loop on): what is sent to it is dropped. */
function closedPort(): MessagePort {
  const { port1, port2 } = new MessageChannel()
  port2.close()
  return port1
}

/** The bytes are gone, and so they are for whoever else has a view of the same buffer. */
export function release(bytes: Uint8Array): void {
  if (bytes.length < SIZE_MIN) return
  const buffer = bytes.buffer as ArrayBuffer & Transferable
  if (buffer.byteLength <= MOVING_MAX) releasedMax = Math.max(releasedMax, buffer.byteLength)
  if (nowhere === null) buffer.transfer!(0)
  else nowhere.postMessage(undefined, [buffer])
}
