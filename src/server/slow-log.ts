/* The slow log: the latest commands that took longer than slowlog-log-slower-than, arguments and all, but not too many
 * and none too long. */
import type { Call } from '../commands/call.ts'
import { fromLatin1 } from '../lib/bytes.ts'
import { REDACTED, type Secrets } from './redaction.ts'

/** Arguments kept of a command; the last one then tells how many there were more. */
const ARGC_MAX = 32
/** Bytes kept of an argument. */
const ARG_LEN_MAX = 128

export interface SlowLogEntry {
  readonly id: number
  /** Unix time in seconds. */
  readonly time: number
  readonly durationUs: number
  readonly args: readonly Uint8Array[]
  /** The client's address. */
  readonly peer: string
  /** The client's name. */
  readonly name: string
}

export class SlowLog {
  /** The oldest first. */
  private entries: SlowLogEntry[] = []
  private nextId = 0
  private capacity = 0

  get length(): number {
    return this.entries.length
  }

  /** `secrets`: the places of arguments that must not be shown. */
  add(call: Call, secrets: Secrets, durationUs: number, peer: string): void {
    this.entries.push({
      id: this.nextId++,
      time: Math.floor(Date.now() / 1000),
      durationUs: Math.floor(durationUs),
      args: keptArguments(call, secrets),
      peer,
      name: call.session.name,
    })
    this.trim()
  }

  /** Keeps at most so many entries, the latest. */
  setCapacity(count: number): void {
    this.capacity = count
    this.trim()
  }

  private trim(): void {
    const tooMany = this.entries.length - this.capacity
    if (tooMany > 0) this.entries.splice(0, tooMany)
  }

  /** The latest `count` entries, the latest of them first. */
  latest(count: number): readonly SlowLogEntry[] {
    return this.entries.slice(Math.max(0, this.entries.length - count)).reverse()
  }

  clear(): void {
    this.entries = []
  }
}

function keptArguments(call: Call, secrets: Secrets): Uint8Array[] {
  const args: Uint8Array[] = []
  const count = Math.min(call.argc, ARGC_MAX)
  for (let at = 0; at < count; at++) {
    if (at === count - 1 && count < call.argc) {
      args.push(fromLatin1(`... (${call.argc - count + 1} more arguments)`))
    } else args.push(secrets.has(at) ? fromLatin1(REDACTED) : keptBytes(call, at))
  }
  return args
}

function keptBytes(call: Call, at: number): Uint8Array {
  const pos = call.posOf(at)
  const len = call.lenOf(at)
  if (len <= ARG_LEN_MAX) return call.copy(at)
  const more = fromLatin1(`... (${len - ARG_LEN_MAX} more bytes)`)
  return Buffer.concat([call.bytes.subarray(pos, pos + ARG_LEN_MAX), more])
}
