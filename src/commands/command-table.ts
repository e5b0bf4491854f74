/* The command table: all commands by name, found from the bytes of a request without making a string.
 *
 *   slots   | id | - | id | id | - | …      open addressing over a hash of the lower-cased name
 *
 * Ids are dense and count subcommands too, so that statistics are arrays. */
import { assert } from '../lib/assert.ts'
import { asciiLower } from '../lib/bytes.ts'
import type { Command } from './definition.ts'

const SLOTS = 2048
const EMPTY = -1

export class CommandTable {
  /** Commands, not their subcommands, in the order of registration. */
  readonly commands: Command[] = []
  /** By id, subcommands too. */
  readonly all: Command[] = []
  private readonly slots = new Int16Array(SLOTS).fill(EMPTY)
  private readonly names: Uint8Array[] = []
  private readonly byName = new Map<string, Command>()

  register(commands: readonly Command[]): void {
    for (const command of commands) {
      assert(!this.byName.has(command.name), 'a command is defined once')
      this.commands.push(command)
      this.number(command)
      this.addName(command.name, command.id)
      this.byName.set(command.name, command)
    }
  }

  private number(command: Command): void {
    command.id = this.all.length
    this.all.push(command)
    this.names.push(new Uint8Array(Buffer.from(command.name)))
    for (const subcommand of command.subcommands) this.number(subcommand)
  }

  private addName(name: string, id: number): void {
    const bytes = new Uint8Array(Buffer.from(name))
    let slot = hashName(bytes, 0, bytes.length)
    while (this.slots[slot] !== EMPTY) slot = (slot + 1) & (SLOTS - 1)
    this.slots[slot] = id
  }

  /** The command of this name, in any case. */
  lookup(bytes: Uint8Array, pos: number, len: number): Command | undefined {
    let slot = hashName(bytes, pos, len)
    for (;;) {
      const id = this.slots[slot]!
      if (id === EMPTY) return undefined
      if (sameName(this.names[id]!, bytes, pos, len)) return this.all[id]!
      slot = (slot + 1) & (SLOTS - 1)
    }
  }

  /** As `lookup`, from a lower-case name; 'client|id' names a subcommand. */
  get(name: string): Command | undefined {
    const bar = name.indexOf('|')
    if (bar < 0) return this.byName.get(name)
    return this.byName.get(name.slice(0, bar))?.subcommands.find((subcommand) => subcommand.fullName === name)
  }

  subcommand(parent: Command, bytes: Uint8Array, pos: number, len: number): Command | undefined {
    for (const subcommand of parent.subcommands) {
      if (sameName(this.names[subcommand.id]!, bytes, pos, len)) return subcommand
    }
    return undefined
  }

  /** Gives a command another name, or with '' takes it away (rename-command). */
  rename(from: string, to: string): string | undefined {
    const command = this.byName.get(from.toLowerCase())
    if (command === undefined) return 'No such command in rename-command'
    if (to !== '' && this.byName.has(to.toLowerCase())) return 'Target command name already exists'
    this.byName.delete(from.toLowerCase())
    this.commands.splice(this.commands.indexOf(command), 1)
    if (to !== '') {
      this.byName.set(to.toLowerCase(), command)
      this.commands.push(command)
      this.names[command.id] = new Uint8Array(Buffer.from(to.toLowerCase()))
    }
    this.slots.fill(EMPTY)
    for (const [name, each] of this.byName) this.addName(name, each.id)
    return undefined
  }
}

function hashName(bytes: Uint8Array, pos: number, len: number): number {
  let hash = len
  for (let at = pos; at < pos + len; at++) hash = (Math.imul(hash, 31) + (bytes[at]! | 32)) | 0
  return (hash ^ (hash >>> 11)) & (SLOTS - 1)
}

function sameName(name: Uint8Array, bytes: Uint8Array, pos: number, len: number): boolean {
  if (name.length !== len) return false
  for (let index = 0; index < len; index++) {
    if (asciiLower(bytes[pos + index]!) !== name[index]) return false
  }
  return true
}
