/* The log: pino, one JSON object a line, or on a terminal lines for people.
 *
 * Redis's levels map to pino's: debug to trace, verbose to debug, notice to info, warning to warn. */
import { destination, pino } from 'pino'

/** What the server needs of a log; pino's are such, and so are others. */
export interface Log {
  level: string
  trace(message: string): void
  debug(message: string): void
  info(message: string): void
  warn(message: string): void
  error(message: string): void
  fatal(message: string): void
}

export const LOG_LEVELS: Readonly<Record<string, string>> = {
  debug: 'trace',
  verbose: 'debug',
  notice: 'info',
  warning: 'warn',
  nothing: 'silent',
}

/** Bytes kept of lines that could not be written, to be tried again with the next one. */
const UNWRITTEN_MAX = 64 * 1024

/** A log to a file, or to standard output if `file` is ''. Written at once: a crash loses no line. */
export async function openLog(level: string, file: string): Promise<Log> {
  const options = { level: LOG_LEVELS[level] ?? 'info', base: { pid: process.pid } }
  if (file === '' && process.stdout.isTTY) {
    const { default: pretty } = await import('pino-pretty')
    const log: Log = pino(options, pretty({ sync: true, ignore: 'pid', translateTime: 'SYS:dd mmm yyyy HH:MM:ss.l' }))
    return log
  }
  const stream = destination({ dest: file === '' ? 1 : file, append: true, sync: true, maxLength: UNWRITTEN_MAX })
  // A full disk costs lines of the log, and no more than that.
  stream.on('error', () => {})
  const log: Log = pino(options, stream)
  return log
}

/** For embedding: nothing is logged. */
export function silentLog(): Log {
  return pino({ level: 'silent' })
}
