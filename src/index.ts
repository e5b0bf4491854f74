/* Cinnabar in your own program: `createServer` starts a server in this process, on any free port of this machine.
 *
 *     const server = await createServer()
 *     const redis = new Redis(server.port)
 *     …
 *     await server.close()
 *
 * Several may run side by side, each with a configuration and data of its own. They share the program's thread: while
 * it computes, they do not answer. This file's types name no other file's, so that index.d.ts stands alone. */
import { resolve } from 'node:path'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { Config } from './server/config/config.ts'
import { loadText } from './server/config/load.ts'
import { quoted, toByteString, toText } from './server/config/text.ts'
import { ownDirectory } from './server/config/working-directory.ts'
import { silentLog } from './server/log.ts'
import { Server } from './server/server.ts'

const WARNINGS_MAX = 10

/** What the server needs of a log; pino's are such. */
export interface Logger {
  level: string
  trace(message: string): void
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
  fatal(message: string): void
}

export interface ServerOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** The addresses to listen at, as in the directive `bind`. Default: 127.0.0.1. */
  readonly host?: string | readonly string[]
  /** Directives of redis.conf and their values: `{ maxmemory: '100mb', save: ['900', '1'] }`. Unless `dir` is one of
   *  them, no file is read at the start or written at the end. */
  readonly config?: Readonly<Record<string, string | readonly string[]>>
  /** Where the server logs to. Default: nowhere. */
  readonly log?: Logger | false
}

export interface RunningServer {
  /** The port it listens on; 0 if it listens on a Unix socket only. */
  readonly port: number
  /** Saves the data, if there are save points and a `dir`; closes every connection. Resolves when the port is free and
   *  nothing of the server keeps the process alive. Rejects, and the server goes on, if saving fails. */
  close(): Promise<void>
}

/** Rejects if an option is wrong, the port is taken, or the data cannot be loaded. */
export async function createServer(options: ServerOptions = {}): Promise<RunningServer> {
  const warnings: string[] = []
  const renames: [from: string, to: string][] = []
  const users: (readonly string[])[] = []
  const config = configure(options, renames, users)
  let ended = (): void => {}
  const end = new Promise<void>((resolve) => {
    ended = resolve
  })
  const log = noting(options.log || silentLog(), warnings)
  const server = new Server({ config, log, exit: () => ended() })
  for (const [from, to] of renames) {
    const error = server.table.rename(from, to)
    if (error !== undefined) throw new Error(`rename-command ${from}: ${error}`)
  }
  const persistent = Object.keys(options.config ?? {}).some((name) => name.toLowerCase() === 'dir')
  for (const args of users) {
    const error = server.access.users.configure(args)
    if (error !== undefined) throw new Error(error)
  }
  const aclError = server.access.loadAtStart()
  if (aclError !== undefined) throw new Error(aclError)
  const anyPort = config.number('port') === 0 && config.bytes('unixsocket') === null
  if (!server.start({ anyPort, load: persistent }) || (persistent && !(await server.restore()))) {
    server.close()
    throw new Error(warnings.join(' '))
  }
  return { port: server.listener.port, close: () => close(server, persistent, end) }
}

/** Ends the server as SHUTDOWN does, if nobody has, and waits until its connections are gone. */
async function close(server: Server, persistent: boolean, end: Promise<void>): Promise<void> {
  const isOver = server.listener.isClosed
  if (!isOver && !server.shutdown.now({ save: persistent ? undefined : false })) {
    throw new Error('The data could not be saved; the log says why.')
  }
  await end
  // Handles that were closed are gone at the end of a turn of the loop: this one's, or the next one's.
  await endOfTurn()
  await endOfTurn()
}

function configure(options: ServerOptions, renames: [string, string][], users: (readonly string[])[]): Config {
  const config = new Config({ directory: ownDirectory() })
  const { port = 0, host = '127.0.0.1' } = options
  const directives = { save: '', bind: host, port: String(port), ...options.config }
  if (options.host !== undefined) directives.bind = host
  if (options.port !== undefined) directives.port = String(port)
  const instructions = {
    renameCommand: (from: string, to: string) => {
      renames.push([from, to])
      return undefined
    },
    user: (args: readonly string[]) => {
      users.push(args)
      return undefined
    },
  }
  for (const [name, value] of Object.entries(directives)) {
    const values = typeof value === 'string' ? [value] : value
    const line = [name, ...values.map((each) => quoted(toByteString(each)))].join(' ')
    const error = loadText(config, line, 'options', instructions)
    if (error !== undefined) throw new Error(`${name}: ${reasonIn(error)}`)
  }
  const path = config.text('unixsocket')
  if (path !== null) config.assign('unixsocket', toByteString(resolve(toText(config.directory.path()), path)))
  return config
}

/** The line of a configuration error that says what is wrong. */
function reasonIn(error: string): string {
  const lines = error.trim().split('\n')
  return lines.at(-2) ?? error
}

/** The log, with its first warnings noted: if the server does not start, they say why. */
function noting(log: Logger, warnings: string[]): Logger {
  return {
    get level() {
      return log.level
    },
    set level(level: string) {
      log.level = level
    },
    trace: (message) => log.trace(message),
    debug: (message) => log.debug(message),
    info: (message) => log.info(message),
    warn: (message) => {
      if (warnings.length < WARNINGS_MAX) warnings.push(message)
      log.warn(message)
    },
    error: (message) => log.error(message),
    fatal: (message) => log.fatal(message),
  }
}
