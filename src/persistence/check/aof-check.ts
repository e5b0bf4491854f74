/* The check of an append-only file: goes through its commands, and finds how far it is sound: up to the last command
 * that is whole, and in no transaction that has not ended. What comes behind can be cut off, in the last file of a
 * manifest; so can everything after a moment, if the file has timestamps. The words are those of redis-check-aof. */
import * as fs from 'node:fs'
import { equalsIgnoreCase, latin1 } from '../../lib/bytes.ts'
import { AofReader, Next } from '../aof/reader.ts'
import { FileSource } from '../rdb/files.ts'
import { hasRdbMagic } from '../rdb/head.ts'
import { checkRdb, type Print } from './rdb-check.ts'

export interface AofCheckOptions {
  readonly print: Print
  /** Cut off what is not sound. */
  readonly fix: boolean
  /** Asks whether to go on. */
  readonly confirm: (question: string) => boolean
  /** Cut off what was done after this Unix time in seconds. */
  readonly until: number | undefined
}

/** What a check came to. */
export const AofCheck = { SOUND: 0, EMPTY: 1, TRUNCATED: 2, FAILED: 3 } as const
export type AofCheck = (typeof AofCheck)[keyof typeof AofCheck]

/** As many bytes of a file as tell whether it is an RDB file. */
const RDB_MAGIC_LEN = 6
const TIMESTAMP = /^#TS:(\d+)\r?\n/
/** The longest timestamp line. */
const TIMESTAMP_SIZE = 32

/** How far a file is sound. */
interface Extent {
  readonly soundTo: number
  /** Why not further. */
  readonly reason: string
  /** Where the first timestamp stands that is after the moment wanted; -1 if there is none. */
  readonly cutAt: number
}

/** Whether a file begins as an RDB file does. */
export function isRdbFile(path: string): boolean {
  const bytes = new Uint8Array(RDB_MAGIC_LEN)
  const fd = fs.openSync(path, 'r')
  try {
    return hasRdbMagic(latin1(bytes, 0, fs.readSync(fd, bytes, 0, bytes.length, 0)))
  } finally {
    fs.closeSync(fd)
  }
}

/** Checks a file, called `name`; only the last one of several can be cut. */
export function checkAof(path: string, name: string, isLast: boolean, options: AofCheckOptions): AofCheck {
  const { print } = options
  const { size } = fs.statSync(path)
  if (size === 0) return AofCheck.EMPTY
  let start = 0
  if (isRdbFile(path)) {
    const end = checkPreamble(path, print)
    if (end === undefined) return AofCheck.FAILED
    start = end
  }
  const extent = findExtent(path, start, size, options.until)
  if (extent.cutAt >= 0) return cutAfter(path, name, isLast, extent.cutAt, options)
  if (extent.reason !== '') print(`0x${extent.soundTo.toString(16).padStart(16)}: ${extent.reason}`)
  const diff = size - extent.soundTo
  print(`AOF analyzed: filename=${name}, size=${size}, ok_up_to=${extent.soundTo}, diff=${diff}`)
  if (diff === 0) {
    if (options.until !== undefined) print(`Truncate nothing in AOF ${name} to timestamp ${options.until}`)
    return AofCheck.SOUND
  }
  if (!options.fix) {
    print(`AOF ${name} is not valid. Use the --fix option to try fixing it.`)
    return AofCheck.FAILED
  }
  if (!isLast) {
    print(`Failed to truncate AOF ${name} because it is not the last file`)
    return AofCheck.FAILED
  }
  print(`This will shrink the AOF ${name} from ${size} bytes, with ${diff} bytes, to ${extent.soundTo} bytes`)
  if (options.confirm('Continue? [y/N]: ')) return cut(path, name, extent.soundTo, print)
  print('Aborting...')
  return AofCheck.FAILED
}

function checkPreamble(path: string, print: Print): number | undefined {
  const source = new FileSource(new Uint8Array(Buffer.from(path)))
  try {
    const end = checkRdb(source, path, print)
    print(
      end === undefined
        ? 'RDB preamble of AOF file is not sane, aborting.'
        : 'RDB preamble is OK, proceeding with AOF tail...',
    )
    return end
  } finally {
    source.close()
  }
}

function cutAfter(path: string, name: string, isLast: boolean, offset: number, options: AofCheckOptions): AofCheck {
  const { print, until } = options
  if (offset === 0) print(`AOF ${name} has nothing before timestamp ${until}, aborting...`)
  else if (!isLast) print(`Failed to truncate AOF ${name} to timestamp ${until} because it is not the last file.`)
  else return cut(path, name, offset, print)
  return AofCheck.FAILED
}

function cut(path: string, name: string, offset: number, print: Print): AofCheck {
  const fd = fs.openSync(path, 'r+')
  try {
    fs.ftruncateSync(fd, offset)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  print(`Successfully truncated AOF ${name}`)
  return AofCheck.TRUNCATED
}

function findExtent(path: string, start: number, size: number, until: number | undefined): Extent {
  const fd = fs.openSync(path, 'r')
  try {
    const cutAt = until === undefined ? -1 : findTimestamp(fd, start, size, until)
    return walk(fd, start, size, cutAt)
  } finally {
    fs.closeSync(fd)
  }
}

/** Goes through the commands. */
function walk(fd: number, start: number, size: number, cutAt: number): Extent {
  const reader = new AofReader((target, pos, len, offset) => fs.readSync(fd, target, pos, len, offset), start, size)
  const { decoder } = reader
  let soundTo = start
  let inTransaction = false
  const extent = (reason: string): Extent => ({ soundTo, reason, cutAt })
  for (;;) {
    const next = reader.next()
    if (next === Next.CUT && reader.refill()) continue
    if (next === Next.MALFORMED) return extent(decoder.error || 'Expected a command or a comment')
    if (next !== Next.REQUEST) {
      const isWhole = next === Next.END || reader.offset >= size
      if (!isWhole) return extent('The file ends in the midst of a command')
      if (inTransaction) return extent('Reached EOF before reading EXEC for MULTI')
      soundTo = size
      return extent('')
    }
    const is = (word: string): boolean => equalsIgnoreCase(decoder.bytes, decoder.pos[0]!, decoder.len[0]!, word)
    if (decoder.argc === 0) continue
    if (is('MULTI')) {
      if (inTransaction) return extent('Unexpected MULTI')
      inTransaction = true
    } else if (is('EXEC')) {
      if (!inTransaction) return extent('Unexpected EXEC')
      inTransaction = false
    }
    if (!inTransaction) soundTo = reader.offsetOf(decoder.at)
  }
}

/** Where the first line with a timestamp after `until` begins; -1 if there is none. Only what begins behind a command
 *  is such a line, not what a value holds. */
function findTimestamp(fd: number, start: number, size: number, until: number): number {
  const readAt = (target: Uint8Array, pos: number, len: number, offset: number): number =>
    fs.readSync(fd, target, pos, len, offset)
  const reader = new AofReader(readAt, start, size)
  const line = new Uint8Array(TIMESTAMP_SIZE)
  for (;;) {
    for (let offset = reader.offset; ; ) {
      const count = readAt(line, 0, line.length, offset)
      const found = TIMESTAMP.exec(latin1(line, 0, count))
      if (found === null) break
      if (Number(found[1]) > until) return offset
      offset += found[0].length
    }
    let next = reader.next()
    while (next === Next.CUT && reader.refill()) next = reader.next()
    if (next !== Next.REQUEST) return -1
  }
}
