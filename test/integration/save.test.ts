/* What is saved is there after a restart, however the server ended; what cannot be saved or loaded is said, and nothing
 * that was there before is lost. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK } from './support.ts'

const SHUTDOWN_FAILED = '-ERR Errors trying to SHUTDOWN. Check logs.\r\n'

/** A directory that outlives the servers of a test. */
function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-save-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** A server that is gone when the test is. */
async function start(dir: string, ...args: string[]): Promise<TestServer> {
  const server = await startCinnabar({ dir, args })
  onTestFinished(async () => {
    if (!server.hasExited) await server.stop('SIGKILL')
  })
  return server
}

/** Starts a server that must not come up; its exit code and log. */
async function startInVain(dir: string, ...args: string[]): Promise<{ code: number | null; log: string }> {
  const server = await startCinnabar({ dir, args, wait: false })
  const { code } = await server.exited
  return { code, log: server.log() }
}

const dumpOf = (dir: string, name = 'dump.rdb'): Buffer => readFileSync(join(dir, name))

async function persistence(server: TestServer): Promise<Record<string, string>> {
  const client = await connect(server)
  const lines = body(await ask(client, 'INFO', 'persistence')).split('\r\n')
  return Object.fromEntries(lines.map((line) => line.split(':') as [string, string]))
}

describe('SAVE', () => {
  test('writes what the next start loads', async () => {
    const dir = directory()
    const server = await start(dir, '--enable-debug-command', 'yes')
    const client = await connect(server)
    await ask(client, 'DEBUG', 'SET-ACTIVE-EXPIRE', '0') // what lives shortly is to be in the file
    const binary = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    await ask(client, 'SET', binary, binary)
    await ask(client, 'SET', 'number', '12345')
    await ask(client, 'SET', 'expiring', 'x', 'PXAT', '4000000000000')
    await ask(client, 'SELECT', '15')
    await ask(client, 'SET', 'long', 'abc'.repeat(50_000))
    const started = (await persistence(server))['rdb_last_save_time']
    await sleep(1100)
    await ask(client, 'SELECT', '0')
    await ask(client, 'SET', 'short-lived', 'x', 'PX', '400')
    expect(await ask(client, 'SAVE')).toBe(OK)
    await server.waitForLog(/DB saved on disk/)
    const told = await persistence(server)
    expect(told).toMatchObject({ rdb_changes_since_last_save: '0', rdb_saves: '1', rdb_last_bgsave_status: 'ok' })
    expect(Number(told['rdb_last_save_time'])).toBeGreaterThan(Number(started))
    expect(await ask(client, 'LASTSAVE')).toBe(`:${told['rdb_last_save_time']}\r\n`)
    await ask(client, 'SET', 'later', 'lost')
    expect(await persistence(server)).toMatchObject({ rdb_changes_since_last_save: '1' })
    await server.stop('SIGKILL')
    await sleep(500)

    const next = await start(dir)
    const again = await connect(next)
    expect(await ask(again, 'GET', binary)).toBe(`$256\r\n${binary.toString('latin1')}\r\n`)
    expect(await ask(again, 'OBJECT', 'ENCODING', 'number')).toBe('$3\r\nint\r\n')
    expect(await ask(again, 'PEXPIRETIME', 'expiring')).toBe(':4000000000000\r\n')
    expect(await ask(again, 'EXISTS', 'later', 'short-lived')).toBe(':0\r\n')
    await ask(again, 'SELECT', '15')
    expect(await ask(again, 'STRLEN', 'long')).toBe(':150000\r\n')
    expect(await persistence(next)).toMatchObject({
      loading: '0',
      rdb_last_load_keys_loaded: '4',
      rdb_last_load_keys_expired: '1',
      rdb_changes_since_last_save: '0',
    })
    expect(next.log()).toContain('Loading RDB produced by version 7.2.4')
    expect(next.log()).toContain('Done loading RDB, keys loaded: 4, keys expired: 1.')
    expect(next.log()).toMatch(/DB loaded from disk: \d+\.\d{3} seconds/)
  })

  test('goes by dbfilename and dir as they are now, and leaves no other file behind', async () => {
    const dir = directory()
    const server = await start(dir, '--enable-protected-configs', 'yes')
    const client = await connect(server)
    await ask(client, 'SET', 'a', '1')
    expect(await ask(client, 'CONFIG', 'SET', 'dbfilename', 'other é.rdb')).toBe(OK)
    expect(await ask(client, 'SAVE')).toBe(OK)
    expect(readdirSync(dir)).toEqual(['other é.rdb'])
    mkdirSync(join(dir, 'sub'))
    await ask(client, 'CONFIG', 'SET', 'dir', join(dir, 'sub'), 'dbfilename', 'third.rdb')
    expect(await ask(client, 'SAVE')).toBe(OK)
    expect(readdirSync(join(dir, 'sub'))).toEqual(['third.rdb'])
    await server.stop()
    const next = await start(dir, '--dbfilename', 'other é.rdb')
    expect(await ask(await connect(next), 'GET', 'a')).toBe('$1\r\n1\r\n')
  })

  test('compresses and adds a checksum unless told otherwise', async () => {
    const dir = directory()
    const server = await start(dir, '--rdbchecksum', 'no')
    const client = await connect(server)
    await ask(client, 'SET', 'a', 'x'.repeat(10_000))
    await ask(client, 'SAVE')
    expect(dumpOf(dir).length).toBeLessThan(1000)
    expect(dumpOf(dir).subarray(-9)).toEqual(Buffer.from('\xff\0\0\0\0\0\0\0\0', 'latin1'))
    await ask(client, 'CONFIG', 'SET', 'rdbcompression', 'no')
    await ask(client, 'SAVE')
    expect(dumpOf(dir).length).toBeGreaterThan(10_000)
  })

  test('is refused in a transaction, and knows no arguments', async () => {
    const server = await start(directory())
    const client = await connect(server)
    expect(await ask(client, 'SAVE', 'now')).toBe("-ERR wrong number of arguments for 'save' command\r\n")
    expect(await ask(client, 'LASTSAVE', 'x')).toBe("-ERR wrong number of arguments for 'lastsave' command\r\n")
  })
})

describe('the end', () => {
  test.each<[string, string[], (server: TestServer) => Promise<void>, boolean]>([
    ['SIGTERM with save points', ['--save', '900 1'], (server) => signal(server, 'SIGTERM'), true],
    ['SIGINT with save points', ['--save', '900 1'], (server) => signal(server, 'SIGINT'), true],
    ['SIGTERM without save points', [], (server) => signal(server, 'SIGTERM'), false],
    ['SIGTERM that is to save', ['--shutdown-on-sigterm', 'save'], (server) => signal(server, 'SIGTERM'), true],
    [
      'SIGINT that is not to save',
      ['--save', '900 1', '--shutdown-on-sigint', 'nosave'],
      (server) => signal(server, 'SIGINT'),
      false,
    ],
    ['SHUTDOWN with save points', ['--save', '900 1'], (server) => shutdown(server), true],
    ['SHUTDOWN without save points', [], (server) => shutdown(server), false],
    ['SHUTDOWN SAVE', [], (server) => shutdown(server, 'SAVE'), true],
    ['SHUTDOWN NOSAVE', ['--save', '900 1'], (server) => shutdown(server, 'NOSAVE'), false],
    ['SIGKILL', ['--save', '900 1'], (server) => signal(server, 'SIGKILL'), false],
  ])('by %s', async (name, args, end, saves) => {
    const dir = directory()
    const server = await start(dir, ...args)
    await ask(await connect(server), 'SET', 'a', '1')
    await end(server)
    expect((await server.exited).code).toBe(name === 'SIGKILL' ? null : 0)
    expect(server.log().includes('Saving the final RDB snapshot before exiting.')).toBe(saves)
    expect(existsSync(join(dir, 'dump.rdb'))).toBe(saves)
    if (!saves) return
    expect(server.log()).toMatch(/DB saved on disk(.|\n)*Redis is now ready to exit, bye bye\.\.\./)
    expect(await ask(await connect(await start(dir)), 'GET', 'a')).toBe('$1\r\n1\r\n')
  })

  async function signal(server: TestServer, name: NodeJS.Signals): Promise<void> {
    server.process.kill(name)
  }

  async function shutdown(server: TestServer, ...words: string[]): Promise<void> {
    const client = await connect(server)
    client.send(`SHUTDOWN ${words.join(' ')}\r\n`)
    await client.closed
  }

  test('does not come when the data cannot be saved, except by force', async () => {
    const dir = directory()
    const server = await start(dir, '--save', '900 1')
    const client = await connect(server)
    await ask(client, 'SET', 'a', '1')
    const obstacle = join(dir, `temp-${server.pid}.rdb`)
    mkdirSync(obstacle) // no file can be opened there
    expect(await ask(client, 'SHUTDOWN')).toBe(SHUTDOWN_FAILED)
    await server.waitForLog(/Errors trying to shut down the server\. Check the logs for more information\./)
    const failure = `Failed opening the temp RDB file temp-${server.pid}.rdb (in server root dir ${dir})`
    expect(server.log()).toContain(failure)
    expect(server.log()).toContain("Error trying to save the DB, can't exit.")
    expect(await ask(client, 'SHUTDOWN', 'SAVE')).toBe(SHUTDOWN_FAILED)
    expect(await ask(client, 'SAVE')).toBe('-ERR\r\n')
    server.process.kill('SIGTERM')
    await eventually(() => server.log().split("can't exit.").length === 4, 'a third refusal')
    expect(await ask(client, 'GET', 'a')).toBe('$1\r\n1\r\n')
    expect(await persistence(server)).toMatchObject({ rdb_changes_since_last_save: '1', rdb_saves: '1' })
    client.send('SHUTDOWN FORCE\r\n')
    expect((await server.exited).code).toBe(0)
    expect(server.log()).toContain('Error trying to save the DB. Exit anyway.')
    expect(readdirSync(dir)).toEqual([`temp-${server.pid}.rdb`])
  })
})

describe('when saving goes wrong, the old file stays as it was:', () => {
  test('kill -9 in the middle', async () => {
    const dir = directory()
    const server = await start(dir)
    const client = await connect(server)
    await ask(client, 'SET', 'old', '1')
    await ask(client, 'SAVE')
    const before = dumpOf(dir)
    for (let count = 0; count < 3000; count++) client.send(`SET key:${count} ${'v'.repeat(500)}${count}\r\n`)
    await client.replies(3000)
    await ask(client, 'CONFIG', 'SET', 'rdbcompression', 'no')
    await ask(client, 'CONFIG', 'SET', 'rdb-key-save-delay', '3000')
    client.send('SAVE\r\n')
    const temporary = join(dir, `temp-${server.pid}.rdb`)
    await eventually(() => existsSync(temporary) && statSync(temporary).size > 0, 'a file half written')
    server.process.kill('SIGKILL')
    await server.exited
    expect(dumpOf(dir)).toEqual(before)
    expect(statSync(temporary).size).toBeLessThan(1_500_000)
    const next = await start(dir)
    expect(await ask(await connect(next), 'DBSIZE')).toBe(':1\r\n')
  })

  test('the name belongs to a directory', async () => {
    const dir = directory()
    const server = await start(dir)
    const client = await connect(server)
    mkdirSync(join(dir, 'dump.rdb'))
    expect(await ask(client, 'SAVE')).toBe('-ERR\r\n')
    await server.waitForLog(/Error moving temp DB file/)
    expect(readdirSync(dir)).toEqual(['dump.rdb'])
    rmdirSync(join(dir, 'dump.rdb'))
    expect(await ask(client, 'SAVE')).toBe(OK)
  })

  test('the working directory is gone', async () => {
    const dir = directory()
    mkdirSync(join(dir, 'gone'))
    const server = await start(dir, '--dir', join(dir, 'gone'))
    const client = await connect(server)
    rmdirSync(join(dir, 'gone'))
    expect(await ask(client, 'SAVE')).toBe('-ERR\r\n')
    await server.waitForLog(/Failed opening the temp RDB file/)
    expect(await ask(client, 'PING')).toBe('+PONG\r\n')
  })

  test('the directory may not be written to', async ({ skip }) => {
    if (process.getuid?.() === 0) skip('root may write anywhere')
    const dir = directory()
    const server = await start(dir)
    const client = await connect(server)
    await ask(client, 'SAVE')
    const before = dumpOf(dir)
    await ask(client, 'SET', 'a', '1')
    chmodSync(dir, 0o555)
    expect(await ask(client, 'SAVE')).toBe('-ERR\r\n')
    await server.waitForLog(/Permission denied/)
    expect(dumpOf(dir)).toEqual(before)
    chmodSync(dir, 0o755)
    expect(await ask(client, 'SAVE')).toBe(OK)
  })

  test('the disk is full, or read-only, until it is not', async ({ skip }) => {
    const dir = directory()
    if (!mount(dir)) skip('a small file system could not be mounted here')
    const server = await start(dir)
    const client = await connect(server)
    await ask(client, 'SET', 'a', '1')
    expect(await ask(client, 'SAVE')).toBe(OK)
    const before = dumpOf(dir)
    await ask(client, 'CONFIG', 'SET', 'rdbcompression', 'no')
    await ask(client, 'SET', 'b', 'x'.repeat(3_000_000))
    expect(await ask(client, 'SAVE')).toBe('-ERR\r\n')
    await server.waitForLog(/Write error while saving DB to the disk\(write\): No space left on device/)
    expect(await ask(client, 'SHUTDOWN', 'SAVE')).toBe(SHUTDOWN_FAILED)
    expect(readdirSync(dir)).toEqual(['dump.rdb'])
    expect(dumpOf(dir)).toEqual(before)
    await ask(client, 'SETRANGE', 'a', '0', '22')
    await ask(client, 'DEL', 'b')
    expect(await ask(client, 'SAVE')).toBe(OK)
    execFileSync('mount', ['-o', 'remount,ro', dir])
    expect(await ask(client, 'SAVE')).toBe('-ERR\r\n')
    await server.waitForLog(/Read-only file system/)
    await server.stop('SIGKILL')
    const next = await start(dir)
    expect(await ask(await connect(next), 'MGET', 'a', 'b')).toBe('*2\r\n$2\r\n22\r\n$-1\r\n')
  })

  /** Mounts a file system of 2 MB for the time of the test; false where that is not allowed. */
  function mount(dir: string): boolean {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'cinnabar-test', dir], { stdio: 'ignore' })
    } catch {
      return false
    }
    onTestFinished(() => void execFileSync('umount', ['--lazy', dir]))
    return true
  }
})

describe('a file that cannot be loaded stops the start, and is left as it is:', () => {
  const broken: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /Unexpected EOF\. At offset 0\./],
    ['something else', Buffer.from('hello, this is text'), /Wrong signature: this is no RDB file\. At offset 0\./],
    [
      'of the future',
      Buffer.from('REDIS0099'),
      /Can't handle RDB format version 99: known are 1 to 12\. At offset 5\./,
    ],
    [
      'cut off',
      Buffer.from('REDIS0010\xfe\x02\x00\x03key\x05val', 'latin1'),
      /Unexpected EOF: .*At offset 17, in the value of key \\"key\\" of database 2\./,
    ],
    [
      'of a module of long ago',
      Buffer.from('REDIS0010\x06\x08mymodule\x0bxxxxxxxxxxx', 'latin1'),
      /type 6\) cannot be loaded yet.* offset 19, in .* key \\"mymodule\\" of database 0\./,
    ],
  ]

  test.each(broken)('%s', async (_, content, message) => {
    const dir = directory()
    const path = join(dir, 'dump.rdb')
    writeFileSync(path, content)
    const { code, log } = await startInVain(dir, '--save', '900 1')
    expect(code).toBe(1)
    expect(log).toContain(`Cannot load the RDB file ${path}: `)
    expect(log).toMatch(message)
    expect(log).toContain('The file was not changed.')
    expect(log).toContain('Fatal error loading the DB, check server logs. Exiting.')
    expect(log).not.toContain('Ready to accept connections')
    expect(readdirSync(dir)).toEqual(['dump.rdb'])
    expect(readFileSync(path)).toEqual(content)
  })

  test('damaged in one bit', async () => {
    const dir = directory()
    const server = await start(dir)
    const client = await connect(server)
    await ask(client, 'SET', 'a', 'some value')
    await ask(client, 'SHUTDOWN', 'SAVE').catch(() => undefined)
    const content = dumpOf(dir)
    content[content.indexOf('some value')]! ^= 1
    writeFileSync(join(dir, 'dump.rdb'), content)
    const { code, log } = await startInVain(dir)
    expect(code).toBe(1)
    expect(log).toMatch(/RDB CRC error: Wrong RDB checksum expected: \(\w{16}\) but got \(\w{16}\)/)
    expect(dumpOf(dir)).toEqual(content)
    const next = await start(dir, '--rdbchecksum', 'no')
    expect(await ask(await connect(next), 'GET', 'a')).toContain('rome value')
  })

  test('from more databases than there are', async () => {
    const dir = directory()
    writeFileSync(join(dir, 'dump.rdb'), Buffer.from('REDIS0003\xfe\x0c\x00\x01a\x01b\xff', 'latin1'))
    const { code, log } = await startInVain(dir, '--databases', '12')
    expect(code).toBe(1)
    expect(log).toContain('configured to handle more than 12 databases')
    const next = await start(dir, '--databases', '13')
    expect(await ask(await connect(next), 'DBSIZE')).toBe(':0\r\n')
  })

  test('a directory', async () => {
    const dir = directory()
    mkdirSync(join(dir, 'dump.rdb'))
    const { code, log } = await startInVain(dir)
    expect(code).toBe(1)
    expect(log).toMatch(/Fatal error: can't read the RDB file .*dump\.rdb: Is a directory/)
  })
})

describe('DEBUG RELOAD', () => {
  test('saves and loads, with options for less', async () => {
    const dir = directory()
    const server = await start(dir, '--enable-debug-command', 'yes')
    const client = await connect(server)
    await ask(client, 'SET', 'a', '1')
    await ask(client, 'SET', 'b', '2', 'EX', '1000')
    const digest = await ask(client, 'DEBUG', 'DIGEST')
    expect(await ask(client, 'DEBUG', 'RELOAD')).toBe(OK)
    expect(await ask(client, 'DEBUG', 'DIGEST')).toBe(digest)
    await ask(client, 'SET', 'a', 'changed')
    expect(await ask(client, 'DEBUG', 'RELOAD', 'NOSAVE')).toBe(OK)
    expect(await ask(client, 'DEBUG', 'DIGEST')).toBe(digest)
    await ask(client, 'SET', 'a', 'changed')
    await ask(client, 'SET', 'c', '3')
    expect(await ask(client, 'DEBUG', 'RELOAD', 'NOSAVE', 'NOFLUSH', 'MERGE')).toBe(OK)
    expect(await ask(client, 'MGET', 'a', 'c')).toBe('*2\r\n$1\r\n1\r\n$1\r\n3\r\n')
    expect(await ask(client, 'DEBUG', 'RELOAD', 'FOO')).toMatch(/^-ERR DEBUG RELOAD only supports/)
    expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
  })

  test('without a file, and with one that is damaged', async () => {
    const dir = directory()
    const server = await start(dir, '--enable-debug-command', 'yes', '--save', '900 1')
    const client = await connect(server)
    expect(await ask(client, 'DEBUG', 'RELOAD', 'NOSAVE')).toBe(
      '-ERR Error trying to load the RDB dump, check server logs.\r\n',
    )
    writeFileSync(join(dir, 'dump.rdb'), 'REDIS0010\x00')
    client.send('DEBUG RELOAD NOSAVE\r\n')
    expect((await server.exited).code).toBe(1)
    expect(dumpOf(dir).toString()).toBe('REDIS0010\x00')
  })
})
