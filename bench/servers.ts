/* The servers under test: how each is started, asked, measured and stopped.
 *
 * A server is either a command of ours to run (on a free port, in a temporary directory of its own) or an address where
 * somebody else runs it. Its processor time, its waiting for a processor and its resident memory come from /proc by
 * pid, so they mean the same for every server; away from Linux, or on another host, INFO's own figures stand in. */
import type { ChildProcess } from 'node:child_process'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { removeDirectory, start, stop, temporaryDirectory } from './children.ts'
import { type Address, Connection, runCommands } from './load.ts'

const START_PATIENCE_MS = 90_000 // There may be much to load.
const OUTPUT_KEPT = 1 << 16 // The last characters a server printed, for the message when it fails to start.

export interface ServerSpec {
  name: string
  /** The words of the command, with {port} where the port goes; null where the server already runs. */
  command: readonly string[] | null
  address: Address | null
}

export type Info = ReadonlyMap<string, string>

export interface Usage {
  cpuUs: number
  /** Time the server's main thread was ready to run and no processor was free; 0 where unknown. */
  cpuWaitUs: number
}

export class Server {
  readonly name: string
  readonly address: Address
  readonly command: string
  private readonly child: ChildProcess | null
  private readonly directory: string | null
  private readonly listeners: ((text: string) => void)[] = []
  private pid: number | null
  private output = ''

  private constructor(
    name: string,
    address: Address,
    words: readonly string[],
    child: ChildProcess | null,
    directory: string | null,
  ) {
    this.name = name
    this.address = address
    this.command = joinWords(words)
    this.child = child
    this.directory = directory
    this.pid = child?.pid ?? null
    for (const stream of [child?.stdout, child?.stderr]) stream?.on('data', (chunk: Buffer) => this.hear(chunk))
  }

  /** Starts the server and waits until it answers. `nodeFlags` go behind the word `node`, if the command has it. */
  static async start(spec: ServerSpec, portBase: number, nodeFlags: readonly string[] = []): Promise<Server> {
    if (spec.command === null) return Server.join(spec)
    const port = await freePort(portBase)
    const words = commandWords(spec.command, port, nodeFlags)
    const directory = temporaryDirectory()
    const child = start(words, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
    const server = new Server(spec.name, { host: '127.0.0.1', port }, words, child, directory)
    await server.untilReady(child)
    return server
  }

  private static async join(spec: ServerSpec): Promise<Server> {
    const server = new Server(spec.name, spec.address!, [], null, null)
    const info = await server.info()
    const keys = Number(info.get('keys') ?? 0)
    if (keys > 0) throw new Error(`${spec.name} holds ${keys} keys: a benchmark writes, so give it an empty server`)
    const pid = Number(info.get('process_id'))
    const local = ['127.0.0.1', 'localhost', '::1'].includes(spec.address!.host)
    if (local && existsSync(`/proc/${pid}/stat`)) server.pid = pid
    return server
  }

  /** All fields of INFO; empty where the server has no INFO. `keys` is db0's count. */
  async info(): Promise<Info> {
    const fields = new Map<string, string>()
    let connection: Connection | null = null
    try {
      connection = await Connection.open(this.address)
      const text = String(await connection.call('INFO'))
      for (const match of text.matchAll(/^(\w+):(.*?)\r?$/gm)) fields.set(match[1]!, match[2]!)
    } catch (error) {
      if (connection === null) throw error // Nobody listens; a server that answers with an error just has no INFO.
    } finally {
      connection?.close()
    }
    const keys = /keys=(\d+)/.exec(fields.get('db0') ?? '')
    if (keys !== null) fields.set('keys', keys[1]!)
    return fields
  }

  async usage(): Promise<Usage> {
    if (this.pid !== null && process.platform === 'linux') {
      return { cpuUs: processCpuUs(this.pid), cpuWaitUs: processWaitUs(this.pid) }
    }
    const info = await this.info()
    const seconds = Number(info.get('used_cpu_sys')) + Number(info.get('used_cpu_user'))
    return { cpuUs: seconds * 1e6, cpuWaitUs: 0 }
  }

  async rssBytes(): Promise<number> {
    if (this.pid !== null && process.platform === 'linux') {
      const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.pid}/status`, 'latin1'))
      return Number(match?.[1]) * 1024
    }
    return Number((await this.info()).get('used_memory_rss'))
  }

  /** Hands everything the server prints from now on to `listener`. */
  listen(listener: (text: string) => void): void {
    this.listeners.push(listener)
  }

  get ended(): boolean {
    return this.child !== null && (this.child.exitCode !== null || this.child.signalCode !== null)
  }

  get lastOutput(): string {
    return this.output.slice(-2000)
  }

  /** Stops what was started here. A server that was joined was empty then, and is emptied again. */
  async stop(): Promise<void> {
    if (this.child !== null) await stop(this.child)
    else await runCommands(this.address, [['FLUSHDB']]).catch((error) => this.complain(error))
    if (this.directory !== null) removeDirectory(this.directory)
  }

  private complain(error: unknown): void {
    process.stderr.write(`${this.name} could not be emptied: ${error}\n`)
  }

  private hear(chunk: Buffer): void {
    const text = chunk.toString('latin1')
    this.output = (this.output + text).slice(-OUTPUT_KEPT)
    for (const listener of this.listeners) listener(text)
  }

  private async untilReady(child: ChildProcess): Promise<void> {
    let failure: Error | null = null
    child.once('error', (error) => (failure = error))
    const deadlineMs = Date.now() + START_PATIENCE_MS
    while (Date.now() < deadlineMs && failure === null && !this.ended) {
      if (await answers(this.address)) return
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    await this.stop()
    const reason = failure === null ? 'no answer on its port' : String(failure)
    throw new Error(`${this.name} did not start (${this.command}): ${reason}\n${this.output}`)
  }
}

/** Starts all of them, or none: when one fails, those before it are stopped again. */
export async function startAll(specs: readonly ServerSpec[], portBase: number): Promise<Server[]> {
  const servers: Server[] = []
  try {
    for (const spec of specs) servers.push(await Server.start(spec, portBase))
  } catch (error) {
    await stopAll(servers)
    throw error
  }
  return servers
}

export async function stopAll(servers: readonly Server[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}

/** Splits a command line into words; quotes group, and '' is an empty word. No shell has a part in it. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map((match) =>
    match[0].replace(/'([^']*)'|"([^"]*)"/g, '$1$2'),
  )
}

/** The reverse, for people to read. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[^\s'"]+$/.test(word) ? word : `'${word}'`)).join(' ')
}

function commandWords(command: readonly string[], port: number, nodeFlags: readonly string[]): string[] {
  const words = command.map((word) => word.replaceAll('{port}', String(port)))
  if (!command.some((word) => word.includes('{port}'))) words.push('--port', String(port))
  if (/(^|\/)node$/.test(words[0]!)) words.splice(1, 0, ...nodeFlags)
  return words
}

/** Whether anything answers a PING there: an error (LOADING aside) is an answer too. */
async function answers(address: Address): Promise<boolean> {
  let connection: Connection | null = null
  try {
    connection = await Connection.open(address)
    await connection.call('PING')
    return true
  } catch (error) {
    return connection !== null && !/LOADING|closed/.test(String(error))
  } finally {
    connection?.close()
  }
}

/** A port nobody listens on: any (base 0), or the first free one from the base up. */
async function freePort(base: number): Promise<number> {
  for (let port = base; port < base + 100; port++) {
    const found = await tryPort(port)
    if (found !== 0) return found
  }
  throw new Error(`no free port from ${base} to ${base + 99}`)
}

function tryPort(port: number): Promise<number> {
  return new Promise((resolve) => {
    const listener = createServer()
    listener.once('error', () => resolve(0))
    listener.listen(port, '127.0.0.1', () => {
      const address = listener.address()
      listener.close(() => resolve(address !== null && typeof address === 'object' ? address.port : 0))
    })
  })
}

let ticksPerSecond = 0

/** User and system time of all threads, those that ended included. Resolution: a clock tick, mostly 10 ms. */
function processCpuUs(pid: number): number {
  if (ticksPerSecond === 0) ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'latin1' }))
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // From field 3 on: the name may hold spaces.
  return ((Number(fields[11]) + Number(fields[12])) / ticksPerSecond) * 1e6
}

function processWaitUs(pid: number): number {
  const path = `/proc/${pid}/schedstat`
  if (!existsSync(path)) return 0
  return Number(readFileSync(path, 'latin1').split(' ')[1]) / 1000
}
