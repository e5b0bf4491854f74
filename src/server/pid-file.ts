/* The pid file: holds the number of the process while it serves, for scripts that want to send it signals. */
import { unlinkSync, writeFileSync } from 'node:fs'
import type { Config } from './config/config.ts'
import { errorText } from './config/text.ts'
import { resolveBytes } from './config/working-directory.ts'
import type { Log } from './log.ts'

/** Where a server in the background tells its number if it was not told where. */
const DEFAULT_PATH = '/var/run/redis.pid'

const pathOf = (config: Config): string | null =>
  config.bytes('pidfile') ?? (config.bool('daemonize') ? DEFAULT_PATH : null)

/** Nobody needs it as badly as the data: that it cannot be written is only logged. */
export function writePidFile(config: Config, log: Log): void {
  const path = pathOf(config)
  if (path === null) return
  try {
    writeFileSync(resolveBytes(config.directory, path), `${process.pid}\n`)
  } catch (error) {
    log.info(`Failed to write PID file: ${errorText(error)}`)
  }
}

export function removePidFile(config: Config, log: Log): void {
  const path = pathOf(config)
  if (path === null) return
  log.info('Removing the pid file.')
  try {
    unlinkSync(resolveBytes(config.directory, path))
  } catch (error) {
    log.debug(`The pid file could not be removed: ${errorText(error)}`)
  }
}
