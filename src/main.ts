/* The command line: `cinnabar [/path/to/redis.conf | -] [--directive value …]`, as redis-server takes it; and
 * `cinnabar check …`, which looks at files. */
import { readFileSync, readSync, writeSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { check, checkArguments } from './persistence/check/check.ts'
import { load } from './server/config/load.ts'
import { showProcTitle } from './server/config/proc-title.ts'
import { startInBackground, takeBackground, tellListening } from './server/daemon.ts'
import { collectWhenIdle } from './server/idle-collection.ts'
import { LOG_LEVELS, openLog } from './server/log.ts'
import { removePidFile, writePidFile } from './server/pid-file.ts'
import { Server } from './server/server.ts'
import { supervisor, tellReady } from './server/supervision.ts'
import { VERSION } from './version.ts'

// The young generation is small and nearly all of it is garbage: one thread collects it in 0.2 ms, while several wait
// for each other (0.6 ms, and up to 20 when other processes keep the processors busy; Node 20).
setFlagsFromString('--no-parallel-scavenge')
// A command's way leads through many small functions. With V8's own limits (920 and 460 bytes of bytecode) the last of
// them remain calls; with these LPOP takes a quarter less time at P=16, others up to a tenth. (Twice as much gains
// little more once all is compiled, and compiling takes longer, each time that something must be compiled anew.)
setFlagsFromString('--max-inlined-bytecode-size-cumulative=2500')
setFlagsFromString('--max-inlined-bytecode-size=800')

let stdin: Uint8Array | undefined
function readStdin(): Uint8Array {
  stdin = readFileSync(0)
  return stdin
}

const print = (text: string): void => void writeSync(1, text)

/** What is typed in answer to a question; '' if nobody is there. */
function ask(question: string): string {
  print(question)
  const bytes = Buffer.alloc(128)
  return bytes.toString('latin1', 0, readSync(0, bytes, 0, bytes.length, null))
}

const checked = checkArguments(process.argv)
if (checked !== undefined) process.exit(check(checked, { print, ask }))

const inBackground = takeBackground(process.env)
const startedIn = process.cwd() // before `dir` changes it
const renames: [string, string][] = []
const users: (readonly string[])[] = []
const loaded = load({
  program: process.argv[1] ?? 'cinnabar',
  version: VERSION,
  args: process.argv.slice(2),
  environment: process.env,
  readStdin,
  renameCommand: (from, to) => {
    renames.push([from, to])
    return undefined
  },
  user: (args) => {
    users.push(args)
    return undefined
  },
})

if (loaded.action === 'exit') {
  process.stdout.write(loaded.stdout)
  process.stderr.write(loaded.stderr)
  process.exitCode = loaded.code
} else {
  const { config } = loaded
  if (config.bool('daemonize') && !inBackground && supervisor(config, process.env) === 'no') {
    if (await startInBackground(startedIn, stdin)) process.exit(0)
    process.stderr.write('The server did not start in the background; its log says why, if it has a logfile.\n')
    process.exit(1)
  }
  const isLegacyLog = process.env['CINNABAR_LOG_FORMAT'] === 'legacy'
  const log = await openLog(config.choice('loglevel'), config.text('logfile') ?? '', isLegacyLog)
  config.onChange('loglevel', () => (log.level = LOG_LEVELS[config.choice('loglevel')] ?? 'info'))
  const exit = (code: number): void => {
    if (code === 0) removePidFile(config, log)
    process.exit(code)
  }
  const server = new Server({ config, log, configFile: loaded.file, exit })
  for (const [from, to] of renames) {
    const error = server.table.rename(from, to)
    if (error !== undefined) {
      process.stderr.write(`*** FATAL CONFIG FILE ERROR: rename-command ${from} ${to}: ${error}\n`)
      process.exit(1)
    }
  }
  for (const args of users) {
    const error = server.access.users.configure(args)
    if (error !== undefined) {
      process.stderr.write(`*** FATAL CONFIG FILE ERROR: user ${args[0]}: ${error}\n`)
      process.exit(1)
    }
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => server.shutdown.signalled(signal))
  }
  const aclError = server.access.loadAtStart()
  if (aclError !== undefined) {
    log.warn(aclError)
    process.exit(1)
  }
  // The terminal it was started from has gone: no reason to end, and without saving at that.
  process.on('SIGHUP', () => {})
  if (!server.start()) process.exit(1)
  // Whoever waits for this line may connect.
  log.info(`Cinnabar ${VERSION} (Redis 7.2.4 compatible) on Node ${process.versions.node}, PID: ${process.pid}`)
  for (const note of loaded.notes) log.info(note)
  for (const { name, reason } of config.ineffective()) log.info(`The directive ${name} has no effect here: ${reason}`)
  writePidFile(config, log)
  if (inBackground) tellListening() // who waited for it may read the pid file, as systemd does with Type=forking
  showProcTitle(config, loaded.file)
  // From now on V8 looks at the types that a function sees from its first call on. So LPUSH is at its full speed after
  // 100,000 requests, not 200,000, and GET is sooner, too. What only the start needs has gone without.
  setFlagsFromString('--no-lazy-feedback-allocation')
  log.info('Server initialized')
  if (!(await server.restore())) process.exit(1)
  const { port, unixSocket } = server.listener
  if (port !== 0) log.info(`Ready to accept connections tcp port ${port}`)
  if (unixSocket !== '') log.info(`Ready to accept connections unix ${unixSocket}`)
  tellReady(config, process.env, log)
  collectWhenIdle(server)
}
