/* The append-only file, written by Cinnabar and by redis-server for the same commands: the same bytes, but for what
 * time decided. Each then reads what the other has written, and has the same data. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { COMPLETE, Decoder } from '../../src/protocol/decoder.ts'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, sleep, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import * as collections from './set-hash-commands.ts'
import * as strings from './string-key-commands.ts'
import * as zsets from './zset-commands.ts'

// With everysec a write may wait for a sync while the reply does not.
const ARGS = ['--appendonly', 'yes', '--appendfsync', 'no', '--enable-debug-command', 'yes']

/** What is written in other words than it came in, and what waits. */
const FORMS = `
  set k v ex 100 | set k v px 100000 nx | set k2 v px 100000 nx get | SET k v EXAT 4000000000 |
  set k v pxat 4000000000000 | set k v get | set k v get xx GET | set k v xx get keepttl | set k v keepttl |
  setex k 100 v | psetex k 100000 v | getset k w | getdel k | getdel k | set k 1 | getex k | getex k ex 100 |
  getex k px 1 exat 2 | getex k persist | getex k persist | getex k exat 4000000000 | getex k pxat 1 |
  set k 1.5 | incrbyfloat k 2.25 | expire k 100 | incrbyfloat k 1 | incrbyfloat k x | hincrbyfloat h f 1.5 |
  hincrbyfloat h f 1e2 | expire k 100 nx | expire k 100 xx | EXPIRE k 200 gt | pexpire k 100000 lt |
  expireat k 4000000000 | pexpireat k 4000000000000 | PEXPIREAT k 4000000000000 NX | persist k | persist k |
  expire k -1 | set k v | pexpireat k 1 | set k v | expire none 100 | rpush l a b c d e f g h |
  lmpop 2 none l left | lmpop 2 none l right count 3 | lmpop 1 l left count 100 | rpush l a b c d e f |
  blpop none l 0 | brpop l 0 | blmpop 0 2 none l left count 2 | blmove l m left right 0 | brpoplpush l m 0 |
  lmove m l left left | rpoplpush m l | rpoplpush none l | lpop l 2 | rpop l |
  zadd z 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h | zmpop 2 none z min | zmpop 1 z max count 2 | bzpopmin none z 0 |
  bzpopmax z 0 | bzmpop 0 2 none z min count 2 | zmpop 1 z min count 100 | sadd s only | spop s | sadd s 1 2 3 |
  spop s 3 | sadd s 1 2 3 | spop s 10 | spop s 10 | sadd one a | spop one 1 | del nothing | sadd s 1 | sadd s 1 |
  srem s 2 | hdel h none | zadd z 1 a | zadd z 1 a | zadd z nx 2 a | zadd z incr 2 a | lrem l 0 none |
  ltrim none 0 1 | rename none x | copy s s2 | copy s s2 | move s2 1 | swapdb 0 1 | swapdb 0 0 | flushdb |
  flushdb | flushall async | select 1 | set a b | multi | set b c | exec | multi | set c d | incr n | get n |
  exec | multi | get n | exec | multi | exec | multi | set d e | discard | select 3 | set a b | select 1 |
  sort l store l2 | rpush l 3 1 2 | sort l store l2 | sort l store l2 desc |
  config set lazyfree-lazy-expire yes | set k v | expire k -1 | set k v | getex k pxat 1 |
  config set lazyfree-lazy-expire no | mset a 1 b 2 | msetnx a 1 c 2 | append a x | setrange a 10 x |
  setrange a 0 "" | incr n | decrby n 2 | setnx a 1 | hset h a 1 b 2 | hsetnx h a 1 | hincrby h a 2 |
  smove s s3 1 | sadd s3 x y | smove s3 s4 x | sinterstore s5 s3 s4 | sunionstore s5 s3 s4 | sdiffstore s5 none |
  zunionstore z2 1 z | zrangestore z3 z 0 -1 | zremrangebyrank z 0 0 | touch a | object encoding a |
  linsert l before 1 0 | lset l 0 9 | lpushx none 1 | rpushx l 1 |
  eval "redis.call('set',KEYS[1],1) redis.call('incr',KEYS[1]) return redis.call('get',KEYS[1])" 1 e |
  eval "return redis.call('get',KEYS[1])" 1 e | eval "return redis.call('incr',KEYS[1])" 1 e |
  eval "redis.call('expire',KEYS[1],100) redis.call('select',5) redis.call('set','f',1) return 1" 1 e | get e |
  eval "redis.call('incr',KEYS[1]) return redis.call('lpush',KEYS[1],1)" 1 e | multi |
  eval "redis.call('incr',KEYS[1]) return redis.call('incr',KEYS[1])" 1 e | incr e | exec | publish channel message |
  script load "return 1" | flushall | evalsha e0e1f9fabfc9d4800c877a703b823ac0578ff8db 0`

/** The commands of an append-only file, a line each, in which the times that a clock decided are left out. */
function commandsOf(bytes: Buffer): string[] {
  const decoder = new Decoder()
  const lines: string[] = []
  while (decoder.at < bytes.length) {
    expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
    const words: string[] = []
    for (let index = 0; index < decoder.argc; index++) {
      const pos = decoder.pos[index]!
      words.push(JSON.stringify(bytes.toString('latin1', pos, pos + decoder.len[index]!)))
    }
    const line = plain(words)
    const before = lines.length - 1
    // A SELECT that belongs to a transaction stands before it in 7.0, inside in 7.2.
    if (line === '"MULTI"' && lines[before]?.startsWith('"SELECT"')) lines.splice(before, 0, line)
    else lines.push(line)
  }
  return lines
}

/** Without times that a clock decided. Redis 7.0 writes a SET with PXAT anew, 7.2 leaves it as it came. */
function plain(words: readonly string[]): string {
  const due = words.findIndex((word, index) => index > 2 && /^"pxat"$/i.test(word))
  const told = due > 0 && /^"set"$/i.test(words[0]!) ? ['"SET"', ...words.slice(1, 3), '"PXAT"', words[due + 1]] : words
  return told.join(' ').replace(/"[1-3]\d{12}"/g, '"now"')
}

function incrementalOf(server: TestServer): Buffer {
  const dir = join(server.dir, 'appendonlydir')
  const names = readdirSync(dir).filter((name) => name.endsWith('.incr.aof'))
  return Buffer.concat(names.sort().map((name) => readFileSync(join(dir, name))))
}

describe.skipIf(!redisAvailable())('the append-only file is the one that redis-server writes', () => {
  let servers: readonly TestServer[]
  let clients: readonly RawClient[]
  /** Bytes of the files that have been compared. */
  let seen = [0, 0]

  beforeAll(async () => {
    servers = [await startCinnabar({ args: ARGS }), await startRedis({ args: ARGS })]
    clients = await Promise.all(servers.map((server) => server.connect()))
    await send(['debug set-active-expire 0']) // or each looks for what is due in its own time
  })
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()))
    await Promise.all(servers.map((server) => server.stop()))
  })

  async function send(commands: readonly (string | readonly Argument[])[]): Promise<void> {
    await Promise.all(
      clients.map(async (client) => {
        for (const command of commands) {
          client.send(typeof command === 'string' ? `${command}\r\n` : encode(...command))
        }
        await client.replies(commands.length)
      }),
    )
  }

  /** A client that waited may have its reply before the server's turn has ended, and the file what was done in it. */
  async function compare(message?: string): Promise<void> {
    let files = servers.map(incrementalOf)
    let [ours, redis] = files.map((file, index) => commandsOf(file.subarray(seen[index])))
    for (let tries = 0; ours!.length !== redis!.length && tries < 300; tries++) {
      await sleep(100)
      files = servers.map(incrementalOf)
      ;[ours, redis] = files.map((file, index) => commandsOf(file.subarray(seen[index])))
    }
    seen = files.map((file) => file.length)
    expect(ours, message).toEqual(redis)
  }

  test('what is written otherwise than it came', async () => {
    const lines = strings.linesOf(FORMS)
    await send(lines)
    await compare()
  })

  const groups = [
    ...Object.values(strings.EDGES).map(strings.linesOf),
    ...Object.values(collections.EDGES).map(collections.linesOf),
    ...Object.values(zsets.EDGES).map(strings.linesOf),
  ]
  test('every edge of the data commands', async () => {
    for (const lines of groups) {
      await send(['flushall', 'select 0', ...lines.filter((line) => !/^(spop|randomkey|debug|reset|quit)/i.test(line))])
    }
    await compare()
  })

  test('random commands', async () => {
    const seed = testSeed()
    for (const Generator of [strings.Generator, collections.Generator, zsets.Generator]) {
      const generator = new Generator(seed)
      const commands = Array.from({ length: 3000 }, () => generator.next())
      await send(['flushall', 'select 0', ...commands.filter(([name]) => !/^spop/i.test(String(name)))])
    }
    await compare(`seed ${seed}`)
  })

  test('keys that run out of time', async () => {
    const lines = 'set a 1 px 1 | set b 1 px 1 | set c 1 px 1 | set d 1 px 1'
    await send(['flushall', 'select 0', ...strings.linesOf(lines), 'debug sleep 0.01'])
    await send(strings.linesOf('get a | incr b | mget c d | del c'))
    await compare()
  })

  test('what is popped at random', async () => {
    const members = Array.from({ length: 2500 }, (_, index) => `m${index}`)
    await send(['flushall', 'select 0', ['sadd', 's', ...members]])
    await compare()
    await send(['spop s', 'spop s 3', 'spop s 2100', 'spop s 300'])
    const file = incrementalOf(servers[0]!)
    const lines = commandsOf(file.subarray(seen[0]))
    seen = servers.map((server) => incrementalOf(server).length)
    // Up to 1024 to a command, as in 7.2; 7.0 has one to a command.
    expect(lines.map((line) => `${line.split(' ', 1)[0]} ${line.split(' ').length - 2}`)).toEqual(
      ['SREM 1', 'SREM 3', 'MULTI', 'SREM 1024', 'SREM 1024', 'SREM 52', 'EXEC', 'SREM 300'].map((line) =>
        line.includes(' ') ? line.replace(/^\w+/, '"$&"') : `"${line}" -1`,
      ),
    )
    const popped = lines.filter((line) => line.startsWith('"SREM"')).flatMap((line) => line.split(' ').slice(2))
    expect(new Set(popped).size).toBe(2404)
  })

  test('clients that waited', async () => {
    const waiting = await Promise.all(servers.map((server) => Promise.all([server.connect(), server.connect()])))
    onTestFinished(async () => void (await Promise.all(waiting.flat().map((client) => client.close()))))
    for (const [first, second] of waiting) {
      first.send('blmpop 0 1 jobs left count 5\r\n')
      second.send('blmove jobs done left right 0\r\n')
    }
    await Promise.all(
      servers.map(async (server) => {
        const client = await server.connect()
        for (let blocked = ''; !blocked.includes('blocked_clients:2'); )
          blocked = String(await client.command('INFO', 'clients'))
        await client.close()
      }),
    )
    await send(['flushall', 'rpush jobs a b', 'rpush jobs c d', 'rpush done e'])
    await Promise.all(waiting.flat().map((client) => client.reply()))
    await compare()
  })

  test('each reads what the other wrote', async () => {
    const generator = new collections.Generator(7)
    const others = new strings.Generator(7)
    await send(['flushall', ...Array.from({ length: 2000 }, () => generator.next())])
    await send(Array.from({ length: 2000 }, () => others.next()))
    await send(['select 2', ['keys', '*'], 'select 1', ['keys', '*'], 'select 0', ['keys', '*']])
    const digests = await Promise.all(clients.map((client) => client.command('DEBUG', 'DIGEST')))
    const starts = [startRedis, startCinnabar]
    for (const [index, server] of servers.entries()) {
      const dir = mkdtempSync(join(tmpdir(), 'cinnabar-aof-'))
      onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
      cpSync(join(server.dir, 'appendonlydir'), join(dir, 'appendonlydir'), { recursive: true })
      const other = await starts[index]!({ args: ARGS, dir })
      onTestFinished(async () => void (await other.stop()))
      const client = await other.connect()
      expect(String(await client.command('DEBUG', 'DIGEST'))).toBe(String(digests[index]))
      await client.close()
    }
  })
})
