/* Saving while the server goes on: what the file holds, what INFO and the log tell, and what happens when it fails or
 * is not wanted any more. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK } from './support.ts'

const STARTED = '+Background saving started\r\n'
const DEBUG = ['--enable-debug-command', 'yes', '--enable-protected-configs', 'yes']

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-bgsave-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function start(dir: string, ...args: string[]): Promise<TestServer> {
  const server = await startCinnabar({ dir, args: [...DEBUG, ...args] })
  onTestFinished(async () => {
    if (!server.hasExited) await server.stop('SIGKILL')
  })
  return server
}

type Client = Awaited<ReturnType<typeof connect>>

async function info(client: Client): Promise<Record<string, string>> {
  const lines = body(await ask(client, 'INFO', 'persistence')).split('\r\n')
  return Object.fromEntries(lines.map((line) => line.split(':') as [string, string]))
}

const ended = (client: Client) => eventually(async () => (await info(client)).rdb_bgsave_in_progress === '0')
const temporary = (dir: string) => readdirSync(dir).filter((name) => name.startsWith('temp-'))

test('a background save holds what was there when it began', async () => {
  const dir = directory()
  const server = await start(dir)
  const client = await connect(server)
  await ask(client, 'DEBUG', 'POPULATE', '2000', 'key', '10')
  const digest = await ask(client, 'DEBUG', 'DIGEST')
  await ask(client, 'CONFIG', 'SET', 'rdb-key-save-delay', '1500')
  expect(await ask(client, 'BGSAVE')).toBe(STARTED)
  expect(await ask(client, 'BGSAVE')).toBe('-ERR Background save already in progress\r\n')
  expect(await ask(client, 'SAVE')).toBe('-ERR Background save already in progress\r\n')
  const { rdb_bgsave_in_progress, current_save_keys_total } = await info(client)
  expect({ rdb_bgsave_in_progress, current_save_keys_total }).toEqual({
    rdb_bgsave_in_progress: '1',
    current_save_keys_total: '2000',
  })
  expect(temporary(dir)).toHaveLength(1)
  for (let key = 0; key < 2000; key += 2) await ask(client, 'SET', `key:${key}`, 'changed')
  await ask(client, 'FLUSHDB')
  await ask(client, 'SET', 'later', '1')
  await ended(client)
  const after = await info(client)
  expect(after.rdb_last_bgsave_status).toBe('ok')
  expect(after.rdb_changes_since_last_save).toBe('3001')
  expect(after.current_save_keys_total).toBe('0')
  expect(temporary(dir)).toEqual([])
  await server.stop('SIGKILL')
  const again = await start(dir)
  expect(await ask(await connect(again), 'DEBUG', 'DIGEST')).toBe(digest)
})

test('FLUSHALL ends a save, and saves the empty data if there are save points', async () => {
  const dir = directory()
  const server = await start(dir)
  const client = await connect(server)
  await ask(client, 'DEBUG', 'POPULATE', '500')
  await ask(client, 'CONFIG', 'SET', 'rdb-key-save-delay', '10000000')
  await ask(client, 'BGSAVE')
  expect(await ask(client, 'FLUSHALL')).toBe(OK)
  expect(await info(client)).toMatchObject({ rdb_bgsave_in_progress: '0', rdb_last_bgsave_status: 'ok' })
  expect(readdirSync(dir)).toEqual([])
  await ask(client, 'CONFIG', 'SET', 'rdb-key-save-delay', '0')
  await ask(client, 'CONFIG', 'SET', 'save', '900 1000000')
  await ask(client, 'SET', 'key', 'value')
  await ask(client, 'FLUSHALL')
  expect(existsSync(join(dir, 'dump.rdb'))).toBe(true)
  expect((await info(client)).rdb_changes_since_last_save).toBe('0')
  await ask(client, 'SET', 'key', 'value')
  expect(await ask(client, 'BGSAVE')).toBe(STARTED)
  await ended(client)
})

test('a save point is acted upon', async () => {
  const dir = directory()
  const server = await start(dir, '--save', '1 3')
  const client = await connect(server)
  await ask(client, 'SET', 'a', '1')
  await ask(client, 'SET', 'b', '1')
  await ask(client, 'SET', 'c', '1')
  await eventually(() => existsSync(join(dir, 'dump.rdb')))
  await ended(client)
  await server.waitForLog(/3 changes in 1 seconds\. Saving\.\.\./)
  expect((await info(client)).rdb_changes_since_last_save).toBe('0')
})

test('SHUTDOWN ends a save under way', async () => {
  const dir = directory()
  const server = await start(dir)
  const client = await connect(server)
  await ask(client, 'DEBUG', 'POPULATE', '500')
  await ask(client, 'CONFIG', 'SET', 'rdb-key-save-delay', '10000000')
  await ask(client, 'BGSAVE')
  expect(temporary(dir)).toHaveLength(1)
  void client.send(encode('SHUTDOWN', 'NOSAVE'))
  expect(await server.exited).toMatchObject({ code: 0 })
  expect(readdirSync(dir)).toEqual([])
  expect(server.log()).toContain('There is a child saving an .rdb. Killing it!')
})

test('in a transaction a save waits until it is over', async () => {
  const server = await start(directory())
  const client = await connect(server)
  await ask(client, 'MULTI')
  await ask(client, 'SET', 'a', '1')
  await ask(client, 'BGSAVE')
  await ask(client, 'SET', 'b', '2')
  expect(await ask(client, 'EXEC')).toContain('+Background saving scheduled')
  await eventually(async () => (await info(client)).rdb_changes_since_last_save === '0')
})

test('when a save fails, writes are refused until one succeeds', async () => {
  const dir = directory()
  const server = await start(dir, '--save', '900 1000000')
  mkdirSync(join(dir, 'dump.rdb')) // a file cannot take its place, whoever tries
  const client = await connect(server)
  await ask(client, 'SET', 'key', 'value')
  expect(await ask(client, 'BGSAVE')).toBe(STARTED)
  await ended(client)
  expect((await info(client)).rdb_last_bgsave_status).toBe('err')
  expect(temporary(dir)).toEqual([])
  expect(await ask(client, 'SET', 'key', 'other')).toMatch(/^-MISCONF Redis is configured to save RDB snapshots/)
  expect(await ask(client, 'PING')).toMatch(/^-MISCONF/)
  expect(await ask(client, 'GET', 'key')).toContain('value')
  await ask(client, 'MULTI')
  expect(await ask(client, 'INCR', 'n')).toMatch(/^-MISCONF/)
  expect(await ask(client, 'EXEC')).toMatch(/^-EXECABORT/)
  await ask(client, 'CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'no')
  expect(await ask(client, 'PING')).toBe('+PONG\r\n')
  await ask(client, 'CONFIG', 'SET', 'stop-writes-on-bgsave-error', 'yes')
  expect(await ask(client, 'PING')).toMatch(/^-MISCONF/)
  rmSync(join(dir, 'dump.rdb'), { recursive: true })
  await ask(client, 'BGSAVE')
  await ended(client)
  expect(await ask(client, 'SET', 'key', 'other')).toBe(OK)
  expect(statSync(join(dir, 'dump.rdb')).isFile()).toBe(true)
})

test('a directory that is gone makes a save fail at once', async () => {
  const dir = join(directory(), 'data')
  mkdirSync(dir)
  const server = await start(dir)
  const client = await connect(server)
  await ask(client, 'SET', 'key', 'value')
  rmSync(dir, { recursive: true })
  expect(await ask(client, 'BGSAVE')).toMatch(/^-ERR/)
  expect((await info(client)).rdb_last_bgsave_status).toBe('err')
  await server.waitForLog(/Failed opening the temp RDB file/)
  mkdirSync(dir)
  chmodSync(dir, 0o755)
  expect(await ask(client, 'BGSAVE')).toBe(STARTED)
  await ended(client)
  expect(readdirSync(dir)).toEqual(['dump.rdb'])
})
