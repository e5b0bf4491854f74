/* While the data is loaded at the start, clients are answered: with LOADING, or with what does not need the data. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK } from './support.ts'

const LOADING = '-LOADING Redis is loading the dataset in memory\r\n'

async function start(dir: string, wait: boolean, ...args: string[]): Promise<TestServer> {
  const server = await startCinnabar({ dir, wait, args: ['--enable-debug-command', 'yes', ...args] })
  onTestFinished(async () => {
    if (!server.hasExited) await server.stop('SIGKILL')
  })
  return server
}

/** A server that takes long to load its 1000 keys. */
async function startSlowly(): Promise<{ server: TestServer; dir: string; digest: string }> {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-load-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const before = await start(dir, true)
  const client = await connect(before)
  await ask(client, 'DEBUG', 'POPULATE', '1000')
  const digest = await ask(client, 'DEBUG', 'DIGEST')
  await ask(client, 'SAVE')
  await before.stop('SIGKILL')
  const server = await start(dir, false, '--key-load-delay', '30000', '--save', '900 1')
  await eventually(() => server.log().includes('Loading RDB produced by'))
  return { server, dir, digest }
}

test('clients are answered while the data is loaded', async () => {
  const { server, digest } = await startSlowly()
  const client = await connect(server)
  expect(await ask(client, 'GET', 'key:1')).toBe(LOADING)
  expect(await ask(client, 'PING')).toBe(LOADING)
  await ask(client, 'MULTI')
  expect(await ask(client, 'SET', 'key:1', 'x')).toBe(LOADING)
  expect(await ask(client, 'EXEC')).toMatch(/^-EXECABORT/)
  expect(await ask(client, 'CONFIG', 'SET', 'maxmemory-samples', '7')).toBe(OK)
  const info = body(await ask(client, 'INFO', 'persistence'))
  expect(info).toMatch(/^loading:1\r$/m)
  expect(info).toMatch(/^loading_total_bytes:[1-9]\d+\r$/m)
  expect(info).toMatch(/^loading_rdb_used_mem:[1-9]\d+\r$/m)
  const loaded = Number(/^loading_loaded_bytes:(\d+)\r$/m.exec(info)?.[1])
  const total = Number(/^loading_total_bytes:(\d+)\r$/m.exec(info)?.[1])
  expect(loaded).toBeLessThan(total)
  expect(info).toMatch(/^loading_loaded_perc:\d+\.\d\d\r$/m)
  expect(info).toMatch(/^loading_eta_seconds:\d+\r$/m)
  expect(await ask(client, 'CONFIG', 'SET', 'key-load-delay', '0')).toBe(OK)
  await eventually(async () => (await ask(client, 'PING')) === '+PONG\r\n')
  expect(await ask(client, 'DEBUG', 'DIGEST')).toBe(digest)
  expect(body(await ask(client, 'INFO', 'persistence'))).not.toContain('loading_total_bytes')
})

test('a signal to end during the load leaves the file as it is', async () => {
  const { server, dir } = await startSlowly()
  const before = readFileSync(join(dir, 'dump.rdb'))
  const { code } = await server.stop('SIGTERM')
  expect(code).toBe(0)
  expect(server.log()).toContain('Received shutdown signal during loading, exiting now.')
  expect(readFileSync(join(dir, 'dump.rdb')).equals(before)).toBe(true)
})

test('while a script of the append-only file takes long, DEBUG LOADAOF answers others with LOADING', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-load-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const log = ['--appendonly', 'yes', '--aof-use-rdb-preamble', 'no', '--busy-reply-threshold', '1']
  const server = await start(dir, true, ...log)
  const client = await connect(server)
  const words = ['EVAL', "redis.call('SET', KEYS[1], 'y') for i = 1, 1500000 do redis.call('PING') end", '1', 'x']
  const text = words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')
  appendFileSync(join(dir, 'appendonlydir/appendonly.aof.1.incr.aof'), `*${words.length}\r\n${text}`)
  const other = await connect(server)
  expect(await ask(other, 'PING')).toBe('+PONG\r\n') // it has been accepted, which the script would not let happen
  const reloaded = ask(client, 'DEBUG', 'LOADAOF')
  const replies = new Set<string>()
  await eventually(async () => replies.add(await ask(other, 'PING')).has(LOADING))
  expect(await reloaded).toBe(OK)
  expect([...replies].filter((reply) => reply.startsWith('-'))).toEqual([LOADING])
  expect(body(await ask(other, 'GET', 'x'))).toBe('y')
})
