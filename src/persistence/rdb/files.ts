/* Files: an RDB file is read from a file descriptor, and replaced only by a whole one.
 *
 *   write temp-<pid>.rdb  ─►  fsync  ─►  rename over the old file  ─►  fsync the directory
 *
 * Until the rename the old file is untouched; after it the new one is complete. Whatever fails on the way (disk full,
 * no permission, an I/O error) is answered, not thrown, with the step that failed; the temporary file is removed then.
 * The file system is passed in, so that tests can make each step fail. */
import * as nodeFs from 'node:fs'
import type { Source } from './reader.ts'
import type { Sink } from './writer.ts'

export type FileSystem = Pick<
  typeof nodeFs,
  | 'openSync'
  | 'closeSync'
  | 'readSync'
  | 'writeSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'fdatasyncSync'
  | 'renameSync'
  | 'unlinkSync'
>

/** Between two of these the disk has so many bytes to write that the last fsync does not take long. */
const SYNC_BYTES = 32 * 1024 * 1024
const MODE = 0o666

/** Where a replacement failed. */
export type FailedStep = 'open' | 'write' | 'fsync' | 'close' | 'rename' | 'fsync directory'

export interface FileFailure {
  readonly step: FailedStep
  readonly error: NodeJS.ErrnoException
}

/** The names, as bytes, that a replacement deals with. */
export interface Replacement {
  readonly path: Uint8Array
  readonly temporary: Uint8Array
  /** The directory that both are in. */
  readonly directory: Uint8Array
  /** Whether to hand the file to the disk in portions while it is written. */
  readonly incrementalSync: boolean
  /** Who may read and write the file, as far as the umask allows; everybody if left out. */
  readonly mode?: number
}

/** Replaces a file by what `write` writes; answers what failed. */
export function replaceFile(
  target: Replacement,
  write: (sink: Sink) => void,
  fs: FileSystem = nodeFs,
): FileFailure | undefined {
  const temporary = Buffer.from(target.temporary)
  let step: FailedStep = 'open'
  let opened: number | undefined
  try {
    const fd = fs.openSync(temporary, 'w', target.mode ?? MODE)
    opened = fd
    step = 'write'
    write(new FileSink(fs, fd, target.incrementalSync))
    step = 'fsync'
    fs.fsyncSync(fd)
    step = 'close'
    opened = undefined
    fs.closeSync(fd)
    step = 'rename'
    fs.renameSync(temporary, Buffer.from(target.path))
    step = 'fsync directory'
    syncDirectory(fs, target.directory)
    return undefined
  } catch (error) {
    if (opened !== undefined) attempt(() => fs.closeSync(opened!))
    if (step !== 'open' && step !== 'fsync directory') attempt(() => fs.unlinkSync(temporary))
    if (!isSystemError(error)) throw error
    return { step, error }
  }
}

function syncDirectory(fs: FileSystem, directory: Uint8Array): void {
  const fd = fs.openSync(Buffer.from(directory), 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

/** Tidies up after a failure, which is what is to be reported, not one more. */
function attempt(tidy: () => void): void {
  try {
    tidy()
  } catch (error) {
    if (!isSystemError(error)) throw error
  }
}

/** The world erred, not the program. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error
}

/** Writes each chunk at once, so there is only one. */
class FileSink implements Sink {
  private readonly fs: FileSystem
  private readonly fd: number
  private readonly incrementalSync: boolean
  private unsynced = 0

  constructor(fs: FileSystem, fd: number, incrementalSync: boolean) {
    this.fs = fs
    this.fd = fd
    this.incrementalSync = incrementalSync
  }

  take(chunk: Uint8Array, len: number): Uint8Array {
    for (let pos = 0; pos < len; ) pos += this.fs.writeSync(this.fd, chunk, pos, len - pos)
    this.unsynced += len
    if (this.incrementalSync && this.unsynced >= SYNC_BYTES) {
      this.fs.fdatasyncSync(this.fd)
      this.unsynced = 0
    }
    return chunk
  }
}

/** Reads a file from its beginning. `close` when done. */
export class FileSource implements Source {
  readonly size: number
  private readonly fs: FileSystem
  private readonly fd: number

  /** Throws what the system answers if the file cannot be opened. */
  constructor(path: Uint8Array, fs: FileSystem = nodeFs) {
    this.fs = fs
    this.fd = fs.openSync(Buffer.from(path), 'r')
    const stat = fs.fstatSync(this.fd)
    this.size = stat.isFile() ? stat.size : Number.POSITIVE_INFINITY
  }

  read(target: Uint8Array, pos: number, len: number): number {
    return this.fs.readSync(this.fd, target, pos, len, null)
  }

  close(): void {
    this.fs.closeSync(this.fd)
  }
}
