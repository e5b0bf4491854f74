/* The ACL log: what was refused lately, and to whom. The same refusal within a minute counts up the entry that there
 * is. */

export const Reason = { COMMAND: 'command', KEY: 'key', CHANNEL: 'channel', AUTH: 'auth' } as const
export type Reason = (typeof Reason)[keyof typeof Reason]
export type Context = 'toplevel' | 'multi' | 'lua'

/** Entries that are looked at for one to count up. */
const LOOKED_AT_MAX = 10
const GROUPED_MS_MAX = 60_000
/** Bytes kept of a key or a name. */
export const OBJECT_LEN_MAX = 64 * 1024

export interface AclLogEntry {
  count: number
  readonly reason: Reason
  readonly context: Context
  /** The command, key or channel. */
  readonly object: string
  readonly user: string
  client: string
  readonly id: number
  readonly createdMs: number
  updatedMs: number
}

export class AclLog {
  /** acllog-max-len. */
  private capacity = 128
  /** The latest first. */
  private entries: AclLogEntry[] = []
  private nextId = 0
  /** How often each was a reason, since the start or the last CONFIG RESETSTAT. */
  readonly counts: Record<Reason, number> = { command: 0, key: 0, channel: 0, auth: 0 }

  setCapacity(count: number): void {
    this.capacity = count
  }

  add(reason: Reason, context: Context, object: string, user: string, client: string, nowMs: number): void {
    this.counts[reason]++
    const index = this.entries
      .slice(0, LOOKED_AT_MAX)
      .findIndex(
        (each) =>
          each.reason === reason &&
          each.context === context &&
          Math.abs(each.updatedMs - nowMs) <= GROUPED_MS_MAX &&
          each.object === object &&
          each.user === user,
      )
    if (index >= 0) {
      const [entry] = this.entries.splice(index, 1) as [AclLogEntry]
      entry.count++
      entry.client = client
      entry.updatedMs = nowMs
      this.entries.unshift(entry)
      return
    }
    const id = this.nextId++
    this.entries.unshift({ count: 1, reason, context, object, user, client, id, createdMs: nowMs, updatedMs: nowMs })
    if (this.entries.length > this.capacity) this.entries.length = this.capacity
  }

  latest(count: number): readonly AclLogEntry[] {
    return this.entries.slice(0, count)
  }

  clear(): void {
    this.entries = []
  }

  resetCounts(): void {
    for (const reason of Object.values(Reason)) this.counts[reason] = 0
  }
}
