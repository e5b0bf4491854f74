/* Idle collection: when there was much to do, and then for a while hardly anything, the JavaScript heap is collected
 * once. The young generation grows under load and is made small again by a full collection only, which V8 has no reason
 * for: our heap hardly grows. And when thousands of connections have been closed, it gives back what they and their
 * buffers were.
 *
 * A full collection takes 10 to 30 ms, so it waits until nobody is likely to notice, is not repeated before there was
 * much to do again, and is left out where it would gain little: after load the heap takes some megabytes more than
 * before, of which most is code and what it has learned, and stays. (With the small young generation that we start
 * with, 3.8 MB more give 1.1 back.) Not for embedding: that heap is its host's. */
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
/** The heap must take so much more than after the last collection, or there is nothing to gain. */
const GROWN_MIN = 4.5 * 1024 * 1024
/** Quiet for so long, the server is idle. */
const QUIET_MS = 2000

/** V8's own function, which it shows to contexts made while the flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return collect
}

/** Collects now, to leave behind what starting took, and whenever the server has become idle. */
export function collectWhenIdle(server: Server, collect = collector(), heapBytes = residentHeap): void {
  let leftBytes = 0
  const collectNow = (): void => {
    collect()
    leftBytes = heapBytes()
  }
  let seen = 0
  let seenBytes = 0
  let connected = 0
  let wasBusy = false
  let periodStart = performance.now()
  let quietSince = periodStart
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
    if (calls > BUSY_MIN || bytes > BUSY_BYTES_MIN || wereClosed) wasBusy = true
    if (calls > QUIET_MAX || bytes > QUIET_BYTES_MAX) quietSince = now
    if (!wasBusy || now - quietSince < QUIET_MS) return
    wasBusy = false
    connected = server.connections.size
    if (wereClosed || heapBytes() - leftBytes >= GROWN_MIN) collectNow()
  }
  server.cron.every(check)
  collectNow()
}

/** Bytes of memory that the heap takes, and the buffers that a collection may find dropped. */
function residentHeap(): number {
  return getHeapStatistics().total_physical_size + bytesDropped()
}
