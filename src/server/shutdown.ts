/* Shutdown: how the server ends: SHUTDOWN, and the signals that ask for it.
 *
 * A signal is acted on a tick of the cron later, so that SHUTDOWN ABORT can still take it back; a second SIGINT ends
 * the process at once, for somebody sits there and presses the keys.
 *
 * There is nothing yet that data could be saved to. A shutdown that would have saved because of the configuration
 * says in the log what is lost and goes on: a server that nobody can stop helps nobody. One that was told to SAVE
 * fails instead, as Redis's does when it cannot, unless it is also told to FORCE. */
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
    if (!this.saveLast(options)) {
      log.warn('Errors trying to shut down the server. Check the logs for more information.')
      return false
    }
    server.close()
    log.warn('Redis is now ready to exit, bye bye...')
    server.exit(0)
    return true
  }

  private saveLast({ save, force }: ShutdownOptions): boolean {
    const { config, keyspace, log } = this.server
    const wanted = save ?? config.value('save').length > 0
    if (!wanted) return true
    const keys = keyspace.databases.reduce((sum, db) => sum + db.size, 0)
    if (save === true) {
      log.warn(`Error trying to save the DB, ${force ? 'exit anyway' : "can't exit"}: persistence is not built yet.`)
      return force === true
    }
    if (keys > 0) log.warn(`Persistence is not built yet: ${keys} keys were not saved.`)
    return true
  }

  /** A signal asks for the end, in the way that shutdown-on-sigterm or shutdown-on-sigint says. */
  signalled(signal: 'SIGTERM' | 'SIGINT'): void {
    const { config, log, exit } = this.server
    if (this.timer !== undefined) {
      if (signal !== 'SIGINT') return
      log.warn('You insist... exiting now.')
      return exit(1)
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
