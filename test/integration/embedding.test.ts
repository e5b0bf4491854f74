/* The server inside another program: src/index.ts here, and what is built of it in a program of its own. */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer as createNetServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createServer, type Logger, type RunningServer, type ServerOptions } from '../../src/index.ts'
import { RawClient } from '../helpers/raw-client.ts'
import { ask, OK } from './support.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

async function start(options: ServerOptions = {}): Promise<RunningServer> {
  const server = await createServer(options)
  onTestFinished(() => server.close())
  return server
}

async function connect(server: RunningServer): Promise<RawClient> {
  const client = await RawClient.connect(server.port)
  onTestFinished(() => client.close())
  return client
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'cinnabar-embedding-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Whether the port can be listened on. */
function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createNetServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

describe('createServer', () => {
  test('serves at a free port of this machine, until it is closed', async () => {
    const server = await createServer()
    expect(await isFree(server.port)).toBe(false)
    const redis = new Redis(server.port)
    expect(await redis.set('k', 'v')).toBe('OK')
    expect(await redis.config('GET', 'port')).toEqual(['port', String(server.port)])
    expect(await redis.config('GET', 'bind')).toEqual(['bind', '127.0.0.1'])
    redis.disconnect()
    const client = await connect(server)
    await server.close()
    await client.closed
    expect(await isFree(server.port)).toBe(true)
    await server.close()
  })

  test('starts several, each with its own data and configuration', async () => {
    const servers = await Promise.all(['1mb', '2mb', '3mb'].map((maxmemory) => start({ config: { maxmemory } })))
    expect(new Set(servers.map(({ port }) => port)).size).toBe(3)
    const clients = await Promise.all(servers.map(connect))
    for (const [index, client] of clients.entries()) expect(await ask(client, 'SET', `key:${index}`, index)).toBe(OK)
    for (const [index, client] of clients.entries()) {
      expect(await ask(client, 'KEYS', '*')).toBe(`*1\r\n$5\r\nkey:${index}\r\n`)
      expect(await ask(client, 'CONFIG', 'GET', 'maxmemory')).toContain(String((index + 1) * 1024 * 1024))
    }
    await servers[0]!.close()
    expect(await ask(clients[1]!, 'PING')).toBe('+PONG\r\n')
  })

  test('listens where it is told to', async () => {
    const { port } = await start()
    const dir = directory()
    const local = await start({ config: { unixsocket: 'sock', port: '0', dir } })
    expect(local.port).toBe(0)
    const client = await RawClient.connect({ path: join(dir, 'sock') })
    onTestFinished(() => client.close())
    expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    await expect(createServer({ port })).rejects.toThrow(`127.0.0.1:${port}: bind: Address already in use`)
    await expect(createServer({ host: '192.0.2.1' })).rejects.toThrow('Cannot assign requested address')
  })

  test('takes directives as redis.conf has them', async () => {
    const server = await start({
      config: {
        requirepass: 'grüß "gott"',
        save: ['900', '1', '300', '10'],
        'client-output-buffer-limit': 'normal 1mb 2mb 60',
        'rename-command': ['FLUSHALL', 'WIPE'],
      },
    })
    const client = await connect(server)
    expect(await ask(client, 'PING')).toMatch(/^-NOAUTH/)
    expect(await ask(client, 'AUTH', 'grüß "gott"')).toBe(OK)
    expect(await ask(client, 'CONFIG', 'GET', 'save')).toContain('900 1 300 10')
    expect(await ask(client, 'CONFIG', 'GET', 'client-output-buffer-limit')).toContain('normal 1048576 2097152 60')
    expect(await ask(client, 'FLUSHALL')).toMatch(/^-ERR unknown command/)
    expect(await ask(client, 'WIPE')).toBe(OK)
  })

  test.each<[ServerOptions, string]>([
    [{ config: { colour: 'red' } }, 'colour: Bad directive or wrong number of arguments'],
    [{ config: { timeout: 'x' } }, "timeout: argument couldn't be parsed into an integer"],
    [{ config: { timeout: ['1', '2'] } }, 'timeout: wrong number of arguments'],
    [{ config: { dir: '/nonexistent' } }, 'dir: No such file or directory'],
    [{ port: 70_000 }, 'port: argument must be between 0 and 65535 inclusive'],
  ])('says what is wrong with %j', async (options, message) => {
    await expect(createServer(options)).rejects.toThrow(message)
  })

  test('logs to the log that it is given', async () => {
    const lines: string[] = []
    const note = (message: string): void => void lines.push(message)
    const log: Logger = { level: 'info', trace: note, debug: note, info: note, warn: note, error: note, fatal: note }
    const server = await createServer({ log })
    await server.close()
    expect(lines).toContain('Redis is now ready to exit, bye bye...')
  })

  test('keeps its data where dir says, and nowhere else', async () => {
    const dir = directory()
    const config = { dir, save: '3600 1' }
    const before = process.cwd()
    const first = await createServer({ config })
    expect(await ask(await connect(first), 'SET', 'kept', 'v')).toBe(OK)
    await first.close()
    expect(existsSync(join(dir, 'dump.rdb'))).toBe(true)
    const second = await start({ config })
    const client = await connect(second)
    expect(await ask(client, 'GET', 'kept')).toBe('$1\r\nv\r\n')
    expect(await ask(client, 'CONFIG', 'SET', 'dir', tmpdir())).toMatch(/^(\+OK|-ERR CONFIG SET failed.*protected)/)
    expect(process.cwd()).toBe(before)

    process.chdir(dir)
    onTestFinished(() => process.chdir(before))
    const stranger = await start({ config: { save: '3600 1' } })
    expect(await ask(await connect(stranger), 'DBSIZE')).toBe(':0\r\n')
  })

  test('ends alone when a client says SHUTDOWN', async () => {
    const server = await createServer()
    const client = await connect(server)
    client.send('SHUTDOWN\r\n')
    await client.closed
    await server.close()
    expect(await isFree(server.port)).toBe(true)
  })

  test('goes on if its data cannot be saved', async () => {
    const dir = directory()
    const server = await createServer({ config: { dir, save: '3600 1', dbfilename: 'dump.rdb' } })
    const client = await connect(server)
    expect(await ask(client, 'SET', 'k', 'v')).toBe(OK)
    rmSync(dir, { recursive: true })
    await expect(server.close()).rejects.toThrow('The data could not be saved; the log says why.')
    expect(await ask(client, 'GET', 'k')).toBe('$1\r\nv\r\n')
    mkdirSync(dir)
    await server.close()
  })
})

describe('the package', () => {
  /** A directory whose programs can import 'cinnabar'. */
  function project(): string {
    const dir = directory()
    mkdirSync(join(dir, 'node_modules'))
    symlinkSync(root, join(dir, 'node_modules', 'cinnabar'))
    return dir
  }

  test('lets a program that closes its servers end, quietly', async () => {
    const dir = project()
    writeFileSync(
      join(dir, 'program.mjs'),
      `import { createServer } from 'cinnabar'
       import { connect } from 'node:net'
       const servers = await Promise.all([createServer(), createServer({ config: { maxmemory: '10mb' } })])
       const sockets = servers.map(({ port }) => connect(port, '127.0.0.1'))
       sockets[0].write('CLIENT PAUSE 100000\\r\\nPING\\r\\n')
       sockets[1].write('SET k v PX 100000\\r\\nMONITOR\\r\\n')
       await new Promise((resolve) => setTimeout(resolve, 300))
       for (const server of servers) await server.close()`,
    )
    const { stdout, stderr } = await run(process.execPath, [join(dir, 'program.mjs')], { timeout: 60_000 })
    expect([stdout, stderr]).toEqual(['', ''])
  })

  test('has types that a program can be checked with', async () => {
    await run(process.execPath, ['build.mjs'], { cwd: root })
    const dir = project()
    writeFileSync(
      join(dir, 'program.mts'),
      `import { createServer, type RunningServer, type ServerOptions } from 'cinnabar'
       const options: ServerOptions = { port: 0, host: ['127.0.0.1'], config: { save: ['900', '1'] }, log: false }
       const server: RunningServer = await createServer(options)
       export const port: number = server.port
       await server.close()
       // @ts-expect-error: a port is a number
       await createServer({ port: '6379' })
       // @ts-expect-error: there is no such option
       await createServer({ colour: 'red' })`,
    )
    const tsc = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')
    const flags = ['--strict', '--exactOptionalPropertyTypes', '--module', 'nodenext', '--target', 'es2022', '--noEmit']
    await run(process.execPath, [tsc, ...flags, 'program.mts'], { cwd: dir }).catch(({ stdout }) => {
      throw new Error(String(stdout))
    })
  })
})
