/* The configuration at run time: a value for each directive, and who is told when one changes.
 *
 * Three moments, three doors:
 *   configure   at the start, an argument list for one directive, from a file, an argument or the environment
 *   set         CONFIG SET: any number of directives, all or nothing
 *   assign      the server itself corrects a value (maxclients after asking for file descriptors, REPLICAOF)
 *
 * Two kinds of listeners:
 *   onApply     may fail. It does what a new value takes (listen on another port) and answers the reason if it cannot.
 *               It runs for CONFIG SET only, once all new values are in place, and reads them from here. When any
 *               listener fails, the old values are put back and every listener that has run is run again, so it must
 *               compare what is with what is wanted: called with nothing to do, it does nothing.
 *   onChange    cannot fail. It runs at once when it is registered, and after every change that has come to stay. Hot
 *               code never asks the configuration: its owner keeps a copy in a plain field, and renews it here.
 *
 * Both are synchronous. Listening on a port can be: a net.Server that was told to listen without a host, or through a
 * handle, says by `listening` right away whether the bind went well; the 'error' event that follows is then only noise.
 *
 * All names and values are byte strings (directive.ts); `text` is for those that people read. */
import { type Int64, toNumber } from '../../lib/int64.ts'
import { Flag, type Kind, type KindValues, type Surroundings } from './directive.ts'
import { type AnyDirective, DIRECTIVES, type DirectiveName, type NameOf, type ValueOf } from './directives.ts'
import type { Context } from './kinds.ts'
import { Setting } from './setting.ts'
import { globMatches, lower, toText } from './text.ts'
import { processDirectory, type WorkingDirectory } from './working-directory.ts'

export interface ConfigOptions {
  readonly directory?: WorkingDirectory
  /** For what the operator should read in the log. */
  readonly warn?: (message: string) => void
}

/** Who asks for CONFIG SET, and when. */
export interface SetCaller {
  /** Connected from this machine: what enable-protected-configs `local` lets pass. */
  readonly local: boolean
  /** A dataset is being loaded. */
  readonly loading: boolean
}

/** A name in the table: a directive's own or its alias. */
interface Entry {
  readonly name: string
  readonly setting: Setting
}

/** One of the pairs of a CONFIG SET. */
interface Change {
  /** As it is said in an error: a directive's own name or its alias. */
  readonly name: string
  readonly setting: Setting
  readonly wanted: string
  /** As CONFIG GET showed it before, and the value itself. */
  readonly shown: string
  readonly before: KindValues[Kind]
}

export class Config {
  readonly directory: WorkingDirectory
  private readonly warn: (message: string) => void
  private readonly settings: Setting[] = []
  private readonly entries = new Map<string, Entry>()
  private readonly appliers = new Map<Setting, () => string | undefined>()
  private readonly watchers = new Map<Setting, (() => void)[]>()

  constructor(options: ConfigOptions = {}) {
    this.directory = options.directory ?? processDirectory
    this.warn = options.warn ?? (() => {})
    for (const directive of DIRECTIVES as readonly AnyDirective[]) {
      const setting = new Setting(directive)
      this.settings.push(setting)
      this.entries.set(directive.name, { name: directive.name, setting })
      if (directive.alias !== undefined) this.entries.set(directive.alias, { name: directive.alias, setting })
    }
    this.settingOf('dir').restore(this.directory.path())
  }

  /* Reading. */

  bool(name: NameOf<'bool'>): boolean {
    return this.value(name)
  }

  /** A wide value is rounded to the nearest double; a percentage is negative. */
  number(name: NameOf<'number'>): number {
    return toNumber(this.value(name) as Int64)
  }

  choice(name: NameOf<'choice'>): string {
    return this.value(name)
  }

  /** null: not set. The bytes, one character each. */
  bytes(name: NameOf<'text'>): string | null {
    return this.value(name)
  }

  /** null: not set. */
  text(name: NameOf<'text'>): string | null {
    const value: string | null = this.value(name)
    return value === null ? null : toText(value)
  }

  value<N extends DirectiveName>(name: N): ValueOf<N> {
    return this.settingOf(name).value as ValueOf<N>
  }

  /** As CONFIG GET shows it. */
  shown(name: DirectiveName): string {
    return this.show(this.settingOf(name))
  }

  /** The settings in table order, for CONFIG REWRITE. */
  all(): readonly Setting[] {
    this.settingOf('dir').restore(this.directory.path())
    return this.settings
  }

  /** Every name and alias. */
  names(): Iterable<string> {
    return this.entries.keys()
  }

  /** The directive's own name for a name or alias in any case. */
  primaryName(name: string): string | undefined {
    return this.entries.get(lower(name))?.setting.directive.name
  }

  takesSeveral(name: string): boolean {
    const setting = this.entries.get(lower(name))?.setting
    return setting !== undefined && (setting.directive.flags & Flag.MULTI_ARG) !== 0
  }

  /** Whether the value given for this name must not appear in any log. */
  isSensitive(name: string): boolean {
    const setting = this.entries.get(lower(name))?.setting
    return setting !== undefined && (setting.directive.flags & Flag.SENSITIVE) !== 0
  }

  /** CONFIG GET: the matching names with their values, each once. A name without wildcards is answered as it was
   *  asked for, whatever its case; an alias is an answer of its own; a hidden name must be spelled out. */
  get(patterns: readonly string[]): (readonly [name: string, value: string])[] {
    const found = new Map<string, readonly [string, string]>()
    for (const pattern of patterns) {
      if (!/[[*?]/.test(pattern)) {
        const entry = this.entries.get(lower(pattern))
        if (entry && !found.has(entry.name)) found.set(entry.name, [pattern, this.show(entry.setting)])
        continue
      }
      for (const { name, setting } of this.entries.values()) {
        if (setting.directive.flags & Flag.HIDDEN || found.has(name) || !globMatches(pattern, name, true)) continue
        found.set(name, [name, this.show(setting)])
      }
    }
    return [...found.values()]
  }

  /** The directives that are not at their default although setting them has no effect here, with the reason. */
  ineffective(): { readonly name: string; readonly reason: string }[] {
    const list: { name: string; reason: string }[] = []
    for (const { directive, isInitial } of this.settings) {
      if (directive.effect.kind === 'accepted' && !isInitial) {
        list.push({ name: directive.name, reason: directive.effect.reason })
      }
    }
    return list
  }

  /* Writing. */

  /** One directive of a file, the command line or the environment. `appending`: a further `save` of the same source.
   *  Answers the reason if it is refused. */
  configure(name: string, args: readonly string[], appending = false): string | undefined {
    const entry = this.entries.get(lower(name))
    if (!entry) return 'Bad directive or wrong number of arguments'
    const before = this.show(entry.setting)
    const error = entry.setting.parse(args, this.context(appending), this.around(true))
    if (error === undefined && this.show(entry.setting) !== before) this.changed(entry.setting)
    return error
  }

  /** The server's own correction of a value: no check, no onApply. */
  assign<N extends DirectiveName>(name: N, value: ValueOf<N>): void {
    const setting = this.settingOf(name)
    setting.restore(value)
    this.changed(setting)
  }

  onApply(name: DirectiveName, listener: () => string | undefined): void {
    this.appliers.set(this.settingOf(name), listener)
  }

  onChange(name: DirectiveName, listener: () => void): void {
    const setting = this.settingOf(name)
    const list = this.watchers.get(setting)
    if (list) list.push(listener)
    else this.watchers.set(setting, [listener])
    listener()
  }

  /** CONFIG SET name value [name value …]: undefined for OK, or the error reply with its prefix. */
  set(args: readonly string[], caller: SetCaller): string | undefined {
    if (args.length === 0 || args.length % 2 !== 0) return 'ERR syntax error'
    const changes = this.changesOf(args, caller)
    if (typeof changes === 'string') return changes
    for (const { name, setting, wanted } of changes) {
      const error = setting.parse(this.split(setting, wanted), this.context(false), this.around(false))
      if (error === undefined) continue
      this.restore(changes)
      return failure(name, error)
    }
    const touched = changes.filter(
      ({ setting, shown }) => setting.directive.flags & Flag.VOLATILE || this.show(setting) !== shown,
    )
    const error = this.apply(touched, changes)
    if (error !== undefined) return error
    for (const setting of new Set(touched.map((change) => change.setting))) this.changed(setting)
    return undefined
  }

  /** Runs the onApply listeners of what has changed. When one fails, everything is as before. */
  private apply(touched: readonly Change[], changes: readonly Change[]): string | undefined {
    const ran: (() => string | undefined)[] = []
    for (const { name, setting } of touched) {
      const applier = this.appliers.get(setting)
      if (!applier || ran.includes(applier)) continue
      ran.push(applier)
      const error = applier()
      if (error === undefined) continue
      this.warn(`Failed applying new configuration, possibly the new ${name} setting. Restoring previous settings.`)
      this.restore(changes)
      for (const again of ran) {
        const problem = again()
        if (problem !== undefined) this.warn(`Failed applying restored failed CONFIG SET command: ${problem}`)
      }
      return failure(name, error)
    }
    return undefined
  }

  /** The changes that CONFIG SET asks for, or its error: everything is checked before anything is set. */
  private changesOf(args: readonly string[], caller: SetCaller): Change[] | string {
    const changes: Change[] = []
    for (let i = 0; i < args.length; i += 2) {
      const said = args[i] ?? ''
      const entry = this.entries.get(lower(said))
      if (!entry) return `ERR Unknown option or number of arguments for CONFIG SET - '${said}'`
      const { name, setting } = entry
      const { flags } = setting.directive
      if (flags & Flag.IMMUTABLE) return failure(said, "can't set immutable config")
      if (flags & Flag.PROTECTED && !this.mayProtected(caller)) return failure(said, "can't set protected config")
      if (flags & Flag.DENY_LOADING && caller.loading) return 'LOADING Redis is loading the dataset in memory'
      if (changes.some((change) => change.name === name)) return failure(said, 'duplicate parameter')
      const shown = this.show(setting)
      changes.push({ name, setting, wanted: args[i + 1] ?? '', shown, before: setting.value })
    }
    return changes
  }

  private mayProtected(caller: SetCaller): boolean {
    const allowed = this.choice('enable-protected-configs')
    return allowed === 'yes' || (allowed === 'local' && caller.local)
  }

  private restore(changes: readonly Change[]): void {
    for (const { setting, before } of changes) {
      setting.restore(before)
      if (setting.directive.kind !== 'directory' || before === this.directory.path()) continue
      const error = this.directory.change(String(before))
      if (error !== undefined) this.warn(`Failed restoring failed CONFIG SET command. Error setting dir: ${error}`)
    }
  }

  private split(setting: Setting, value: string): readonly string[] {
    if (!(setting.directive.flags & Flag.MULTI_ARG)) return [value]
    return value === '' ? [] : value.split(' ')
  }

  private changed(setting: Setting): void {
    for (const watcher of this.watchers.get(setting) ?? []) watcher()
  }

  private show(setting: Setting): string {
    if (setting.directive.kind === 'directory') setting.restore(this.directory.path())
    return setting.shown
  }

  private settingOf(name: DirectiveName): Setting {
    return this.entries.get(name)!.setting
  }

  private context(appending: boolean): Context {
    return { directory: this.directory, appending, warn: this.warn }
  }

  private around(atStart: boolean): Surroundings {
    return { atStart, shown: (name) => this.get([name])[0]?.[1] ?? '' }
  }
}

function failure(name: string, reason: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}`
}
