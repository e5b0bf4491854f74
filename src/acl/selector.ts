/* A selector: one set of permissions of a user, for commands, keys and channels. A user has one of its own, the root,
 * and may have more in parentheses; what one of them allows as a whole is allowed.
 *
 *   +get -@hash +select|0     commands: a byte for each command id, and the rules as they were given, to show them
 *   ~cache:* %R~users:*       keys: patterns, with what may be done to those that match
 *   &news.*                   channels
 *
 * Strings are byte strings (latin1). Which commands there are is for others to say: `Commands`. */
import type { Command } from '../commands/definition.ts'
import { fromLatin1, latin1 } from '../lib/bytes.ts'
import { matches } from '../lib/glob.ts'
import { splitArgs } from '../lib/quoting.ts'

/** The commands under the names that they had before any was renamed. */
export interface Commands {
  /** By id, subcommands too. */
  readonly all: readonly Command[]
  /** By full name, in any case: `config|get`. */
  find(name: string): Command | undefined
  /** The bit of a category, 0 if there is none so called. */
  category(name: string): number
}

/** What is wrong with a rule, in Redis's words. */
export const RuleError = {
  UNKNOWN: 'Unknown command or category name in ACL',
  SYNTAX: 'Syntax error',
  KEYS:
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. " +
    "Try 'resetkeys' to start with an empty list of patterns",
  CHANNELS:
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. " +
    "Try 'resetchannels' to start with an empty list of channels",
  NO_PASSWORD: 'The password you are trying to remove from the user does not exist',
  BAD_HASH: 'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
  FIRST_ARGUMENT: 'Allowing first-arg of a subcommand is not supported',
} as const

/** What may be done to a key. */
export const Access = { READ: 1, WRITE: 2 } as const
const ANY_ACCESS = Access.READ | Access.WRITE

interface KeyPattern {
  readonly text: string
  readonly bytes: Uint8Array
  access: number
}

interface ChannelPattern {
  readonly text: string
  readonly bytes: Uint8Array
}

const same = (a: string, b: string): boolean => a.toLowerCase() === b
/** As C's isspace; and NUL. */
const SPACES = /[\0\t-\r ]/

export class Selector {
  allKeys = false
  allChannels = false
  /** Every command may be run. */
  allCommands = false
  /** Rules began with +@all: commands that are not known yet may be run. */
  private future = false
  private allowed: Uint8Array
  /** First arguments with which a command that is not allowed as such may be run, by its id. */
  private firstArguments = new Map<number, string[]>()
  private rules: string[] = []
  private keys: KeyPattern[] = []
  private channels: ChannelPattern[] = []
  private readonly commands: Commands

  constructor(commands: Commands, allChannels: boolean) {
    this.commands = commands
    this.allChannels = allChannels
    this.allowed = new Uint8Array(commands.all.length)
  }

  copy(): Selector {
    const copy = new Selector(this.commands, this.allChannels)
    copy.allKeys = this.allKeys
    copy.allCommands = this.allCommands
    copy.future = this.future
    copy.allowed = this.allowed.slice()
    copy.firstArguments = new Map([...this.firstArguments].map(([id, words]) => [id, [...words]]))
    copy.rules = [...this.rules]
    copy.keys = this.keys.map((pattern) => ({ ...pattern }))
    copy.channels = [...this.channels]
    return copy
  }

  /** Whether nothing is forbidden. */
  get isUnlimited(): boolean {
    return this.allKeys && this.allChannels && this.allCommands
  }

  /** Applies a rule; answers what is wrong with it. */
  set(rule: string): string | undefined {
    const first = rule[0]
    if (same(rule, 'allkeys') || rule === '~*') this.setAllKeys(true)
    else if (same(rule, 'resetkeys')) this.setAllKeys(false)
    else if (same(rule, 'allchannels') || rule === '&*') this.setAllChannels(true)
    else if (same(rule, 'resetchannels')) this.setAllChannels(false)
    else if (same(rule, 'allcommands') || same(rule, '+@all')) this.setAllCommands(true)
    else if (same(rule, 'nocommands') || same(rule, '-@all')) this.setAllCommands(false)
    else if (first === '~' || first === '%') return this.addKeys(rule)
    else if (first === '&') return this.addChannels(rule.slice(1))
    else if ((first === '+' || first === '-') && rule[1] === '@') return this.setCategory(rule.slice(1), first === '+')
    else if (first === '+') return this.allow(rule.slice(1))
    else if (first === '-') return this.forbid(rule.slice(1))
    else return RuleError.SYNTAX
    return undefined
  }

  private setAllKeys(all: boolean): void {
    this.allKeys = all
    this.keys = []
  }

  private setAllChannels(all: boolean): void {
    this.allChannels = all
    this.channels = []
  }

  private setAllCommands(all: boolean): void {
    this.allowed.fill(all ? 1 : 0)
    this.allCommands = all
    this.future = all
    this.rules = []
    this.firstArguments.clear()
  }

  private addKeys(rule: string): string | undefined {
    if (this.allKeys) return RuleError.KEYS
    const parts = /^(?:~|%([RW]*)~?)([\s\S]*)$/i.exec(rule)
    const letters = rule[0] === '%' ? (parts?.[1] ?? '').toUpperCase() : 'RW'
    // (Without a letter Redis takes a pattern that allows nothing, and falls over it when it is to be shown.)
    const isWrong = parts === null || letters === '' || letters.length > new Set(letters).size || SPACES.test(parts[2]!)
    if (isWrong || (rule[0] === '%' && parts[2] !== '' && rule[1 + letters.length] !== '~')) return RuleError.SYNTAX
    const text = parts[2]!
    const access = (letters.includes('R') ? Access.READ : 0) | (letters.includes('W') ? Access.WRITE : 0)
    const known = this.keys.find((pattern) => pattern.text === text)
    if (known === undefined) this.keys.push({ text, bytes: fromLatin1(text), access })
    else known.access |= access
    return undefined
  }

  private addChannels(text: string): string | undefined {
    if (this.allChannels) return RuleError.CHANNELS
    if (SPACES.test(text)) return RuleError.SYNTAX
    if (!this.channels.some((pattern) => pattern.text === text)) this.channels.push({ text, bytes: fromLatin1(text) })
    return undefined
  }

  private setCategory(name: string, allows: boolean): string | undefined {
    const bit = this.commands.category(name.slice(1))
    if (bit === 0) return RuleError.UNKNOWN
    this.note(name, allows)
    for (const command of this.commands.all) if ((command.categories & bit) !== 0) this.change(command, allows)
    return undefined
  }

  private allow(name: string): string | undefined {
    const bar = name.lastIndexOf('|')
    const command = this.commands.find(bar < 0 ? name : name.slice(0, bar))
    if (command === undefined) return RuleError.UNKNOWN
    if (bar < 0) {
      this.change(command, true)
      this.note(command.fullName, true)
      return undefined
    }
    const word = name.slice(bar + 1)
    if (command.parent !== null) return RuleError.FIRST_ARGUMENT
    if (word === '') return RuleError.SYNTAX
    if (command.subcommands.length === 0) this.allowFirst(command, word)
    else {
      const subcommand = this.commands.find(name)
      if (subcommand === undefined) return RuleError.UNKNOWN
      this.change(subcommand, true)
    }
    this.note(name, true)
    return undefined
  }

  private allowFirst(command: Command, word: string): void {
    const words = this.firstArguments.get(command.id) ?? []
    if (!words.some((each) => same(each, word.toLowerCase()))) words.push(word)
    this.firstArguments.set(command.id, words)
  }

  private forbid(name: string): string | undefined {
    const command = this.commands.find(name)
    if (command === undefined) return RuleError.UNKNOWN
    this.change(command, false)
    this.note(command.fullName, false)
    return undefined
  }

  private change(command: Command, allows: boolean): void {
    this.allowed[command.id] = allows ? 1 : 0
    if (!allows) this.allCommands = false
    this.firstArguments.delete(command.id)
    for (const subcommand of command.subcommands) this.allowed[subcommand.id] = allows ? 1 : 0
  }

  /** Keeps a rule, in place of those that it makes void. */
  private note(name: string, allows: boolean): void {
    const lower = name.toLowerCase()
    this.rules = this.rules.filter((rule) => {
      const old = rule.slice(1)
      return old !== lower && !old.startsWith(`${lower}|`)
    })
    this.rules.push((allows ? '+' : '-') + lower)
  }

  // What is allowed.

  mayRun(command: Command, firstArgument: string | undefined): boolean {
    if (this.allCommands || this.allowed[command.id] === 1) return true
    if (firstArgument === undefined) return false
    const lower = firstArgument.toLowerCase()
    return this.firstArguments.get(command.id)?.some((word) => same(word, lower)) ?? false
  }

  /** Whether a first argument matters to whether a command may be run. */
  asksFirst(command: Command): boolean {
    return this.firstArguments.has(command.id)
  }

  mayUse(access: number, bytes: Uint8Array, pos: number, len: number): boolean {
    if (this.allKeys) return true
    return this.keys.some(
      (pattern) =>
        (pattern.access & access) === access && matches(pattern.bytes, 0, pattern.bytes.length, bytes, pos, len),
    )
  }

  /** Whether all keys there may be are allowed. */
  mayUseAll(access: number): boolean {
    return this.allKeys || this.keys.some((each) => (each.access & access) === access && each.text === '*')
  }

  /** Whether a channel may be used; a pattern must be one that was allowed, letter by letter. */
  mayHear(isPattern: boolean, bytes: Uint8Array, pos: number, len: number): boolean {
    if (this.allChannels) return true
    return this.channels.some((channel) =>
      isPattern
        ? channel.text === latin1(bytes, pos, len)
        : matches(channel.bytes, 0, channel.bytes.length, bytes, pos, len),
    )
  }

  get channelTexts(): readonly string[] {
    return this.channels.map((channel) => channel.text)
  }

  // In words.

  describeCommands(): string {
    return [this.future ? '+@all' : '-@all', ...this.rules].join(' ')
  }

  describeKeys(): string {
    if (this.allKeys) return '~*'
    const prefix = ({ access }: KeyPattern): string =>
      access === ANY_ACCESS ? '~' : `%${access === Access.READ ? 'R' : access === Access.WRITE ? 'W' : ''}~`
    return this.keys.map((pattern) => prefix(pattern) + pattern.text).join(' ')
  }

  describeChannels(): string {
    return this.allChannels ? '&*' : this.channels.map((channel) => `&${channel.text}`).join(' ')
  }

  describe(): string {
    const keys = this.describeKeys()
    const channels = this.describeChannels()
    const reset = this.allChannels ? [] : ['resetchannels']
    return [keys, ...reset, channels, this.describeCommands()].filter((part) => part !== '').join(' ')
  }
}

/** Makes a selector of what stands in parentheses; or answers what is wrong with it. */
export function selectorOf(commands: Commands, allChannels: boolean, text: string): Selector | string {
  const selector = new Selector(commands, allChannels)
  const inner = fromLatin1(text.slice(1, -1))
  for (const rule of splitArgs(inner, 0, inner.length) ?? []) {
    const problem = selector.set(latin1(rule, 0, rule.length))
    if (problem !== undefined) return problem
  }
  return selector
}
