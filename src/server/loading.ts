/* Loading: the data is read at the start in slices, and clients are answered in between: most commands with LOADING,
 * those that say so (INFO, CONFIG, SHUTDOWN …) as ever. INFO and the log tell how far it has got. */
import { setImmediate as turn } from 'node:timers/promises'
import type { Call } from '../commands/call.ts'
import { type Command, Flag } from '../commands/definition.ts'
import { Admission, ServerGate } from '../commands/dispatcher.ts'
import { LOADING } from '../protocol/errors.ts'
import type { Server } from './server.ts'

/** Work in steps: whoever runs it goes on until it returns. */
export type Steps<T> = Generator<void, T, void>

/** Longest slice, in milliseconds. */
const SLICE_MS = 8
/** How often the log tells of the progress, in milliseconds. */
const REPORT_MS = 5000
const MB = 1024 * 1024

export class Loading {
  private readonly server: Server
  private startedMs = 0
  private reportedMs = 0
  /** Bytes of all files that are being read. */
  private totalBytes = 0
  /** Bytes of those that have been read to their end, and how to tell how far the one at hand has been. */
  private doneBytes = 0
  private offset: () => number = () => 0
  /** The memory that was in use when the data was saved, as the file says; 0 if it does not. */
  usedMemory = 0

  constructor(server: Server) {
    this.server = server
    server.dispatcher.addAdmission((call, command) => this.admit(call, command))
  }

  get active(): boolean {
    return (this.server.dispatcher.gates & ServerGate.LOADING) !== 0
  }

  /** So many bytes are going to be read. */
  expect(totalBytes: number): void {
    this.totalBytes = totalBytes
    this.doneBytes = 0
    this.offset = () => 0
    this.usedMemory = 0
  }

  /** A file is being read; `offset` tells how far. Those before it have been read. */
  follow(offset: () => number): void {
    this.doneBytes += this.offset()
    this.offset = offset
  }

  private get loadedBytes(): number {
    return Math.min(this.doneBytes + this.offset(), this.totalBytes)
  }

  /** Does the work in slices; answers what it answers. */
  async run<T>(steps: Steps<T>): Promise<T> {
    const { dispatcher, config } = this.server
    this.startedMs = Date.now()
    this.reportedMs = this.startedMs
    this.expect(0)
    dispatcher.gates |= ServerGate.LOADING
    try {
      for (;;) {
        const end = performance.now() + SLICE_MS
        const endBytes = this.loadedBytes + config.number('loading-process-events-interval-bytes')
        do {
          const step = steps.next()
          if (step.done === true) return step.value
        } while (performance.now() < end && this.loadedBytes < endBytes)
        this.report()
        await turn()
      }
    } finally {
      dispatcher.gates &= ~ServerGate.LOADING
    }
  }

  /** Does at once what makes the data anew; a script in it that takes long lets others be told so. */
  during<T>(work: () => T): T {
    const { dispatcher } = this.server
    this.startedMs = Date.now()
    dispatcher.gates |= ServerGate.LOADING
    try {
      return work()
    } finally {
      dispatcher.gates &= ~ServerGate.LOADING
    }
  }

  private report(): void {
    const now = Date.now()
    if (now - this.reportedMs < REPORT_MS) return
    this.reportedMs = now
    const size = `${(this.loadedBytes / MB).toFixed(1)} of ${(this.totalBytes / MB).toFixed(1)} MB`
    const left = `about ${this.secondsLeft} seconds left`
    this.server.log.info(`Loading the data: ${this.percent.toFixed(0)}%, ${size}, ${left}`)
  }

  private get percent(): number {
    return this.totalBytes === 0 ? 0 : (this.loadedBytes / this.totalBytes) * 100
  }

  private get secondsLeft(): number {
    const elapsed = Math.floor((Date.now() - this.startedMs) / 1000)
    if (elapsed === 0) return 1
    return Math.floor(((this.totalBytes - this.loadedBytes) * elapsed) / (this.loadedBytes + 1))
  }

  /** What INFO persistence tells beyond its usual fields. */
  get fields(): Record<string, string | number> {
    if (!this.active) return {}
    return {
      loading_start_time: Math.floor(this.startedMs / 1000),
      loading_total_bytes: this.totalBytes,
      loading_rdb_used_mem: this.usedMemory,
      loading_loaded_bytes: this.loadedBytes,
      loading_loaded_perc: this.percent.toFixed(2),
      loading_eta_seconds: this.secondsLeft,
    }
  }

  /** Whether the command has to wait until the data is there. */
  refuses(call: Call, command: Command): boolean {
    return this.active && (command.flagsFor(call) & Flag.LOADING) === 0
  }

  private admit(call: Call, command: Command): Admission {
    if (!this.refuses(call, command)) return Admission.RUN
    this.server.dispatcher.reject(call, command, LOADING)
    return Admission.ANSWERED
  }
}
