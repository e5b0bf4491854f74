/* Shutdown: how the server ends: SHUTDOWN, and the signals that ask for it.
 *
 * There is nothing yet that data could be saved to. A shutdown that would have saved because of the configuration says in
 * the log what is lost and goes on: a server that nobody can stop helps nobody. One that was told to SAVE fails instead,
 * as Redis's does when it cannot, unless it is also told to FORCE. */
import type { Server } from './server.ts'

export interface ShutdownOptions {
  /** undefined: as configured. */
  readonly save?: boolean | undefined
  /** Exit even if the data cannot be saved. */
  readonly force?: boolean
}

/** Ends the server and what it lives in; false if it must go on. Why is in the log. */
export function shutDown(server: Server, options: ShutdownOptions): boolean {
  const { log } = server
  log.info('User requested shutdown...')
  if (!saveLast(server, options)) {
    log.warn('Errors trying to shut down the server. Check the logs for more information.')
    return false
  }
  server.close()
  log.warn('Redis is now ready to exit, bye bye...')
  server.exit(0)
  return true
}

function saveLast({ config, keyspace, log }: Server, { save, force }: ShutdownOptions): boolean {
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

/** A signal asks for the end, in the way that shutdown-on-sigterm and shutdown-on-sigint say. */
export function signalled(server: Server, signal: 'SIGTERM' | 'SIGINT'): void {
  const ways = server.config.value(signal === 'SIGTERM' ? 'shutdown-on-sigterm' : 'shutdown-on-sigint')
  server.log.warn(`Received ${signal} scheduling shutdown...`)
  const save = ways.includes('save') ? true : ways.includes('nosave') ? false : undefined
  shutDown(server, { save, force: ways.includes('force') })
}
