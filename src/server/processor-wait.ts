/* How long this process's main thread was ready to run and no processor was free.
 *
 * On a machine with more to do than processors a stall may be nobody's fault: the clock went on while another process
 * ran. Linux counts that time for each thread in nanoseconds (/proc/self/schedstat: running, waiting, turns);
 * elsewhere nothing is known, and 0 is told. */
import { closeSync, openSync, readSync } from 'node:fs'

const FILE = '/proc/self/schedstat'

export class ProcessorWait {
  private file: number | null
  private readonly text = Buffer.alloc(128)
  private sampledMs = 0

  constructor(path = FILE) {
    this.file = opened(path)
    this.sample()
  }

  /** Milliseconds waited since the last call, or since the process began. */
  sample(): number {
    const totalMs = this.totalMs()
    const waitedMs = totalMs - this.sampledMs
    this.sampledMs = totalMs
    return waitedMs
  }

  close(): void {
    if (this.file !== null) closeSync(this.file)
    this.file = null
  }

  private totalMs(): number {
    if (this.file === null) return 0
    const size = readSync(this.file, this.text, 0, this.text.length, 0)
    return Number(this.text.toString('latin1', 0, size).split(' ')[1] ?? 0) / 1e6
  }
}

function opened(path: string): number | null {
  try {
    return openSync(path, 'r')
  } catch {
    // Not Linux, or a kernel without these counters.
    return null
  }
}
