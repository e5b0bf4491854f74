/* Servers for tests: each a process of its own, in a directory of its own, on a port that was free a moment ago.
 *
 *     const server = await startCinnabar({ args: ['--maxmemory', '1mb'] })
 *     …
 *     await server.stop()          // SIGTERM, waits; the directory is deleted
 *
 * startRedis() does the same with the distribution's redis-server. Tests that compare with it say
 * `describe.skipIf(!redisAvailable())`: skipped loudly where there is none, an error in CI.
 *
 *   CINNABAR_SERVER   what to test instead of dist/main.js: "source" (asserts on, a slower start), or a command
 *   REDIS_SERVER      another redis-server to compare with than the one on the PATH */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RawClient } from './raw-client.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const READY_TIMEOUT_MS = 60_000
const STOP_TIMEOUT_MS = 60_000
const LOG_SIZE_MAX = 1 << 20
const ATTEMPTS = 10

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type StartOptions = {
  /** Arguments after the helper's own, so that they prevail: `['--appendonly', 'yes']`. */
  readonly args?: readonly string[]
  /** Text of a configuration file, which becomes the first argument. */
  readonly config?: string
  readonly env?: Readonly<Record<string, string>>
  readonly port?: number
  /** A directory to work in; the caller's, so it is not deleted: for starting again on the same files. */
  readonly dir?: string
  /** What a shell does before it becomes the server: `ulimit -n 128`. */
  readonly shell?: string
  /** False: return as soon as the process runs, for tests of a start that fails. */
  readonly wait?: boolean
}

export class TestServer {
  readonly port: number
  readonly dir: string
  readonly process: ChildProcess
  readonly exited: Promise<Exit>
  private output = ''
  private readonly ownsDir: boolean
  private readonly logsElsewhere: boolean

  constructor(command: readonly string[], port: number, dir: string, options: StartOptions) {
    this.port = port
    this.dir = dir
    this.ownsDir = options.dir === undefined
    this.logsElsewhere = /\blog(file|level)\b/.test(`${options.config} ${options.args}`)
    const [program, ...args] = command
    this.process = spawn(program!, args, {
      cwd: dir,
      env: cleanEnvironment(options.env),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.process)
    for (const stream of [this.process.stdout!, this.process.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-LOG_SIZE_MAX)
      })
    }
    this.exited = new Promise((resolve, reject) => {
      this.process.once('error', reject)
      this.process.once('close', (code, signal) => {
        running.delete(this.process)
        resolve({ code, signal })
      })
    })
    this.exited.catch(() => running.delete(this.process)) // for those who wait it stays an error
  }

  get pid(): number {
    return this.process.pid!
  }

  /** What the server has written to stdout and stderr, the last megabyte of it. */
  log(): string {
    return this.output
  }

  get hasExited(): boolean {
    return !running.has(this.process)
  }

  connect(): Promise<RawClient> {
    return RawClient.connect(this.port)
  }

  /** Sends the signal and waits for the end; after 60 s it kills, and throws. The server's own directory is deleted. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.process.kill(signal)
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.process.kill('SIGKILL')
    }, STOP_TIMEOUT_MS)
    const exit = await this.exited
    clearTimeout(timer)
    if (this.ownsDir) rmSync(this.dir, { recursive: true, force: true })
    if (late) throw new Error(`the server did not end within ${STOP_TIMEOUT_MS} ms of ${signal}:\n${this.output}`)
    return exit
  }

  /** Waits for a line of the log that matches; what was written before counts. */
  async waitForLog(pattern: RegExp, timeoutMs = READY_TIMEOUT_MS): Promise<void> {
    const until = Date.now() + timeoutMs
    while (!pattern.test(this.output)) {
      if (this.hasExited) throw new Error(`the server ended before it logged ${pattern}:\n${this.output}`)
      if (Date.now() > until)
        throw new Error(`the server did not log ${pattern} within ${timeoutMs} ms:\n${this.output}`)
      await sleep(10)
    }
  }

  /** Waits until the server serves: says so in its log or, where its log goes elsewhere, answers. (Asked only then: it
   *  could be another process that answers on this port.) */
  async waitUntilReady(): Promise<void> {
    const until = Date.now() + READY_TIMEOUT_MS
    for (;;) {
      if (this.output.includes('Ready to accept connections')) return
      if (this.logsElsewhere && (await this.answers())) return
      if (this.hasExited) throw new Error(`the server ended while it started:\n${this.output}`)
      if (Date.now() > until) throw new Error(`the server was not ready within ${READY_TIMEOUT_MS} ms:\n${this.output}`)
      await sleep(20)
    }
  }

  /** Any reply to PING but "still loading" counts: a server that wants a password serves, too. */
  private async answers(): Promise<boolean> {
    const client = await this.connect().catch(() => undefined)
    if (client === undefined) return false
    const reply = await client.command('PING').catch(() => Buffer.from('-LOADING'))
    await client.close()
    return !reply.toString('latin1').startsWith('-LOADING')
  }
}

/** Starts the server under test: dist/main.js, built before the first test. */
export function startCinnabar(options: StartOptions = {}): Promise<TestServer> {
  return start(cinnabarCommand(), options)
}

/** Starts a real redis-server. */
export function startRedis(options: StartOptions = {}): Promise<TestServer> {
  return start([redisCommand()], options)
}

/** Whether there is a redis-server to compare with. Without one, tests are skipped and say so; in CI this throws. */
export function redisAvailable(): boolean {
  try {
    execFileSync(redisCommand(), ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    const reason = `no redis-server (tried "${redisCommand()}"): tests that compare with it`
    if (process.env['CI'] !== undefined && process.env['CI'] !== 'false') throw new Error(`${reason} must run in CI`)
    console.warn(`${reason} ARE SKIPPED`)
    return false
  }
}

/** A port nobody listens on. Another process may take it before the caller does: start() then tries again. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Processes that run now. None may outlive the test's own process, however that ends. */
const running = new Set<ChildProcess>()

function killAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

process.once('exit', killAll)
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll()
    process.kill(process.pid, signal) // the listener is gone: now the signal does what it always does
  })
}

function cinnabarCommand(): string[] {
  const wanted = process.env['CINNABAR_SERVER']
  if (wanted === undefined) return [process.execPath, join(root, 'dist/main.js')]
  if (wanted !== 'source') return wanted.split(' ')
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx'))
  return [process.execPath, '--import', loader.href, join(root, 'src/main.ts')]
}

const redisCommand = (): string => process.env['REDIS_SERVER'] ?? 'redis-server'

/** This process's environment without REDIS_*: the server under test would take those for directives. */
function cleanEnvironment(extra: StartOptions['env']): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('REDIS'))
  return { ...Object.fromEntries(inherited), ...extra }
}

async function start(command: readonly string[], options: StartOptions): Promise<TestServer> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    const server = launch(command, port, options)
    if (options.wait === false) return server
    try {
      await server.waitUntilReady()
      return server
    } catch (error) {
      const portTaken = options.port === undefined && /address already in use/i.test(server.log())
      await server.stop('SIGKILL').catch(() => undefined) // the reason why it did not start is the one to report
      if (!portTaken || attempt === ATTEMPTS) throw error
    }
  }
}

function launch(program: readonly string[], port: number, options: StartOptions): TestServer {
  const { shell } = options
  const command = shell === undefined ? program : ['sh', '-c', `${shell} && exec "$@"`, 'sh', ...program]
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'cinnabar-test-'))
  const own = ['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--save', '', ...(options.args ?? [])]
  if (options.config === undefined) return new TestServer([...command, ...own], port, dir, options)
  const file = join(dir, 'redis.conf')
  writeFileSync(file, options.config)
  return new TestServer([...command, file, ...own], port, dir, options)
}
