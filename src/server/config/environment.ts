/* Environment variables: REDIS_<DIRECTIVE> sets a directive, below files and arguments.
 *
 * REDIS_MAXMEMORY_POLICY is maxmemory-policy; REDIS_PASSWORD is requirepass. REDIS_<DIRECTIVE>_FILE names a file that
 * holds the value, for secrets (a directive whose own name ends so, such as tls-cert-file, is meant first). An empty
 * variable is no variable, since that is what `${UNSET:-}` in a compose file leaves; `--save ''` has to be said on the
 * command line, or as REDIS_SAVE='""'.
 *
 * Other REDIS_ variables belong to somebody else: clients (REDIS_URL, REDIS_USERNAME), or container links, which say
 * REDIS_PORT=tcp://10.0.0.1:6379 for a service named "redis". They are passed over, and named in a note for the log. */
import type { Config } from './config.ts'
import { FILE_DIRECTIVES } from './directives.ts'
import { readFile } from './sources.ts'
import { errorText, lower, splitLine, toByteString } from './text.ts'

const PREFIX = 'REDIS_'
const FILE_SUFFIX = '_FILE'

export type Environment = Readonly<Record<string, string | undefined>>

export interface EnvironmentError {
  readonly variable: string
  readonly reason: string
}

interface Applied {
  readonly error?: EnvironmentError
  /** For the log. */
  readonly notes: readonly string[]
}

interface Target {
  readonly directive: string
  /** The variable names a file with the value. */
  readonly fromFile: boolean
}

/** Sets what the environment says; stops at the first variable that it cannot take. */
export function applyEnvironment(config: Config, environment: Environment): Applied {
  const directives = variablesOf(config)
  const setBy = new Map<string, string>()
  const links: string[] = []
  const unknown: string[] = []
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith(PREFIX) || value === undefined || value === '') continue
    const target = targetOf(variable, directives)
    if (!target) unknown.push(variable)
    else if (/^(tcp|udp):\/\//.test(value)) links.push(variable)
    else {
      const rival = setBy.get(target.directive)
      const reason = rival === undefined ? apply(config, target, value) : `${rival} sets ${target.directive} already`
      if (reason !== undefined) return { error: { variable, reason }, notes: [] }
      setBy.set(target.directive, variable)
    }
  }
  const notes = []
  if (links.length > 0) notes.push(`Environment variables of container links ignored: ${links.join(', ')}`)
  if (unknown.length > 0) notes.push(`Environment variables that name no directive ignored: ${unknown.join(', ')}`)
  return { notes }
}

/** Variable name to directive name, for every directive and alias. */
function variablesOf(config: Config): Map<string, string> {
  const hidden = new Set(FILE_DIRECTIVES.map(({ name }) => name))
  const names = new Map([[`${PREFIX}PASSWORD`, 'requirepass']])
  for (const name of config.names()) {
    if (!hidden.has(name)) names.set(PREFIX + name.replaceAll('-', '_').toUpperCase(), config.primaryName(name) ?? name)
  }
  return names
}

function targetOf(variable: string, directives: ReadonlyMap<string, string>): Target | undefined {
  const directive = directives.get(variable)
  if (directive !== undefined) return { directive, fromFile: false }
  if (!variable.endsWith(FILE_SUFFIX)) return undefined
  const meant = directives.get(variable.slice(0, -FILE_SUFFIX.length))
  return meant === undefined ? undefined : { directive: meant, fromFile: true }
}

function apply(config: Config, { directive, fromFile }: Target, value: string): string | undefined {
  let content = toByteString(value)
  if (fromFile) {
    try {
      content = readFile(config.directory, content).replace(/\r?\n$/, '')
    } catch (error) {
      return `can't read '${value}': ${errorText(error)}`
    }
    if (content === '') return `'${value}' is empty`
  }
  const args = config.takesSeveral(directive) ? splitLine(content) : [content]
  return args ? config.configure(lower(directive), args) : 'unbalanced quotes'
}
