/* The log: pino, one JSON object a line, or on a terminal lines for people.
 *
 * Redis's levels map to pino's: debug to trace, verbose to debug, notice to info, warning to warn. */
import { destination, type Logger, pino } from 'pino'

export type Log = Pick<Logger, 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'> & { level: string }

export const LOG_LEVELS: Readonly<Record<string, string>> = {
  debug: 'trace',
  verbose: 'debug',
  notice: 'info',
  warning: 'warn',
  nothing: 'silent',
}

/** A log to a file, or to standard output if `file` is ''. Written at once: a crash loses no line. */
export async function openLog(level: string, file: string): Promise<Log> {
  const options = { level: LOG_LEVELS[level] ?? 'info', base: { pid: process.pid } }
  if (file === '' && process.stdout.isTTY) {
    const { default: pretty } = await import('pino-pretty')
    const log: Log = pino(options, pretty({ sync: true, ignore: 'pid', translateTime: 'SYS:dd mmm yyyy HH:MM:ss.l' }))
    return log
  }
  const log: Log = pino(options, destination({ dest: file === '' ? 1 : file, append: true, sync: true }))
  return log
}

/** For embedding: nothing is logged. */
export function silentLog(): Log {
  return pino({ level: 'silent' })
}
