/* RDB files, exchanged with a real redis-server: what one saves the other loads, and has the same data then. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, type StartOptions, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { fileOf, listpackOf, medium, short, ziplistOf } from '../unit/persistence/rdb/support.ts'

const SEED = 7560

type Program = 'cinnabar' | 'redis'
const STARTERS: Readonly<Record<Program, (options: StartOptions) => Promise<TestServer>>> = {
  cinnabar: startCinnabar,
  redis: startRedis,
}
const WAYS: readonly (readonly [Program, Program])[] = [
  ['cinnabar', 'redis'],
  ['redis', 'cinnabar'],
  ['cinnabar', 'cinnabar'],
]

function directory(): string {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-rdb-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

type Party = { readonly server: TestServer; readonly client: RawClient; readonly dir: string }

async function start(program: Program, args: readonly string[], dump?: string): Promise<Party> {
  const dir = directory()
  if (dump !== undefined) copyFileSync(dump, join(dir, 'dump.rdb'))
  const server = await STARTERS[program]({ dir, args: ['--enable-debug-command', 'yes', ...args] })
  onTestFinished(async () => void (await server.stop()))
  const client = await server.connect()
  onTestFinished(() => client.close())
  return { server, client, dir }
}

const ask = async ({ client }: Party, ...args: readonly Argument[]): Promise<string> =>
  (await client.command(...args)).toString('latin1')

/** Sends many commands at once; none may fail. */
async function sendAll({ client }: Party, commands: readonly (readonly Argument[])[]): Promise<void> {
  client.send(Buffer.concat(commands.map((command) => encode(...command))))
  const replies = await client.replies(commands.length)
  expect(replies.filter((reply) => reply[0] === 0x2d).map(String)).toEqual([])
}

/** Saves in one server, loads in another with the same arguments. */
async function handOver(from: Party, to: Program, args: readonly string[] = []): Promise<Party> {
  expect(await ask(from, 'SAVE')).toBe('+OK\r\n')
  return start(to, args, join(from.dir, 'dump.rdb'))
}

const INTEGERS = ['0', '-1', '127', '128', '-128', '-129', '32767', '32768', '-32768', '-32769', '2147483647']
const WIDE = ['2147483648', '-2147483648', '-2147483649', '9007199254740993', '9223372036854775807']
const NO_INTEGERS = ['', '00', '-0', '+1', ' 1', '1.0', '9223372036854775808', '\x00', '\xff\xfe', 'é']

/** SET commands that put everything a string can be into 16 databases. */
function dataset(random: Random, keys: number): Argument[][] {
  const commands: Argument[][] = []
  const bytes = (len: number, letters: number): Buffer =>
    Buffer.from(Array.from({ length: len }, () => random.below(letters)))
  for (let dbIndex = 0; dbIndex < 16; dbIndex++) {
    commands.push(['SELECT', dbIndex])
    for (const text of [...INTEGERS, ...WIDE, '-9223372036854775808', ...NO_INTEGERS]) {
      commands.push(['SET', text, text], ['SET', `value ${text}`, text])
    }
    for (const len of [1, 20, 21, 44, 45, 63, 64, 1024, 1025, 16383, 16384, 65536, 200_000]) {
      commands.push(['SET', `noise ${len}`, bytes(len, 256)], ['SET', `pattern ${len}`, bytes(len, 2)])
    }
    for (const len of [21, 100, 70_000]) commands.push(['SET', bytes(len, 256), 'v'], ['SET', bytes(len, 2), 'w'])
    for (let count = 0; count < keys; count++) {
      const expiry = random.below(3) === 0 ? ['PXAT', 4e12 + random.below(1e9)] : []
      commands.push([
        'SET',
        bytes(1 + random.below(40), 256),
        bytes(random.below(100), 1 + random.below(255)),
        ...expiry,
      ])
    }
  }
  // The forms that come of other commands than SET.
  commands.push(['APPEND', 'appended', '12345'], ['APPEND', 'appended', '6'], ['SETRANGE', 'ranged', '50', 'x'])
  commands.push(['INCRBYFLOAT', 'float', '1.5'], ['SET', 'counter', '41'], ['INCR', 'counter'])
  return commands
}

/** Commands that make lists of all sizes, of everything a string can be. */
function listset(random: Random): Argument[][] {
  const commands: Argument[][] = [['RPUSH', 'strings', ...INTEGERS, ...WIDE, '-9223372036854775808', ...NO_INTEGERS]]
  for (let list = 0; list < 300; list++) {
    const key = `list ${list}`
    const count = 1 + random.below([5, 100, 3000][list % 3]!)
    const elements = Array.from({ length: count }, () => {
      const len = random.below([4, 30, 100][random.below(3)]!)
      if (random.below(2) === 0) return String(random.next() >> random.below(32))
      return Buffer.from(Array.from({ length: len }, () => random.below(256)))
    })
    for (let at = 0; at < count; at += 500) commands.push(['RPUSH', key, ...elements.slice(at, at + 500)])
    if (random.below(4) === 0) commands.push(['PEXPIREAT', key, 4e12 + random.below(1e9)])
    if (random.below(4) === 0) commands.push(['LTRIM', key, random.below(count), -1])
  }
  for (const len of [63, 64, 4095, 4096, 9000, 200_000]) {
    commands.push(['RPUSH', 'long', 'between', Buffer.alloc(len, 'pattern')])
  }
  return commands
}

/** Commands that make keys of every type and encoding in several databases, some of them with an expiry. */
function everything(random: Random): Argument[][] {
  const commands: Argument[][] = []
  const word = (): Argument =>
    random.below(3) === 0
      ? String(random.next() >> random.below(32))
      : Buffer.from(Array.from({ length: 1 + random.below(90) }, () => random.below(256)))
  const words = (count: number): Argument[] => Array.from({ length: count }, word)
  for (let index = 0; index < 250; index++) {
    if (index % 50 === 0) commands.push(['SELECT', random.below(16)])
    const key = `key ${index}`
    const count = 1 + random.below([3, 40, 700][random.below(3)]!)
    const kind = index % 7
    if (kind === 0) commands.push(['SET', key, Buffer.concat(words(count).map((part) => Buffer.from(String(part))))])
    else if (kind === 1) commands.push(['RPUSH', key, ...words(count)])
    else if (kind === 2) commands.push(['SADD', key, ...words(count)])
    else if (kind === 3) commands.push(['SADD', key, ...Array.from({ length: count }, () => random.next())])
    else if (kind === 4) commands.push(['HSET', key, ...words(count * 2)])
    else if (kind === 5) {
      for (let left = count; left > 0; left--) commands.push(['XADD', key, '*', 'field', word(), word(), word()])
      commands.push(['XGROUP', 'CREATE', key, 'group', 0], ['XGROUP', 'CREATE', key, word(), '$'])
      commands.push(['XREADGROUP', 'GROUP', 'group', word(), 'COUNT', 1 + random.below(20), 'STREAMS', key, '>'])
    }
    // Scores that Redis 7.0 and 7.2 write alike into a digest.
    else commands.push(['ZADD', key, ...words(count).flatMap((member) => [(random.next() >> 8) / 4, member])])
    if (random.below(4) === 0) commands.push(['PEXPIREAT', key, 4e12 + random.below(1e9)])
  }
  return commands
}

describe.skipIf(!redisAvailable())('a file', () => {
  test.each(WAYS)('of %s is loaded by %s', async (from, to) => {
    const commands = dataset(new Random(SEED), 300)
    const saver = await start(from, [])
    await sendAll(saver, commands)
    const loader = await handOver(saver, to)
    expect(await ask(loader, 'DEBUG', 'DIGEST')).toBe(await ask(saver, 'DEBUG', 'DIGEST'))
    const keys = commands.filter(([name]) => name === 'SET' || name === 'SELECT')
    for (let at = 0; at < keys.length; at += 2000) {
      const questions = keys.slice(at, at + 2000).flatMap(([name, key]) => {
        if (name === 'SELECT') return [['SELECT', key!]]
        return [
          ['GET', key!],
          ['PEXPIRETIME', key!],
          ['OBJECT', 'ENCODING', key!],
        ]
      })
      const [wanted, found] = await Promise.all([saver, loader].map((party) => answers(party, questions)))
      expect(found).toEqual(wanted)
    }
  })

  async function answers({ client }: Party, questions: readonly (readonly Argument[])[]): Promise<string[]> {
    client.send(Buffer.concat(questions.map((question) => encode(...question))))
    return (await client.replies(questions.length)).map((reply) => reply.toString('latin1'))
  }

  test.each(WAYS)('of %s without compression and checksum is loaded by %s', async (from, to) => {
    const args = ['--rdbcompression', 'no', '--rdbchecksum', 'no']
    const saver = await start(from, args)
    await sendAll(saver, [
      ['SET', 'a', 'b'.repeat(1000)],
      ['SET', 'n', 5],
    ])
    const loader = await handOver(saver, to)
    expect(await ask(loader, 'DEBUG', 'DIGEST')).toBe(await ask(saver, 'DEBUG', 'DIGEST'))
  })

  test.each(WAYS)('of %s says to %s how often keys were used', async (from, to) => {
    const args = [
      '--maxmemory',
      '100mb',
      '--maxmemory-policy',
      'allkeys-lfu',
      '--lfu-log-factor',
      '0',
      '--lfu-decay-time',
      '0',
    ]
    const saver = await start(from, args)
    const uses = Array.from({ length: 50 }, () => ['GET', 'a'])
    await sendAll(saver, [['SET', 'a', 'x'], ['SET', 'b', 'x'], ...uses])
    const loader = await handOver(saver, to, args)
    expect(await ask(loader, 'OBJECT', 'FREQ', 'b')).toBe(':5\r\n')
    expect(await ask(loader, 'OBJECT', 'FREQ', 'a')).toBe(await ask(saver, 'OBJECT', 'FREQ', 'a'))
    expect(Number((await ask(loader, 'OBJECT', 'FREQ', 'a')).slice(1))).toBeGreaterThan(40)
  })

  test.each(WAYS)('of %s says to %s how long keys were idle', async (from, to) => {
    const args = ['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru']
    const saver = await start(from, args)
    await sendAll(saver, [['SET', 'a', 'x']])
    await new Promise((resolve) => setTimeout(resolve, 3100))
    await sendAll(saver, [['SET', 'b', 'x']])
    const loader = await handOver(saver, to, args)
    const idle = async (key: string) => Number((await ask(loader, 'OBJECT', 'IDLETIME', key)).slice(1))
    expect(await idle('a')).toBeGreaterThanOrEqual(2)
    expect(await idle('b')).toBeLessThan(await idle('a'))
  })

  test.each(WAYS)('of %s with lists is loaded by %s', async (from, to) => {
    const commands = listset(new Random(SEED + 1))
    const saver = await start(from, [])
    await sendAll(saver, commands)
    const loader = await handOver(saver, to)
    expect(await ask(loader, 'DEBUG', 'DIGEST')).toBe(await ask(saver, 'DEBUG', 'DIGEST'))
    const keys = [...new Set(commands.filter(([name]) => name === 'RPUSH').map(([, key]) => key!))]
    const questions = keys.flatMap((key) => [
      ['LLEN', key],
      ['LRANGE', key, 0, -1],
      ['PEXPIRETIME', key],
    ])
    const [wanted, found] = await Promise.all([saver, loader].map((party) => answers(party, questions)))
    expect(found).toEqual(wanted)
    // What was loaded can be changed, and handed on: back to the first one.
    const changes = keys.flatMap((key) => [
      ['LINSERT', key, 'AFTER', '7', 'inserted'],
      ['LPUSH', key, 'first'],
      ['LSET', key, -1, 'set'],
      ['LREM', key, 0, '127'],
    ])
    for (const party of [saver, loader]) await sendAll(party, changes)
    const again = await handOver(loader, from)
    expect(await ask(again, 'DEBUG', 'DIGEST')).toBe(await ask(saver, 'DEBUG', 'DIGEST'))
  })

  test.each(WAYS)('of %s with list elements in nodes of their own is loaded by %s', async (from, to) => {
    const saver = await start(from, [])
    await sendAll(saver, [
      ['DEBUG', 'QUICKLIST-PACKED-THRESHOLD', '100b'],
      ['RPUSH', 'l', 'x'.repeat(20_000), 'a', 'y'.repeat(200), 'b', '7'.repeat(150), Buffer.alloc(300_000, 'pattern')],
    ])
    const loader = await handOver(saver, to)
    expect(await ask(loader, 'DEBUG', 'DIGEST')).toBe(await ask(saver, 'DEBUG', 'DIGEST'))
    expect(await ask(loader, 'LRANGE', 'l', 0, -1)).toBe(await ask(saver, 'LRANGE', 'l', 0, -1))
  })

  test("with lists in Redis's older forms, some of them empty, is the same to both", async () => {
    const ziplists = [
      ziplistOf(['\x03abc', '\xf1', '\xfd', '\xfe\x80', '\xc0\xff\x7f', '\xf0\x00\x00\x80', '\xd0\x00\x00\x00\x80']),
      ziplistOf([`\x41\x02${'x'.repeat(258)}`, '\x00', '\xe0\x00\x00\x00\x00\x00\x00\x00\x80', '\x80\0\0\0\x01y']),
    ].map(medium)
    const empty = short(ziplistOf([]))
    const file = fileOf([
      '\xfe\x00',
      ...['\x01\x07strings\x03\x01a\x00\xc0\x05', '\x01\x06empty1\x00'],
      ...[`\x0a\x07ziplist${ziplists[0]}`, `\x0a\x06empty2${empty}`],
      ...[`\x0e\x09quicklist\x03${ziplists[1]}${empty}${ziplists[0]}`, `\x0e\x04node\x01${ziplists[1]}`],
      ...['\x0e\x06empty3\x00', `\x0e\x06empty4\x01${empty}`],
      ...['\x12\x06empty5\x00', `\x12\x06empty6\x01\x02${short(listpackOf([]))}`],
    ])
    const dir = directory()
    const path = join(dir, 'dump.rdb')
    writeFileSync(path, file)
    const parties = await Promise.all([start('redis', [], path), start('cinnabar', [], path)])
    const found = await Promise.all(
      parties.map((party) =>
        answers(party, [
          ['DEBUG', 'DIGEST'],
          ['DBSIZE'],
          ...['strings', 'ziplist', 'quicklist', 'node'].map((key) => ['LRANGE', key, 0, -1]),
        ]),
      ),
    )
    expect(found[1]).toEqual(found[0])
    expect(found[0]![1]).toBe(':4\r\n')
    for (const { server } of parties) {
      expect(server.log()).toMatch(/skipping empty key: "?\\?"?empty1/)
      expect(server.log()).toMatch(/Done loading RDB, keys loaded: 4, keys expired: 0, empty keys skipped: 6\./)
    }
  })

  test('of Cinnabar is as long as that of Redis, to the byte, where nothing can be compressed', async () => {
    const parties = await Promise.all([start('cinnabar', []), start('redis', [])])
    const sizes = []
    for (const party of parties) {
      await sendAll(party, [
        ...[...INTEGERS, ...WIDE, ...NO_INTEGERS].map((text) => ['SET', `k${text}`, text]),
        ['SET', 'expiring', 'x', 'PXAT', 4e12],
        ['SELECT', 9],
        ['SET', 'a', 'b'],
      ])
      await ask(party, 'SAVE')
      const file = readFileSync(join(party.dir, 'dump.rdb'))
      // From the first database on: what stands before tells version and memory.
      sizes.push(file.length - file.indexOf('\xfe\x00\xfb', 0, 'latin1'))
    }
    expect(sizes[0]).toBe(sizes[1])
  })

  test('with values of all types goes to the other and comes back, and is the same all the way', async () => {
    for (const seed of [SEED, SEED + 1]) {
      const ours = await start('cinnabar', [])
      await sendAll(ours, everything(new Random(seed)))
      const digest = await ask(ours, 'DEBUG', 'DIGEST')
      const redis = await handOver(ours, 'redis')
      expect(await ask(redis, 'DEBUG', 'DIGEST')).toBe(digest)
      const back = await handOver(redis, 'cinnabar')
      expect(await ask(back, 'DEBUG', 'DIGEST')).toBe(digest)
      expect(await ask(back, 'DEBUG', 'VERIFY')).toBe('+OK\r\n')
      expect(await ask(back, 'DEBUG', 'RELOAD')).toBe('+OK\r\n')
      expect(await ask(back, 'DEBUG', 'DIGEST')).toBe(digest)
    }
  })
})
