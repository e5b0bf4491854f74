/* A real redis-server for the differential tests, running on a Unix socket: no port, so no conflicts. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { temporaryDirectory } from './support.ts'

export interface RedisServer {
  readonly path: string
  /** [7, 2, 4] */
  readonly version: readonly number[]
}

/** The one that REDIS_SERVER names, or the one on the PATH. */
export function redisServer(): RedisServer {
  const path = process.env['REDIS_SERVER'] ?? 'redis-server'
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' })
  const version = /v=([0-9.]+)/.exec(stdout ?? '')?.[1] ?? '0'
  return { path, version: version.split('.').map(Number) }
}

export class RedisProcess {
  readonly directory: string
  readonly socket: string
  private readonly child: ChildProcess
  private readonly client: Redis

  private constructor(directory: string, child: ChildProcess, socket: string, password: string | undefined) {
    this.directory = directory
    this.child = child
    this.socket = socket
    this.client = new Redis({ path: socket, lazyConnect: true, retryStrategy: null, ...(password ? { password } : {}) })
    this.client.on('error', () => {}) // a command that fails says so itself
  }

  /** Starts one in a directory of its own. `password`: what its configuration asks for. */
  static async start(server: RedisServer, args: readonly string[], password?: string): Promise<RedisProcess> {
    const directory = temporaryDirectory()
    const socket = join(directory, 'redis.sock')
    const child = spawn(server.path, [...args, '--port', '0', '--unixsocket', socket], {
      cwd: directory,
      stdio: 'ignore',
      env: { PATH: process.env['PATH'] },
    })
    const process_ = new RedisProcess(directory, child, socket, password)
    try {
      for (let tries = 0; !(await accepts(socket)); tries++) {
        if (tries === 500 || child.exitCode !== null) throw new Error(`did not start with ${args.join(' ')}`)
        await sleep(10)
      }
      await process_.client.connect()
    } catch (error) {
      await process_.stop()
      throw error
    }
    return process_
  }

  /** The reply as byte strings, an error as its text. */
  async call(...args: readonly string[]): Promise<unknown> {
    const [command = '', ...rest] = args.map((arg) => Buffer.from(arg, 'latin1'))
    try {
      return toByteStrings(await this.client.callBuffer(command.toString(), ...rest))
    } catch (error) {
      return error instanceof Error ? error.message : error
    }
  }

  async configGet(...patterns: readonly string[]): Promise<Map<string, string>> {
    const flat = (await this.call('CONFIG', 'GET', ...patterns)) as readonly string[]
    const settings = new Map<string, string>()
    for (let i = 0; i < flat.length; i += 2) settings.set(flat[i] ?? '', flat[i + 1] ?? '')
    return settings
  }

  async stop(): Promise<void> {
    this.client.disconnect()
    if (this.child.exitCode !== null) return
    const ended = new Promise((resolve) => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')
    await ended
  }
}

/** Whether somebody listens there. The file alone says little: it is there before anybody does. */
function accepts(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket)
    probe.once('error', () => resolve(false))
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
  })
}

function toByteStrings(reply: unknown): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1')
  return Array.isArray(reply) ? reply.map(toByteStrings) : reply
}

/** What a server that must not start says on stderr. */
export function redisRefusal(server: RedisServer, args: readonly string[]): string {
  const { stderr, status } = spawnSync(server.path, args, { encoding: 'latin1', timeout: 5000, env: {} })
  return status === 1 ? stderr : `exit ${status}`
}
