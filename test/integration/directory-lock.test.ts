/* Two servers in one directory: the second must not write over the first one's data. */
import { existsSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, connect, eventually, OK } from './support.ts'

const SAVING = ['--save', '900 1']

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-lock-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function start(dir: string, args: readonly string[], wait = true): Promise<TestServer> {
  const server = await startCinnabar({ dir, args, wait })
  onTestFinished(async () => {
    if (!server.hasExited) await server.stop('SIGKILL')
  })
  return server
}

const lockOf = (dir: string) => join(dir, '.dump.rdb.lock')

test('a second server that would save to the same file does not start', async () => {
  const dir = directory()
  const first = await start(dir, SAVING)
  const second = await start(dir, SAVING, false)
  expect((await second.exited).code).toBe(1)
  expect(second.log()).toMatch(/Another server \(PID \d+ on .*\) uses the files in this directory/)
  await start(dir, [...SAVING, '--dbfilename', 'other.rdb'])
  const client = await connect(first)
  await ask(client, 'SET', 'key', 'value')
  await first.stop('SIGTERM')
  expect(existsSync(lockOf(dir))).toBe(false)
  await start(dir, SAVING)
})

test('servers that save nothing by themselves may share a directory, but not write over its owner’s file', async () => {
  const dir = directory()
  await start(dir, [...SAVING, '--appendonly', 'yes'])
  const other = await start(dir, ['--save', ''])
  const client = await connect(other)
  expect(await ask(client, 'SAVE')).toMatch(/^-ERR/)
  expect(await ask(client, 'BGSAVE')).toMatch(/^-ERR/)
  expect(await ask(client, 'BGREWRITEAOF')).toMatch(/^-ERR/)
  expect(await ask(client, 'CONFIG', 'SET', 'save', '900 1')).toMatch(/^-ERR CONFIG SET failed/)
  expect(await ask(client, 'CONFIG', 'SET', 'appendonly', 'yes')).toMatch(/^-ERR CONFIG SET failed/)
  await other.waitForLog(/uses the files in this directory/)
  await start(dir, ['--save', '', '--appendonly', 'yes', '--appendfilename', 'other.aof']) // which writes no RDB file
  const elsewhere = directory()
  await start(elsewhere, ['--save', ''])
  const third = await start(elsewhere, ['--save', ''])
  expect(await ask(await connect(third), 'SAVE')).toBe(OK)
})

test('append-only files are one server’s, though each has an RDB file of its own', async () => {
  const dir = directory()
  const log = ['--appendonly', 'yes', '--dbfilename']
  const first = await start(dir, [...log, 'first.rdb'])
  const second = await start(dir, [...log, 'second.rdb'], false)
  expect((await second.exited).code).toBe(1)
  expect(second.log()).toContain('uses the files in this directory')
  const third = await start(dir, ['--save', '', '--dbfilename', 'third.rdb'])
  const client = await connect(third)
  expect(await ask(client, 'BGREWRITEAOF')).toMatch(/^-ERR/)
  expect(await ask(client, 'CONFIG', 'SET', 'appendonly', 'yes')).toMatch(/^-ERR CONFIG SET failed/)
  await start(dir, [...log, 'fourth.rdb', '--appendfilename', 'other.aof'])
  await first.stop('SIGTERM')
  expect(await ask(client, 'CONFIG', 'SET', 'appendonly', 'yes')).toBe(OK)
})

test('the lock of a server that was killed is in nobody’s way', async () => {
  const dir = directory()
  const first = await start(dir, SAVING)
  await first.stop('SIGKILL')
  expect(existsSync(lockOf(dir))).toBe(true)
  await start(dir, SAVING)
})

test('a server in another container holds its lock while it touches it', async () => {
  const dir = directory()
  const first = await start(dir, SAVING)
  const holder = JSON.parse(readFileSync(lockOf(dir), 'utf8'))
  await first.stop('SIGKILL')
  writeFileSync(lockOf(dir), JSON.stringify({ ...holder, space: 'pid:[1]', host: 'elsewhere' }))
  const touching = setInterval(() => utimesSync(lockOf(dir), Date.now() / 1000, Date.now() / 1000), 500)
  const second = await start(dir, SAVING, false)
  expect((await second.exited).code).toBe(1)
  clearInterval(touching)
  const third = await start(dir, SAVING, false)
  await eventually(() => third.log().includes('Ready to accept connections'))
})

test('a lock that nobody can read is taken', async () => {
  const dir = directory()
  writeFileSync(lockOf(dir), '{"pid": 4')
  const server = await start(dir, SAVING)
  const client = await connect(server)
  await ask(client, 'CONFIG', 'SET', 'save', '')
  await server.stop('SIGTERM')
  expect(existsSync(lockOf(dir))).toBe(false)
})
