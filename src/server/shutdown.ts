/* Shutdown: how the server ends: SHUTDOWN, and the signals that ask for it.
 *
 * A signal is acted on a tick of the cron later, so that SHUTDOWN ABORT can still take it back; a second SIGINT ends
 * the process at once, for somebody sits there and presses the keys.
 *
 * Where there are save points the data is saved first, and the server goes on if that fails: nothing is lost without
 * FORCE. */
import type { Server } from './server.ts'

export interface ShutdownOptions {
  /** undefined: as configured. */
  readonly save?: boolean | undefined
  /** Exit even if the data cannot be saved. */
  readonly force?: boolean
}

export class Shutdown {
  private readonly server: Server
  private timer: NodeJS.Timeout | undefined

  constructor(server: Server) {
    this.server = server
  }

  /** Ends the server and what it lives in; false if it must go on. Why is in the log. */
  now(options: ShutdownOptions): boolean {
    const { server } = this
    const { log } = server
    log.info('User requested shutdown...')
    if (!server.appendOnly.shutdown(options.force === true) || !this.saveLast(options)) {
      log.warn('Errors trying to shut down the server. Check the logs for more information.')
      return false
    }
    server.close()
    log.warn('Redis is now ready to exit, bye bye...')
    server.exit(0)
    return true
  }

  private saveLast({ save, force }: ShutdownOptions): boolean {
    const { log, persistence } = this.server
    if (persistence.background.inProgress) {
      log.warn('There is a child saving an .rdb. Killing it!')
      persistence.background.kill()
    }
    // Half of the data must not take the place of the whole.
    if (this.server.loading.active || !(save ?? persistence.hasSavePoints)) return true
    log.info('Saving the final RDB snapshot before exiting.')
    if (persistence.save()) return true
    log.warn(force ? 'Error trying to save the DB. Exit anyway.' : "Error trying to save the DB, can't exit.")
    return force === true
  }

  /** A signal asks for the end, in the way that shutdown-on-sigterm or shutdown-on-sigint says. */
  signalled(signal: 'SIGTERM' | 'SIGINT'): void {
    const { config, log, exit } = this.server
    if (this.timer !== undefined) {
      if (signal !== 'SIGINT') return
      log.warn('You insist... exiting now.')
      return exit(1)
    }
    if (this.server.loading.active) {
      log.warn('Received shutdown signal during loading, exiting now.')
      this.server.directoryLock.release()
      return exit(0)
    }
    log.warn(`Received ${signal} scheduling shutdown...`)
    this.timer = setTimeout(() => {
      this.timer = undefined
      const ways = config.value(signal === 'SIGTERM' ? 'shutdown-on-sigterm' : 'shutdown-on-sigint')
      const save = ways.includes('save') ? true : ways.includes('nosave') ? false : undefined
      this.now({ save, force: ways.includes('force') })
    }, 1000 / config.number('hz'))
  }

  /** Takes a signal back; false if there was none. */
  abort(): boolean {
    if (this.timer === undefined) return false
    this.close()
    this.server.log.info('Shutdown manually aborted.')
    return true
  }

  close(): void {
    clearTimeout(this.timer)
    this.timer = undefined
  }
}
