/* All users, by name: making, changing and removing them, and reading them from files.
 *
 *   user alice on #<hash> ~cache:* resetchannels -@all +get      a line of an ACL file, or of redis.conf
 *
 * The user `default` is always there, and always the same object: sessions begin with it. Names and rules are byte
 * strings. Nothing is changed by rules of which one is wrong. */
import type { Commands } from './selector.ts'
import { RuleError } from './selector.ts'
import { type Setting, User } from './user.ts'

export const DEFAULT_USER = 'default'
const SPACES = /[\0\t-\r ]/

export const hasSpaces = (name: string): boolean => SPACES.test(name)

export class Users {
  readonly setting: Setting
  readonly default: User
  private byName = new Map<string, User>()
  /** Users of the configuration, until `finishLoading`. */
  private readonly configured: (readonly string[])[] = []

  constructor(commands: Commands) {
    this.setting = { commands, allChannels: false }
    this.default = this.makeDefault()
    this.byName.set(DEFAULT_USER, this.default)
  }

  private makeDefault(): User {
    const user = new User(DEFAULT_USER, this.setting)
    for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) user.set(rule)
    return user
  }

  get(name: string): User | undefined {
    return this.byName.get(name)
  }

  /** All, by name. */
  get sorted(): readonly User[] {
    return [...this.byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** As lines behind `user `. */
  get lines(): readonly string[] {
    return this.sorted.map((user) => `${user.name} ${user.describe()}`)
  }

  /** What a user, new or not, would be with these rules; or what is wrong with them. */
  plan(name: string, rules: readonly string[]): User | string {
    const merged = mergeSelectors(rules)
    if (typeof merged === 'number') return `Unmatched parenthesis in acl selector starting at '${rules[merged]}'.`
    const planned = this.get(name)?.copy() ?? new User(name, this.setting)
    for (const rule of merged) {
      const problem = planned.set(rule)
      if (problem !== undefined) return `Error in ACL SETUSER modifier '${rule}': ${problem}`
    }
    return planned
  }

  /** Makes a user what was planned. */
  apply(planned: User): void {
    const known = this.get(planned.name)
    if (known === undefined) this.byName.set(planned.name, planned)
    else known.assign(planned)
  }

  /** Answers the user that was removed. */
  remove(name: string): User | undefined {
    const user = this.byName.get(name)
    this.byName.delete(name)
    return user
  }

  // Files.

  /** Takes a line of the configuration, its name first; answers what is wrong. Commands may be unknown as yet. */
  configure(args: readonly string[]): string | undefined {
    const [name = '', ...rules] = args
    const declared = (word: string, problem: string): string => `Error in user declaration '${word}': ${problem}`
    if (this.configured.some(([other]) => other === name)) {
      return declared(name, 'Duplicate user found. A user can only be defined once in config files')
    }
    const merged = mergeSelectors(rules)
    if (typeof merged === 'number') return declared(rules[merged]!, 'Syntax error')
    const trial = new User(name, this.setting)
    for (const rule of merged) {
      const problem = trial.set(rule)
      if (problem !== undefined && problem !== RuleError.UNKNOWN) return declared(rule, problem)
    }
    this.configured.push([name, ...merged])
    return undefined
  }

  get hasConfigured(): boolean {
    return this.configured.length > 0
  }

  /** Makes the users of the configuration; `warn` is told of those that are disabled. Answers what is wrong. */
  loadConfigured(warn: (text: string) => void): string | undefined {
    for (const [name = '', ...rules] of this.configured) {
      if (hasSpaces(name)) return 'Spaces not allowed in ACL usernames'
      const user = name === DEFAULT_USER ? this.default : new User(name, this.setting)
      if (user === this.default) user.set('reset')
      for (const rule of rules) {
        const problem = user.set(rule)
        if (problem !== undefined) {
          return `Error loading ACL rule '${rule}' for the user named '${name}': ${problem}`
        }
      }
      this.byName.set(name, user)
      if (!user.enabled) {
        warn(
          `The user '${name}' is disabled (there is no 'on' modifier in the user description). Make sure this is not ` +
            'a configuration error.',
        )
      }
    }
    return undefined
  }

  /** Replaces all users by those of a file; answers what is wrong, and leaves everything as it was then. */
  loadText(text: string, path: string): string | undefined {
    const loaded = new Map<string, User>()
    let problems = ''
    for (const [index, raw] of text.split('\n').entries()) {
      const line = raw.replace(/^[ \t\r]+|[ \t\r]+$/g, '')
      if (line !== '') problems += this.loadLine(line.split(' '), `${path}:${index + 1}`, loaded)
    }
    if (problems !== '') {
      return `${problems}WARNING: ACL errors detected, no change to the previously active ACL rules was performed`
    }
    this.default.assign(loaded.get(DEFAULT_USER) ?? this.makeDefault())
    this.byName = loaded.set(DEFAULT_USER, this.default)
    return undefined
  }

  /** Answers what is wrong with a line, or ''. */
  private loadLine(words: readonly string[], where: string, loaded: Map<string, User>): string {
    const [first, name, ...rules] = words
    if (first !== 'user' || name === undefined) {
      return `${where} should start with user keyword followed by the username. `
    }
    if (hasSpaces(name)) return `'${where}: username '${name}' contains invalid characters. `
    if (loaded.has(name)) return `WARNING: Duplicate user '${name}' found on line ${where.split(':').at(-1)}. `
    const user = new User(name, this.setting)
    loaded.set(name, user)
    const merged = mergeSelectors(rules)
    if (typeof merged === 'number') return `${where}: Unmatched parenthesis in selector definition.`
    let problems = ''
    let isWrong = false
    for (const rule of merged.map((each) => each.replace(/^[\t\r]+|[\t\r]+$/g, ''))) {
      const problem = user.set(rule)
      if (problem === RuleError.UNKNOWN) problems += `${where}: Error in applying operation '${rule}': ${problem}. `
      else if (problem !== undefined && !isWrong) {
        problems += `${where}: ${problem}. `
        isWrong = true
      }
    }
    return problems
  }
}

/** Joins what stands in parentheses into one rule; or answers where a parenthesis stands that is never closed. */
function mergeSelectors(rules: readonly string[]): string[] | number {
  const merged: string[] = []
  let open = -1
  for (const [index, rule] of rules.entries()) {
    if (open >= 0) merged[merged.length - 1] += ` ${rule}`
    else merged.push(rule)
    if (open < 0 && rule.startsWith('(') && !rule.endsWith(')')) open = index
    else if (open >= 0 && rule.endsWith(')')) open = -1
  }
  return open >= 0 ? open : merged
}
