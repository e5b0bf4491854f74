/* A call as those see it who ask what its user may do: its arguments, and which of them are keys. Made only for users
 * who may not do everything. */
import type { Arguments } from '../acl/permissions.ts'
import { Access } from '../acl/selector.ts'
import type { Call } from './call.ts'
import type { Command } from './definition.ts'
import { KeyFlag, type KeyWords } from './introspection/key-specs.ts'
import { keysOfCall } from './introspection/lookup.ts'

const WRITES = KeyFlag.INSERT | KeyFlag.DELETE | KeyFlag.UPDATE

export class CallArguments implements Arguments {
  private readonly call: Call
  private readonly skipped: number
  private readonly command: Command
  private keys: KeyWords | null = null

  /** With `skipped`, of the call that stands behind so many arguments of this one. */
  constructor(call: Call, command: Command, skipped = 0) {
    this.call = call
    this.command = command
    this.skipped = skipped
  }

  get bytes(): Uint8Array {
    return this.call.bytes
  }
  get argc(): number {
    return this.call.argc - this.skipped
  }
  pos(index: number): number {
    return this.call.posOf(index + this.skipped)
  }
  len(index: number): number {
    return this.call.lenOf(index + this.skipped)
  }
  text(index: number): string {
    return this.call.string(index + this.skipped)
  }

  private get found(): KeyWords {
    this.keys ??= keysOfCall(this.command, this)
    return this.keys
  }
  get keyCount(): number {
    return this.command.hasKeys ? this.found.count : 0
  }
  key(slot: number): number {
    return this.found.words[slot]!
  }
  access(slot: number): number {
    const flags = this.found.flags[slot]!
    const reads = (flags & KeyFlag.ACCESS) !== 0 ? Access.READ : 0
    return (flags & WRITES) !== 0 ? reads | Access.WRITE : reads
  }
}
