/* npm run bench: Cinnabar side by side with redis-server and with any other server that speaks RESP.
 *
 *   npm run bench                           the core suite, some minutes
 *   npm run bench -- collections values     other suites; `all` runs every one
 *   npm run bench -- --quick                seconds instead: to see that it works, not to quote figures from
 *   npm run bench -- --help
 *
 * Progress goes to stderr, tables to stdout, figures and charts to bench/results. Exits with 1 when a bar is missed and
 * --strict was given. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { environment, report } from './report.ts'
import { type ServerSpec, splitWords } from './servers.ts'
import type { Bar, Options } from './suite.ts'
import { SUITES, suitesNamed } from './suites.ts'

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)))
const RESULTS = join(ROOT, 'bench', 'results')

const HELP = `Usage: npm run bench -- [SUITE ...] [options]

Suites (core, unless named):
${SUITES.map((suite) => `  ${suite.name.padEnd(14)}${suite.summary}`).join('\n')}
  all           every suite

Servers:
  --ours "COMMAND"            what to run as ours (default: as npm start); {port} is replaced,
                              and '--port N' appended where there is no {port}
  --server "name=COMMAND"     another server to start; may be repeated
  --against host:port         another server that already runs and is empty (its database 0
                              is flushed afterwards); may be repeated
  --no-redis                  leave redis-server out
  --no-build                  take dist/ as it is

Measuring:
  --quick                     small counts, two short rounds
  --rounds N                  rounds of each test (default 5)
  --seconds S                 how long a run should take (default 1.2)
  --pipeline 1,16,100         pipeline depths
  --only TEXT,TEXT            only tests or shapes whose name contains one of these
  --clients N                 connections of redis-benchmark (default 50)
  --keyspace N                random keys (default 1000000)
  --keys N                    keys for the memory and heap suites
  --port-base N               start servers on the first free port from N up (default: any free port)
  --results DIR               where the files go (default: bench/results)
  --strict                    exit with 1 when a bar is missed
`

function readArguments() {
  return parseArgs({
    allowPositionals: true,
    options: {
      ours: { type: 'string' },
      server: { type: 'string', multiple: true, default: [] },
      against: { type: 'string', multiple: true, default: [] },
      'no-redis': { type: 'boolean', default: false },
      'no-build': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      pipeline: { type: 'string' },
      only: { type: 'string' },
      clients: { type: 'string', default: '50' },
      keyspace: { type: 'string', default: '1000000' },
      keys: { type: 'string' },
      'port-base': { type: 'string', default: '0' },
      results: { type: 'string', default: RESULTS },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
}

type Arguments = ReturnType<typeof readArguments>['values']

function optionsFrom(args: Arguments): Options {
  return {
    specs: specsFrom(args),
    quick: args.quick,
    rounds: positive(args.rounds ?? (args.quick ? '2' : '5'), 'rounds'),
    seconds: positive(args.seconds ?? (args.quick ? '0.15' : '1.2'), 'seconds'),
    clients: positive(args.clients, 'clients'),
    keyspace: positive(args.keyspace, 'keyspace'),
    keys: args.keys === undefined ? null : positive(args.keys, 'keys'),
    pipelines:
      args.pipeline === undefined ? null : args.pipeline.split(',').map((depth) => positive(depth, 'pipeline')),
    only: args.only === undefined ? [] : args.only.split(','),
    portBase: Number(args['port-base']),
    progress: showProgress,
  }
}

function positive(text: string, name: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} wants a number above 0, not '${text}'`)
  return value
}

function specsFrom(args: Arguments): ServerSpec[] {
  const quiet = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const ours =
    args.ours === undefined
      ? [
          'node',
          '--single-threaded-gc',
          '--max-semi-space-size=2',
          '--v8-pool-size=1',
          '--no-sparkplug',
          join(ROOT, 'dist', 'main.js'),
          ...quiet,
        ]
      : splitWords(args.ours)
  const specs: ServerSpec[] = [{ name: 'cinnabar', command: ours, address: null }]
  if (!args['no-redis'] && installed('redis-server')) {
    specs.push({ name: 'redis', command: ['redis-server', ...quiet], address: null })
  }
  for (const text of args.server) {
    const equals = text.indexOf('=')
    if (equals < 1) throw new Error(`--server wants "name=COMMAND", not '${text}'`)
    specs.push({ name: text.slice(0, equals), command: splitWords(text.slice(equals + 1)), address: null })
  }
  for (const text of args.against) {
    const colon = text.lastIndexOf(':')
    const port = positive(text.slice(colon + 1), 'against host:port')
    specs.push({ name: text, command: null, address: { host: text.slice(0, colon) || '127.0.0.1', port } })
  }
  return specs
}

function installed(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(join(folder, program)))
}

/** One line that rewrites itself on a terminal; lines of their own elsewhere. */
function showProgress(text: string): void {
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[2K${text}` : `${text}\n`)
}

function clearProgress(): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K')
}

async function main(): Promise<void> {
  const { values: args, positionals } = readArguments()
  if (args.help) return void process.stdout.write(HELP)
  const suites = suitesNamed(positionals)
  const options = optionsFrom(args)
  if (args.ours === undefined && !args['no-build']) {
    showProgress('building')
    execFileSync(process.execPath, ['build.mjs', '--js'], { cwd: ROOT, stdio: ['ignore', 'ignore', 'inherit'] })
  }
  if (options.specs.length === 1) process.stderr.write('No redis-server here to compare with: figures stand alone.\n')
  const bars: Bar[] = []
  for (const suite of suites) {
    const facts = environment(ROOT)
    const result = await suite.run(options)
    clearProgress()
    process.stdout.write(`\n== ${suite.name}${options.quick ? ' (quick: figures are rough)' : ''}\n`)
    process.stdout.write(`   ${facts.cpu}, ${facts.cores} cores; Node ${facts.node}; commit ${facts.commit}\n\n`)
    const paths = report(suite.name, result, options, facts, args.results)
    process.stderr.write(`${paths.map((path) => `wrote ${path}`).join('\n')}\n`)
    bars.push(...result.bars)
  }
  if (args.strict && bars.some((bar) => bar.met === false)) process.exitCode = 1
}

main().catch((error: unknown) => {
  clearProgress()
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exit(1)
})
