/* Idle collection: when there was much to do, and then for a while hardly anything, the JavaScript heap is collected.
 * V8 has no reason to: our heap hardly grows.
 *
 *   after 2 s      for what can be given back by then: what thousands of closed connections were, and buffers of long
 *                  values that were dropped
 *   after 5.5 s    for the young generation, which grows under load; a full collection makes it small again if V8 has
 *                  seen next to nothing allocated for 5 seconds
 *   after 6 s      for what that one has copied, and was still there when it ended
 *
 * The last two give back 3 MB after the start, and 5 to 8 after load (Node 20; Node 24 keeps the emptied pages for
 * some ten seconds more, so there it takes more for that long). A full collection takes 10 to 30 ms, so it waits until
 * nobody is likely to notice, is not repeated before there was much to do again, and is left out where it would gain
 * little. Not for embedding: that heap is its host's. */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { bytesDropped } from '../protocol/reply-buffer.ts'
import type { Server } from './server.ts'

/** Commands are counted over as much time as this, or from one tick of the cron to the next if that is longer. */
const PERIOD_MS = 50
/** More commands than this in a period are much to do; more than that are not nothing. */
const BUSY_MIN = 1000
const QUIET_MAX = 10
/** So much read and written in a period is much to do, more than that is not nothing, however few the commands. */
const BUSY_BYTES_MIN = 1024 * 1024
const QUIET_BYTES_MAX = 64 * 1024
/** So many connections fewer than there have been are much to collect. */
const CLOSED_MIN = 1000
/** When quiet for so long, a step is due. */
const STEPS_MS = [2000, 5500, 6000]
/** The heap must take so much more than after the last collection, or the first step has nothing to gain. */
const GROWN_MIN = 4.5 * 1024 * 1024
/** And so much more than when it was last made small for the others. */
const SHRINK_MIN = 2 * 1024 * 1024

const COMPACT = 'compact-on-every-full-gc'

/** V8's own function, which it shows to contexts made while the flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return () => {
    setFlagsFromString(`--${COMPACT}`)
    collect()
    setFlagsFromString(`--no-${COMPACT}`)
  }
}

/** Collects what starting took, and whenever the server has become idle. */
export function collectWhenIdle(server: Server, collect = collector(), heapBytes = residentHeap): void {
  let leftBytes = 0
  let smallBytes = 0
  let seen = 0
  let seenBytes = 0
  let connected = 0
  let step = 0
  let periodStart = performance.now()
  let quietSince = periodStart
  let worth = false
  const takeStep = (wereClosed: boolean): void => {
    if (step === 0) worth = wereClosed || heapBytes() - leftBytes >= GROWN_MIN
    if (step === 1) worth = heapBytes() - smallBytes >= SHRINK_MIN
    step++ // the last completes the one before, if that was worth it
    if (!worth) return
    collect()
    leftBytes = heapBytes()
    if (step === STEPS_MS.length) smallBytes = leftBytes
  }
  const check = (): void => {
    const now = performance.now()
    if (now - periodStart < PERIOD_MS) return
    periodStart = now
    const { totalCalls } = server.dispatcher.statistics
    const calls = totalCalls - seen // below 0 after CONFIG RESETSTAT
    seen = totalCalls
    const { bytesRead, bytesWritten } = server.stats
    const bytes = bytesRead + bytesWritten - seenBytes
    seenBytes = bytesRead + bytesWritten
    connected = Math.max(connected, server.connections.size)
    const wereClosed = connected - server.connections.size >= CLOSED_MIN
    if (calls > BUSY_MIN || bytes > BUSY_BYTES_MIN || wereClosed) step = 0
    if (calls > QUIET_MAX || bytes > QUIET_BYTES_MAX) quietSince = now
    if (step === STEPS_MS.length || now - quietSince < STEPS_MS[step]!) return
    connected = server.connections.size
    takeStep(wereClosed)
  }
  server.cron.every(check)
}

/** Bytes of memory that the heap takes, and the buffers that a collection may find dropped. */
function residentHeap(): number {
  return getHeapStatistics().total_physical_size + bytesDropped()
}
