/* A file that is replaced while the server goes on: chunks are written by libuv's threads, one after the other.
 *
 *   take(chunk) ─► queue ─► write ─► … ─► fsync ─► close ─► rename over the old file ─► fsync the directory
 *                    └─ a written chunk comes back to be filled again
 *
 * What holds for files.ts holds here: until the rename the old file is untouched, what fails is told with its step, and
 * the temporary file is removed then. A disk that is slower than whoever fills the chunks makes the queue grow: he is
 * to stop while it `isFull`, and is told when it is not any more. */
import * as nodeFs from 'node:fs'
import type { FailedStep, FileFailure, Replacement } from './rdb/files.ts'
import { CHUNK_SIZE, type Sink } from './rdb/writer.ts'

/** Chunks that may wait to be written before `isFull`, and that are kept for the next ones to come. */
const QUEUE_MAX = 8
/** Between two of these the disk has so many bytes to write that the last fsync does not take long. */
const SYNC_BYTES = 32 * 1024 * 1024
const MODE = 0o666

export type AsyncFileSystem = Pick<
  typeof nodeFs,
  'openSync' | 'closeSync' | 'unlinkSync' | 'write' | 'fdatasync' | 'fsync' | 'close' | 'open' | 'rename'
>

type Answer = (error: NodeJS.ErrnoException | null) => void

export class BackgroundFile implements Sink {
  /** Told when the queue has room again. */
  onRoom: () => void = () => {}
  /** Bytes that the file has been given. */
  size = 0
  private readonly target: Replacement
  private readonly temporary: Buffer
  private readonly fs: AsyncFileSystem
  private readonly onEnd: (failure: FileFailure | undefined) => void
  private readonly queue: { chunk: Uint8Array; len: number }[] = []
  private readonly spare: Uint8Array[] = []
  private fd = -1
  /** Bytes of the queue's first chunk that are in the file. */
  private written = 0
  private unsynced = 0
  /** A thread is at work on the file. */
  private busy = false
  private finishing = false
  private over = false

  /** Creates the temporary file; throws what the system answers if that cannot be. `onEnd` is told once, unless the
   *  file is given up. */
  constructor(target: Replacement, onEnd: (failure: FileFailure | undefined) => void, fs: AsyncFileSystem = nodeFs) {
    this.target = target
    this.temporary = Buffer.from(target.temporary)
    this.onEnd = onEnd
    this.fs = fs
    this.fd = fs.openSync(this.temporary, 'w', MODE)
  }

  get isFull(): boolean {
    return this.queue.length >= QUEUE_MAX
  }

  take(chunk: Uint8Array, len: number): Uint8Array {
    if (this.over) return chunk
    this.size += len
    this.queue.push({ chunk, len })
    this.pump()
    return this.spare.pop() ?? new Uint8Array(CHUNK_SIZE)
  }

  /** That was all: the file takes the old one's place when it is written. */
  finish(): void {
    this.finishing = true
    this.pump()
  }

  /** The file is not wanted any more: its name is gone at once, and nobody is told of its end. */
  giveUp(): void {
    if (this.over) return
    this.over = true
    this.queue.length = 0
    this.remove()
    if (!this.busy) this.closeNow()
  }

  /** Starts the next thing that is to be done with the file. */
  private pump(): void {
    if (this.busy || this.over) return
    const first = this.queue[0]
    if (this.target.incrementalSync && this.unsynced >= SYNC_BYTES) {
      this.unsynced = 0
      this.fs.fdatasync(this.fd, this.begin('fsync'))
    } else if (first !== undefined) {
      const rest = first.len - this.written
      const wrote = this.begin('write')
      this.fs.write(this.fd, first.chunk, this.written, rest, null, (error, count) => {
        if (error === null && !this.over) this.noteWritten(count)
        wrote(error)
      })
    } else if (this.finishing) this.complete()
  }

  private noteWritten(count: number): void {
    const { chunk, len } = this.queue[0]!
    this.written += count
    this.unsynced += count
    if (this.written < len) return
    const wasFull = this.isFull
    this.queue.shift()
    this.written = 0
    if (chunk.length === CHUNK_SIZE && this.spare.length < QUEUE_MAX) this.spare.push(chunk)
    if (wasFull) this.onRoom()
  }

  /** A thread begins with a step; what is answered goes on with the next one. */
  private begin(step: FailedStep, next: () => void = () => this.pump()): Answer {
    this.busy = true
    return (error) => {
      this.busy = false
      if (this.over) this.closeNow()
      else if (error !== null) this.fail(step, error)
      else next()
    }
  }

  private complete(): void {
    const { fs, target, fd } = this
    const rename = () =>
      fs.rename(
        this.temporary,
        Buffer.from(target.path),
        this.begin('rename', () => this.syncDirectory()),
      )
    const close = () => {
      this.fd = -1
      fs.close(fd, this.begin('close', rename))
    }
    fs.fsync(fd, this.begin('fsync', close))
  }

  private syncDirectory(): void {
    const { fs } = this
    this.busy = true
    fs.open(Buffer.from(this.target.directory), 'r', (opening, fd) => {
      if (opening !== null) return this.fail('fsync directory', opening)
      fs.fsync(fd, (error) => {
        fs.close(fd, () => {})
        if (error !== null) return this.fail('fsync directory', error)
        this.over = true
        this.onEnd(undefined)
      })
    })
  }

  private fail(step: FailedStep, error: NodeJS.ErrnoException): void {
    if (this.over) return
    this.over = true
    this.queue.length = 0
    if (step !== 'fsync directory') this.remove()
    this.closeNow()
    this.onEnd({ step, error })
  }

  private remove(): void {
    try {
      this.fs.unlinkSync(this.temporary)
    } catch {
      // It is gone already, or cannot be removed: what is to be reported has been.
    }
  }

  private closeNow(): void {
    if (this.fd < 0) return
    const { fd } = this
    this.fd = -1
    this.fs.close(fd, () => {})
  }
}
