/* The command line, as redis-server takes it: `[/path/to/redis.conf | -] [--directive value ...] [-]`.
 *
 * Options are nothing but configuration text: `--port 7000 --save 900 1` becomes the lines `port "7000"` and
 * `save "900" "1"`, read after the file and standard input, so that the last word is the command line's. An argument
 * that starts with `--` is a directive's name only where the one before has got a value or holds it itself
 * (`"--port 7000"`); otherwise it is that value: `--logfile --x`. Only `--save` may do without. */
import { lower, quoted, splitLine, toByteString } from './text.ts'

/** What to do; texts are byte strings. */
export type CommandLine =
  | { readonly action: 'start'; readonly file: string | undefined; readonly stdin: boolean; readonly options: string }
  | { readonly action: 'version' | 'help' | 'check-system' | 'sentinel' }
  | { readonly action: 'test-memory'; readonly megabytes: string | undefined }

/** `program` is the name that the process was called by. `args` are as Node decoded them. */
export function parseCommandLine(program: string, args: readonly string[]): CommandLine {
  if (program.includes('redis-sentinel') || args.includes('--sentinel')) return { action: 'sentinel' }
  const special = specialAction(args)
  if (special) return special
  const bytes = args.map(toByteString)
  const first = bytes[0]
  const named = first !== undefined && !first.startsWith('-')
  const rest = named ? bytes.slice(1) : bytes
  const stdin = (i: number) => rest[i] === '-' && ((i === 0 && !named) || i === rest.length - 1)
  // An empty name, as a script leaves it that has no file to give, is no file.
  return {
    action: 'start',
    file: named && first !== '' ? first : undefined,
    stdin: rest.some((_arg, i) => stdin(i)),
    options: optionText(rest.filter((_arg, i) => !stdin(i))),
  }
}

function specialAction(args: readonly string[]): CommandLine | undefined {
  switch (args[0]) {
    case '-v':
    case '--version':
      return { action: 'version' }
    case '-h':
    case '--help':
      return { action: 'help' }
    case '--check-system':
      return { action: 'check-system' }
    case '--test-memory':
      return { action: 'test-memory', megabytes: args.length === 2 ? args[1] : undefined }
    default:
      return undefined
  }
}

/** The options as configuration text. */
function optionText(args: readonly string[]): string {
  let text = ''
  let complete = true // the directive before has its value
  args.forEach((arg, i) => {
    if (!complete || !arg.startsWith('--')) {
      text += `${quoted(arg)} `
      complete = true
      return
    }
    text += `${text === '' ? '' : '\n'}${arg.slice(2)} `
    const next = args[i + 1]
    const alone = splitLine(arg)?.length === 1
    const emptySave = alone && lower(arg) === '--save' && (next === undefined || next.startsWith('--'))
    if (emptySave) text += '""'
    complete = !alone || (emptySave && next !== undefined)
  })
  return text
}

export function helpText(program: string): string {
  return [
    `Usage: ${program} [/path/to/redis.conf] [--directive value ...] [-]`,
    '',
    'The configuration is read from the file, then from standard input when - is given, then from',
    'the arguments; the last word counts. Environment variables named REDIS_<DIRECTIVE> come before all.',
    '',
    `  ${program} /etc/redis.conf                 a configuration file`,
    `  ${program} --port 7000 --save 900 1        directives as arguments`,
    `  ${program} /etc/redis.conf --loglevel debug`,
    `  echo 'maxmemory 128mb' | ${program} -      a configuration on standard input`,
    '',
    '  -h, --help                 this text',
    '  -v, --version              the version',
    '  --check-system             whether the system suits the server',
    '  --test-memory <megabytes>  not available: a memory test belongs to the operating system',
    '',
    'Sentinel mode (--sentinel) is not available.',
    '',
  ].join('\n')
}

/** In Redis's form, which scripts take apart. */
export function versionText(redisVersion: string, version: string): string {
  return `Redis server v=${redisVersion} sha=00000000:0 malloc=arena bits=64 build=cinnabar-${version}\n`
}
