/* Background saves that end before their time: the server is killed, or the disk is full. The file there was stays, and
 * what is in it is the data of one instant.
 *
 * One client writes 1, 2, 3 … to the keys in turn: at any instant the values of all keys are so many numbers in a row.
 * CRASH_ROUNDS asks for more rounds. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK } from '../integration/support.ts'

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 6)
const KEYS = 4000

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-crash-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function start(dir: string, ...args: string[]): Promise<TestServer> {
  const server = await startCinnabar({ dir, args: ['--save', '', '--enable-debug-command', 'yes', ...args] })
  onTestFinished(async () => {
    if (!server.hasExited) await server.stop('SIGKILL')
  })
  return server
}

type Client = Awaited<ReturnType<typeof connect>>

/** The values of all keys; empty if there are none. */
async function values(client: Client): Promise<number[]> {
  const keys = Array.from({ length: KEYS }, (_, key) => `key:${key}`)
  const found = (await ask(client, 'MGET', ...keys)).split('\r\n').filter((line) => /^\d+$/.test(line))
  return found.map(Number).sort((one, other) => one - other)
}

/** Writes `count` numbers; the next one. */
async function write(client: Client, from: number, count: number): Promise<number> {
  const batch: Buffer[] = []
  for (let number = from; number < from + count; number++) {
    batch.push(encode('SET', `key:${number % KEYS}`, `${number}`))
  }
  client.send(Buffer.concat(batch))
  await client.replies(count)
  return from + count
}

test('a server that is killed while it saves comes back with the data of one instant', async () => {
  const dir = directory()
  let next = 100_000_000
  let least = 0
  for (let round = 0; round < ROUNDS; round++) {
    const server = await start(dir)
    const client = await connect(server)
    const found = await values(client)
    if (found.length > 0) {
      expect(new Set(found).size).toBe(KEYS)
      expect(found.at(-1)! - found[0]!).toBe(KEYS - 1)
      expect(found.at(-1)!).toBeGreaterThanOrEqual(least)
      least = found.at(-1)!
      next = least + 1
    } else {
      next = await write(client, next, KEYS)
      await ask(client, 'SAVE') // on a slow machine no other save may come to its end
    }
    const other = await connect(server)
    const writer = (async () => {
      for (;;) next = await write(other, next, 500)
    })().catch(() => {})
    const saver = (async () => {
      for (;;) await ask(client, 'BGSAVE')
    })().catch(() => {})
    await sleep(100 + Math.random() * 300)
    await server.stop('SIGKILL')
    await Promise.all([writer, saver])
  }
  expect(least).toBeGreaterThan(0)
})

/** A file system of so many megabytes, or undefined where one may not be mounted. */
function smallDisk(megabytes: number): string | undefined {
  const dir = directory()
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', dir], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  onTestFinished(() => void execFileSync('umount', ['-l', dir]))
  return dir
}

test('a full disk makes a save fail, and the next one succeeds when there is room again', async (context) => {
  const dir = smallDisk(2)
  if (dir === undefined) return context.skip('only root may mount a small disk')
  const server = await start(dir)
  const client = await connect(server)
  await ask(client, 'SET', 'key', 'value')
  expect(await ask(client, 'SAVE')).toBe(OK)
  const before = readFileSync(join(dir, 'dump.rdb'))
  await ask(client, 'DEBUG', 'POPULATE', '20000', 'key', '16')
  await ask(client, 'CONFIG', 'SET', 'save', '3600 1000000')
  writeFileSync(join(dir, 'filler'), Buffer.alloc(1.8 * 2 ** 20))
  const status = async () => {
    await eventually(async () => !body(await ask(client, 'INFO', 'persistence')).includes('rdb_bgsave_in_progress:1'))
    return /rdb_last_bgsave_status:(\w+)/.exec(body(await ask(client, 'INFO', 'persistence')))?.[1]
  }
  await ask(client, 'BGSAVE')
  expect(await status()).toBe('err')
  await server.waitForLog(/No space left on device/)
  expect(readFileSync(join(dir, 'dump.rdb')).equals(before)).toBe(true)
  expect(readdirSync(dir).filter((name) => name.startsWith('temp-'))).toEqual([])
  expect(await ask(client, 'SET', 'key', 'other')).toMatch(/^-MISCONF/)
  rmSync(join(dir, 'filler'))
  await ask(client, 'BGSAVE')
  expect(await status()).toBe('ok')
  expect(await ask(client, 'SET', 'key', 'other')).toBe(OK)
  expect(existsSync(join(dir, 'dump.rdb'))).toBe(true)
})
