/* Idle collection: when nothing has been asked for a while, after there was much to do, the JavaScript heap is
 * collected once. The young generation grows under load and is made small again by a full collection only, which V8 has
 * no reason for: our heap hardly grows. That gives 3 to 4 MB back.
 *
 * A full collection takes some milliseconds, so it waits until nobody is likely to notice. Not for embedding: that heap
 * is its host's. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Server } from './server.ts'

/** Without a command for so long, the server is idle. */
const QUIET_MS = 2000
/** Fewer commands than this since the last collection leave nothing worth it. */
const COMMANDS_MIN = 20_000

/** V8's own function, which it shows to contexts made while the flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  return collect
}

/** Collects now, to leave behind what starting took, and whenever the server has become idle. */
export function collectWhenIdle(server: Server): void {
  const collect = collector()
  const commands = (): number => server.dispatcher.statistics.totalCalls
  let collectedAt = commands()
  let seen = collectedAt
  let quietSince = performance.now()
  const check = (): void => {
    const now = performance.now()
    if (commands() !== seen) {
      seen = commands()
      quietSince = now
    } else if (seen - collectedAt >= COMMANDS_MIN && now - quietSince >= QUIET_MS) {
      collectedAt = seen
      collect()
    }
  }
  server.cron.every(() => check())
  collect()
}
