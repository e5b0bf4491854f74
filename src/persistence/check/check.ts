/* `cinnabar check FILE|DIR …`: whether files could be loaded, and what is wrong with them if not. Of a directory all
 * RDB files are checked, and all manifests with the files they name. With --fix an append-only file is cut after its
 * last sound command, when that has been confirmed and no server is writing it. Also what redis-check-rdb and
 * redis-check-aof do, when the program is called by these names. */
import * as fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseManifest } from '../aof/manifest.ts'
import { FileLock, LockState } from '../file-lock.ts'
import { FileSource, isSystemError } from '../rdb/files.ts'
import { AofCheck, type AofCheckOptions, checkAof, isRdbFile } from './aof-check.ts'
import { checkRdb } from './rdb-check.ts'

const USAGE = `Usage: cinnabar check [--fix | --truncate-to-timestamp <seconds>] <file or directory> ...
  Checks RDB files, append-only files and their manifests; of a directory, all there are.
  --fix                          cut an append-only file after its last sound command, after asking
  --truncate-to-timestamp <s>    cut it before the first command after this Unix time
`
const RDB_NAME = 'redis-check-rdb'
const AOF_NAME = 'redis-check-aof'

/** What of the process a check may use. */
export interface Terminal {
  readonly print: (text: string) => void
  readonly ask: (question: string) => string
}

/** The arguments of a check, if the program was called for one: with its word, or by the name of one of Redis's
 *  tools. */
export function checkArguments(argv: readonly string[]): readonly string[] | undefined {
  const program = basename(argv[1] ?? '')
  if (program === RDB_NAME || program === AOF_NAME) return argv.slice(2)
  return argv[2] === 'check' ? argv.slice(3) : undefined
}

/** Runs a check; answers the exit code: 0 if everything is sound. */
export function check(args: readonly string[], { print, ask }: Terminal): number {
  const paths: string[] = []
  let fix = false
  let until: number | undefined
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]!
    if (arg === '--fix') fix = true
    else if (arg === '--truncate-to-timestamp' && /^\d+$/.test(args[index + 1] ?? '')) until = Number(args[++index])
    else if (arg.startsWith('-')) return usage(print)
    else paths.push(arg)
  }
  if (paths.length === 0) return usage(print)
  const line = (text: string): void => print(`${text}\n`)
  const confirm = (question: string): boolean => /^y/i.test(ask(question))
  const options: AofCheckOptions = { print: line, fix, confirm, until }
  const results = paths.map((path) => {
    try {
      return checkPath(path, options)
    } catch (error) {
      if (!isSystemError(error)) throw error
      line(`Cannot check ${path}: ${error.message}`)
      return false
    }
  })
  return results.every((isSound) => isSound) ? 0 : 1
}

function usage(print: (text: string) => void): number {
  print(USAGE)
  return 1
}

function checkPath(path: string, options: AofCheckOptions): boolean {
  return fs.statSync(path).isDirectory() ? checkDirectory(path, options) : checkFile(path, options)
}

/** Checks what a server would keep in a directory. */
function checkDirectory(path: string, options: AofCheckOptions): boolean {
  const names = fs.readdirSync(path, { withFileTypes: true })
  let isSound = true
  let count = 0
  const looked = (sound: boolean): void => {
    count++
    if (!sound) isSound = false
  }
  for (const entry of names) {
    const own = join(path, entry.name)
    if (entry.isFile() && entry.name.endsWith('.manifest')) looked(checkFile(own, options))
    else if (entry.isFile() && /\.rdb$/.test(entry.name) && !/\.base\.rdb$/.test(entry.name)) {
      looked(checkFile(own, options))
    } else if (entry.isDirectory()) {
      const inner = fs.readdirSync(own).filter((name) => name.endsWith('.manifest'))
      for (const name of inner) looked(checkFile(join(own, name), options))
    }
  }
  if (count === 0) options.print(`There is nothing to check in ${path}: no RDB file, no manifest`)
  return isSound && count > 0
}

function checkFile(path: string, options: AofCheckOptions): boolean {
  const writer = options.fix || options.until !== undefined ? writerOf(path) : undefined
  if (writer !== undefined) {
    options.print(`${path} belongs to a running server (${writer}), which would go on writing where it stands now.`)
    options.print('Stop it first, or check a copy. Nothing was changed.')
    return false
  }
  if (path.endsWith('.manifest') || isManifest(path)) return checkManifest(path, options)
  if (isRdbFile(path) && !/\.aof$/.test(path)) return checkRdbFile(path, options)
  if (/\.rdb$/.test(path)) return checkRdbFile(path, options)
  options.print('Start checking Old-Style AOF')
  return told(checkAof(path, path, true, options), 'AOF', path, options)
}

function checkRdbFile(path: string, { print }: AofCheckOptions): boolean {
  const source = new FileSource(new Uint8Array(Buffer.from(path)))
  try {
    const end = checkRdb(source, path, print)
    if (end === undefined) return false
    if (end < source.size) print(`[offset ${end}] The file goes on after its end: ${source.size - end} bytes`)
    return true
  } finally {
    source.close()
  }
}

/** The server that holds the lock of the append-only files in a file's directory; it lies beside that directory. */
function writerOf(path: string): string | undefined {
  const directory = dirname(fs.realpathSync(path))
  const beside = dirname(directory)
  const prefix = `.${basename(directory)}.`
  for (const name of fs.readdirSync(beside)) {
    if (!name.startsWith(prefix) || !name.endsWith('.lock')) continue
    const lock = new FileLock(join(beside, name))
    if (lock.look() === LockState.FREE) continue
    return `PID ${lock.holder?.pid ?? 0} on ${lock.holder?.host ?? ''}`
  }
  return undefined
}

/** Whether the first line that is no comment is one of a manifest. */
function isManifest(path: string): boolean {
  const bytes = Buffer.alloc(1024)
  const fd = fs.openSync(path, 'r')
  try {
    const text = bytes.toString('latin1', 0, fs.readSync(fd, bytes, 0, bytes.length, 0))
    return /^(#[^\n]*\n)*file /.test(text)
  } finally {
    fs.closeSync(fd)
  }
}

function checkManifest(path: string, options: AofCheckOptions): boolean {
  const { print } = options
  print('Start checking Multi Part AOF')
  const manifest = parseManifest(fs.readFileSync(path, 'latin1'))
  if ('error' in manifest) {
    print(`${path}, line ${manifest.lineNumber}: ${manifest.error}${manifest.line === '' ? '' : `: ${manifest.line}`}`)
    return false
  }
  const { files } = manifest
  for (const [index, { name }] of files.entries()) {
    const own = join(dirname(path), Buffer.from(name, 'latin1').toString())
    if (!fs.existsSync(own)) {
      print(`The manifest names ${name}, and there is no such file`)
      return false
    }
    const isBase = index === 0 && manifest.base !== null
    if (isBase) print(`Start to check BASE AOF (${isRdbFile(own) ? 'RDB' : 'RESP'} format).`)
    else if (index === 0 || (index === 1 && manifest.base !== null)) print('Start to check INCR files.')
    const result = checkAof(own, name, index === files.length - 1, options)
    if (!told(result, isBase ? 'BASE AOF' : 'INCR AOF', name, options)) return false
  }
  print('All AOF files and manifest are valid')
  return true
}

/** Tells what a check came to; whether the file is sound now. */
function told(result: AofCheck, kind: string, name: string, { print }: AofCheckOptions): boolean {
  if (result === AofCheck.SOUND) print(`${kind} ${name} is valid`)
  else if (result === AofCheck.EMPTY) print(`${kind} ${name} is empty`)
  return result !== AofCheck.FAILED
}
