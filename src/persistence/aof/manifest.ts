/* The manifest: which files hold the data that has been appended, and in which order they are to be read.
 *
 *   file appendonly.aof.2.base.rdb seq 2 type b        at most one: everything at the moment of the last rewrite
 *   file appendonly.aof.1.incr.aof seq 1 type h        done with: to be deleted
 *   file appendonly.aof.2.incr.aof seq 2 type i        what was done since, in order; several while a rewrite is under
 *   file appendonly.aof.3.incr.aof seq 3 type i        way, or after one that failed
 *
 * Names and lines are byte strings, one character a byte. A manifest is changed as a copy, which takes the place of the
 * old one when it has been written: see files.ts. */
import { fromLatin1, latin1 } from '../../lib/bytes.ts'
import { needsRepr, quote, splitArgs } from '../../lib/quoting.ts'

export const FileType = { BASE: 'b', HISTORY: 'h', INCREMENTAL: 'i' } as const
export type FileType = (typeof FileType)[keyof typeof FileType]

export interface AofFile {
  readonly name: string
  readonly seq: number
}

/** Bytes of the longest line, its end included. */
const LINE_LEN_MAX = 1024

/** What is wrong with a manifest, and in which line. */
export interface ManifestError {
  readonly error: string
  /** From 1 on; 0 if it is the file as a whole. */
  readonly lineNumber: number
  readonly line: string
}

export class Manifest {
  base: AofFile | null = null
  incremental: AofFile[] = []
  history: AofFile[] = []
  /** The highest numbers given so far. */
  baseSeq = 0
  incrementalSeq = 0
  /** Changed since it was written. */
  dirty = false

  copy(): Manifest {
    const copy = new Manifest()
    copy.base = this.base
    copy.incremental = [...this.incremental]
    copy.history = [...this.history]
    copy.baseSeq = this.baseSeq
    copy.incrementalSeq = this.incrementalSeq
    copy.dirty = this.dirty
    return copy
  }

  /** The files to be read, in order. */
  get files(): readonly AofFile[] {
    return this.base === null ? this.incremental : [this.base, ...this.incremental]
  }

  /** The file that is appended to. */
  get last(): AofFile | undefined {
    return this.incremental.at(-1)
  }

  /** Begins a new base file; the one before becomes history. */
  addBase(prefix: string, extension: 'rdb' | 'aof'): AofFile {
    if (this.base !== null) this.history.unshift(this.base)
    const seq = ++this.baseSeq
    this.base = { name: `${prefix}.${seq}.base.${extension}`, seq }
    this.dirty = true
    return this.base
  }

  /** Begins a new incremental file. */
  addIncremental(prefix: string): AofFile {
    const seq = ++this.incrementalSeq
    const file = { name: `${prefix}.${seq}.incr.aof`, seq }
    this.incremental.push(file)
    this.dirty = true
    return file
  }

  /** All incremental files but the last `kept` become history: the base has what they hold. */
  retire(kept: number): void {
    const count = Math.max(0, this.incremental.length - kept)
    for (const file of this.incremental.splice(0, count).reverse()) this.history.unshift(file)
    this.dirty = true
  }

  toString(): string {
    const lines: string[] = []
    if (this.base !== null) lines.push(formatLine(this.base, FileType.BASE))
    for (const file of this.history) lines.push(formatLine(file, FileType.HISTORY))
    for (const file of this.incremental) lines.push(formatLine(file, FileType.INCREMENTAL))
    return lines.join('')
  }
}

function formatLine({ name, seq }: AofFile, type: FileType): string {
  const bytes = fromLatin1(name)
  // Redis leaves a name with an apostrophe as it is, and cannot read the manifest then; quoted it can.
  const isQuoted = needsRepr(bytes, 0, bytes.length) || name.includes("'")
  const shown = isQuoted ? quote(bytes, 0, bytes.length) : name
  return `file ${shown} seq ${seq} type ${type}\n`
}

/** Reads a manifest, as strictly as Redis does. */
export function parseManifest(text: string): Manifest | ManifestError {
  const manifest = new Manifest()
  if (text === '') return { error: 'Found an empty AOF manifest', lineNumber: 0, line: '' }
  let lineNumber = 0
  for (let pos = 0; pos < text.length; ) {
    const newline = text.indexOf('\n', pos)
    const end = newline < 0 ? text.length : newline
    const whole = text.slice(pos, end)
    lineNumber++
    pos = end + 1
    if (whole.startsWith('#')) continue
    const line = whole.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')
    const tooLong = newline < 0 || whole.length >= LINE_LEN_MAX
    const error = tooLong ? 'The AOF manifest file contains too long line' : addLine(manifest, line)
    if (error !== undefined) return { error, lineNumber, line }
  }
  passHistory(manifest)
  return manifest
}

/** Numbers of files that are about to be deleted are not given again. */
function passHistory(manifest: Manifest): void {
  for (const { name, seq } of manifest.history) {
    if (name.endsWith(`.${seq}.incr.aof`)) manifest.incrementalSeq = Math.max(manifest.incrementalSeq, seq)
    else manifest.baseSeq = Math.max(manifest.baseSeq, seq)
  }
}

const FORMAT = 'Invalid AOF manifest file format'

/** Adds what a line says; answers what is wrong with it. */
function addLine(manifest: Manifest, line: string): string | undefined {
  const bytes = fromLatin1(line)
  const words = splitArgs(bytes, 0, bytes.length)?.map((word) => latin1(word, 0, word.length))
  if (line === '' || words === undefined || words.length < 6 || words.length % 2 === 1) return FORMAT
  let name = ''
  let seq = 0
  let type = ''
  for (let index = 0; index < words.length; index += 2) {
    const value = words[index + 1]!
    const key = words[index]!.toLowerCase()
    if (key === 'file') {
      name = value
      if (/[/\\]/.test(name)) return "File can't be a path, just a filename"
    } else if (key === 'seq') seq = Number.parseInt(value, 10) || 0
    else if (key === 'type') type = value.charAt(0)
  }
  if (name === '' || seq === 0 || type === '') return FORMAT
  return addFile(manifest, { name, seq }, type)
}

function addFile(manifest: Manifest, file: AofFile, type: string): string | undefined {
  if (type === FileType.BASE) {
    if (manifest.base !== null) return 'Found duplicate base file information'
    manifest.base = file
    manifest.baseSeq = file.seq
  } else if (type === FileType.HISTORY) manifest.history.push(file)
  else if (type !== FileType.INCREMENTAL) return 'Unknown AOF file type'
  else if (file.seq <= manifest.incrementalSeq) return 'Found a non-monotonic sequence number'
  else {
    manifest.incremental.push(file)
    manifest.incrementalSeq = file.seq
  }
  return undefined
}
