/* Starting up: environment, file, standard input and arguments become a Config, or the reason why the server must not
 * start, in the form that Redis's operators know:
 *
 *   *** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***
 *   Reading the configuration file, at line 3
 *   >>> 'port x'
 *   argument couldn't be parsed into an integer
 *   (/etc/redis.conf, line 3)
 *
 * The line after "at line" counts as Redis does: within one file, or within the file, standard input and arguments
 * taken as one text. The last line, which Redis lacks, says where that really is.
 *
 * An `include` is read where it stands. Unlike in Redis 7.2, `save` lines after it still add up with those before. */
import { appendFileSync } from 'node:fs'
import { posix } from 'node:path'
import { type CommandLine, helpText, parseCommandLine, versionText } from './command-line.ts'
import { Config, type ConfigOptions } from './config.ts'
import { FORGOTTEN_DIRECTIVES } from './directives.ts'
import { MODULES } from './effects.ts'
import { applyEnvironment, type Environment } from './environment.ts'
import { concat, expandPath, hasWildcard, linesOf, readFile, type SourceLine } from './sources.ts'
import { errorText, lower, splitLine, toText } from './text.ts'
import { resolveBytes } from './working-directory.ts'

/** The level of Redis whose behaviour and configuration this is. */
export const REDIS_VERSION = '7.2.4'

const INCLUDE_DEPTH_MAX = 32
const UNBALANCED = 'Unbalanced quotes in configuration line'
const BAD_DIRECTIVE = 'Bad directive or wrong number of arguments'

/** What the layers above do with directives that are instructions to them. Each answers the reason if it cannot. */
export interface Instructions {
  /** `to` is empty when the command is to disappear. */
  readonly renameCommand?: (from: string, to: string) => string | undefined
  /** An ACL user: its name and rules. */
  readonly user?: (args: readonly string[]) => string | undefined
}

export interface LoadRequest extends ConfigOptions, Instructions {
  /** The name that the process was called by. */
  readonly program: string
  /** The server's own version. */
  readonly version: string
  /** Without node and the script. */
  readonly args: readonly string[]
  readonly environment: Environment
  readonly readStdin: () => Uint8Array
}

export type Loaded =
  | {
      readonly action: 'start'
      readonly config: Config
      /** The absolute path of the file that CONFIG REWRITE rewrites, as a byte string. */
      readonly file: string | undefined
      /** For the log. */
      readonly notes: readonly string[]
    }
  | { readonly action: 'exit'; readonly code: number; readonly stdout: string; readonly stderr: string }

export function load(request: LoadRequest): Loaded {
  const line = parseCommandLine(request.program, request.args)
  if (line.action !== 'start') return answer(line, request)
  const config = new Config(request)
  const environment = applyEnvironment(config, request.environment)
  if (environment.error) return fail(variableError(environment.error.variable, environment.error.reason))
  const file = line.file === undefined ? undefined : posix.resolve(config.directory.path(), line.file)
  const loader = new Loader(config, request)
  const stdin = line.stdin ? Buffer.from(request.readStdin()).toString('latin1') : undefined
  const error = loader.loadAll(file, stdin, line.options) ?? logFileError(config)
  return error === undefined ? { action: 'start', config, file, notes: environment.notes } : fail(error)
}

/** Reads one configuration text into a config: for embedding, and for tests. Answers what stderr would say. */
export function loadText(
  config: Config,
  text: string,
  source: string,
  instructions: Instructions = {},
): string | undefined {
  return new Loader(config, instructions).loadLines(linesOf(text, source, true))
}

class Loader {
  private readonly config: Config
  private readonly instructions: Instructions
  private depth = 0
  private saveSeen = false

  constructor(config: Config, instructions: Instructions) {
    this.config = config
    this.instructions = instructions
  }

  /** Answers what to print before exiting, if anything is wrong. */
  loadAll(file: string | undefined, stdin: string | undefined, options: string): string | undefined {
    let lines: readonly SourceLine[] = []
    if (file !== undefined) {
      const read = this.readFiles(file)
      if (typeof read === 'string') return read
      lines = read
    }
    if (stdin !== undefined) lines = concat(lines, linesOf(stdin, 'standard input', true))
    if (lines.length === 0) lines = linesOf('', '', false)
    return this.loadLines([...lines, ...linesOf(options, 'the command line', false)])
  }

  loadLines(lines: readonly SourceLine[]): string | undefined {
    for (const [i, line] of lines.entries()) {
      if (line.text === '' || line.text.startsWith('#')) continue
      const args = splitLine(line.text)
      const error = args ? this.loadDirective(args) : UNBALANCED
      if (error === undefined) continue
      return typeof error === 'string' ? lineError(i + 1, line, error) : error.message
    }
    return undefined
  }

  /** The reason why a line is wrong; or, for an include, the whole message about a line further down. */
  private loadDirective(args: readonly string[]): string | { readonly message: string } | undefined {
    const [first, ...rest] = args
    if (first === undefined) return undefined
    const name = lower(first)
    if (this.config.primaryName(name) !== undefined) return this.loadSetting(name, rest)
    if (FORGOTTEN_DIRECTIVES.has(name) && rest.length === 1) return undefined
    const [arg = '', other = ''] = rest
    if (name === 'include' && rest.length === 1) return this.include(arg)
    if (name === 'rename-command' && rest.length === 2) return this.rename(arg, other)
    if (name === 'user' && rest.length >= 1) return this.user(rest)
    if (name === 'loadmodule' && rest.length >= 1) return MODULES.reason
    if (name.includes('.')) return moduleSetting(name, rest)
    if (name === 'sentinel') return rest.length === 0 ? undefined : 'sentinel directive while not in sentinel mode'
    return BAD_DIRECTIVE
  }

  private loadSetting(name: string, args: readonly string[]): string | undefined {
    if (!this.config.takesSeveral(name)) {
      return args.length === 1 ? this.config.configure(name, args) : 'wrong number of arguments'
    }
    // `--save "900 1"` hands over all its arguments in one.
    const whole = args.length === 1 && args[0] !== '' ? splitLine(args[0] ?? '') : args
    if (!whole) return UNBALANCED
    const isSave = this.config.primaryName(name) === 'save'
    const error = this.config.configure(name, whole, isSave && this.saveSeen)
    this.saveSeen ||= isSave
    return error
  }

  private include(path: string): string | { readonly message: string } | undefined {
    if (this.depth === INCLUDE_DEPTH_MAX) return 'Too many nested includes'
    const lines = this.readFiles(path)
    if (typeof lines === 'string') return { message: lines }
    this.depth++
    const message = this.loadLines(lines)
    this.depth--
    return message === undefined ? undefined : { message }
  }

  private rename(from: string, to: string): string | undefined {
    if (this.instructions.renameCommand) return this.instructions.renameCommand(from, to)
    return 'renaming commands is not available'
  }

  private user(args: readonly string[]): string | undefined {
    if (this.instructions.user) return this.instructions.user(args)
    return `Error in user declaration '${args[0]}': access control lists are not available`
  }

  /** The lines of a file, or of all that a pattern names: none is well then. Or the message about one that cannot be
   *  read. */
  private readFiles(path: string): readonly SourceLine[] | string {
    const paths = hasWildcard(path) ? expandPath(this.config.directory, path) : [path]
    let lines: readonly SourceLine[] = []
    for (const one of paths) {
      try {
        lines = concat(lines, linesOf(readFile(this.config.directory, one), toText(one), true))
      } catch (error) {
        return `Fatal error, can't open config file '${toText(one)}': ${errorText(error)}\n`
      }
    }
    return lines
  }
}

function moduleSetting(name: string, args: readonly string[]): string {
  if (args.length === 0) return 'Module config specified without value'
  return `Module configuration '${name}' without its module: ${MODULES.reason}`
}

/** The log file must be writable now: later there is nowhere to complain. */
function logFileError(config: Config): string | undefined {
  const path = config.bytes('logfile')
  if (!path) return undefined
  try {
    appendFileSync(resolveBytes(config.directory, path), '')
    return undefined
  } catch (error) {
    return `${HEADING}Can't open the log file: ${errorText(error)}\n(${toText(path)})\n`
  }
}

const HEADING = `\n*** FATAL CONFIG FILE ERROR (Redis ${REDIS_VERSION}) ***\n`

function lineError(number: number, line: SourceLine, reason: string): string {
  const where = `Reading the configuration file, at line ${number}\n`
  return `${HEADING}${where}>>> '${toText(line.text)}'\n${toText(reason)}\n(${line.place})\n`
}

function variableError(variable: string, reason: string): string {
  return `${HEADING}Reading the environment variable ${variable}\n${toText(reason)}\n`
}

function fail(stderr: string): Loaded {
  return { action: 'exit', code: 1, stdout: '', stderr }
}

function answer(line: Exclude<CommandLine, { action: 'start' }>, request: LoadRequest): Loaded {
  switch (line.action) {
    case 'version':
      return { action: 'exit', code: 0, stdout: versionText(REDIS_VERSION, request.version), stderr: '' }
    case 'help':
      return fail(helpText(request.program))
    case 'sentinel':
      return fail('Sentinel mode is not available: run redis-sentinel beside this server instead.\n')
    case 'check-system':
      return { action: 'exit', code: 0, stdout: CHECK_SYSTEM, stderr: '' }
    case 'test-memory':
      return fail(testMemoryText(line.megabytes, request.program))
  }
}

const CHECK_SYSTEM = `[overcommit]...not needed: snapshots are taken without fork
[THP]...not needed: snapshots are taken without fork
[clocksource]...not checked
`

function testMemoryText(megabytes: string | undefined, program: string): string {
  if (megabytes !== undefined)
    return 'The memory test is not available here; use memtester or your system’s own tools.\n'
  return `Please specify the amount of memory to test in megabytes.\nExample: ${program} --test-memory 4096\n\n`
}
