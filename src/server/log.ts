/* The log: pino, one JSON object a line, or on a terminal lines for people; or, if
 * CINNABAR_LOG_FORMAT is `legacy`, Redis's, for programs that wait for one of those:
 *
 *   1234:M 20 Nov 2026 18:42:06.828 * Ready to accept connections tcp
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

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
/** Redis's sign for pino's number of a level; above them it has `#` for all. */
const SIGNS: Readonly<Record<number, string>> = { 10: '.', 20: '-', 30: '*' }

/** A line of pino's as Redis writes it. */
export function legacyLine(json: string): string {
  const { level, time, pid, msg } = JSON.parse(json) as { level: number; time: number; pid: number; msg: string }
  const date = new Date(time)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${two(date.getDate())} ${MONTHS[date.getMonth()]} ${date.getFullYear()}`
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  const milliseconds = String(date.getMilliseconds()).padStart(3, '0')
  return `${pid}:M ${day} ${clock}.${milliseconds} ${SIGNS[level] ?? '#'} ${msg}\n`
}

/** A log to a file, or to standard output if `file` is ''. Written at once: a crash loses no line. */
export async function openLog(level: string, file: string, isLegacy = false): Promise<Log> {
  const options = { level: LOG_LEVELS[level] ?? 'info', base: { pid: process.pid } }
  if (!isLegacy && file === '' && process.stdout.isTTY) {
    const { default: pretty } = await import('pino-pretty')
    const log: Log = pino(options, pretty({ sync: true, ignore: 'pid', translateTime: 'SYS:dd mmm yyyy HH:MM:ss.l' }))
    return log
  }
  const stream = destination({ dest: file === '' ? 1 : file, append: true, sync: true, maxLength: UNWRITTEN_MAX })
  // A full disk costs lines of the log, and no more than that.
  stream.on('error', () => {})
  const log: Log = pino(options, isLegacy ? { write: (line) => stream.write(legacyLine(line)) } : stream)
  return log
}

/** For embedding: nothing is logged. */
export function silentLog(): Log {
  return pino({ level: 'silent' })
}
