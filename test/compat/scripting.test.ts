/* Scripts and functions, run by Cinnabar and by redis-server: the replies must be the same bytes, in RESP2 and RESP3,
 * error texts with their lines and sums included.
 *
 * REDIS_SERVER names another redis-server. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { Argument, RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'
import { KNOWN, SCRIPTS } from './scripts.ts'

const SETUP = [
  ['FLUSHALL'],
  ['SET', 'k', 'text'],
  ['RPUSH', 'l', 'x', 'y', 'z'],
  ['SET', 'n', '41'],
  ['HSET', 'h', 'f', 'v'],
]

const LIBRARY = `#!lua name=mylib
local function add(keys, args) return redis.call('incrby', keys[1], args[1]) end
redis.register_function('add', add)
redis.register_function{function_name='look', callback=function(keys) return redis.call('get', keys[1]) end,
  flags={'no-writes'}, description='Looks.'}
redis.register_function('both', function(keys, args) return {keys, args} end)
redis.register_function('fail', function() error('no') end)
redis.register_function('globals', function() return x end)
redis.register_function('writeglobals', function() x = 1 end)
`

const library = (body: string, name = 'other'): string => `#!lua name=${name}\n${body}`

/** A function with all that can be said of one: of several, Redis tells the order of its hash table. */
const ONE = library(
  "redis.register_function{function_name='one', callback=function() end, flags={'no-writes'}, description='One.'}",
  'Single',
)

const FUNCTIONS: readonly (readonly Argument[])[] = [
  ['FUNCTION', 'LOAD', LIBRARY],
  ['FUNCTION', 'LOAD', LIBRARY],
  ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY],
  ['FUNCTION', 'STATS'],
  ['FCALL', 'add', '1', 'n', '5'],
  ['FCALL', 'ADD', '1', 'n', '5'],
  ['FCALL_RO', 'add', '1', 'n', '5'],
  ['FCALL_RO', 'look', '1', 'n'],
  ['FCALL', 'both', '2', 'a', 'b', 'c'],
  ['FCALL', 'fail', '0'],
  ['FCALL', 'globals', '0'],
  ['FCALL', 'writeglobals', '0'],
  ['FCALL', 'nosuch', '0'],
  ['FCALL', 'add', 'x'],
  ['FCALL', 'add', '5', 'x'],
  ['FCALL', 'add', '-1', 'x'],
  ['FCALL', 'add', '1', 'k', 'x'],
  ['FUNCTION', 'LOAD', ONE],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'Single'],
  ['FUNCTION', 'LIST', 'libraryname', 'sing*', 'withcode'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'LIBRARYNAME', '?ingl[e]'],
  ['FUNCTION', 'LOAD', 'REPLACE', library("redis.register_function('plain', function() end)", 'Single')],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'Single'],
  ['FUNCTION', 'LIST', 'WITHCODE', 'WITHCODE'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'a', 'LIBRARYNAME', 'b'],
  ['FUNCTION', 'DELETE', 'Single'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME', 'nothing*'],
  ['FUNCTION', 'LIST', 'LIBRARYNAME'],
  ['FUNCTION', 'LIST', 'WHAT'],
  ['FUNCTION', 'LOAD', 'return 1'],
  ['FUNCTION', 'LOAD', '#!lua name=x'],
  ['FUNCTION', 'LOAD', '#!lua\nreturn 1'],
  ['FUNCTION', 'LOAD', '#!lua name=a name=b\nreturn 1'],
  ['FUNCTION', 'LOAD', '#!lua what=a\nreturn 1'],
  ['FUNCTION', 'LOAD', '#!js name=a\nreturn 1'],
  ['FUNCTION', 'LOAD', '#!lua name=a-b\nreturn 1'],
  ['FUNCTION', 'LOAD', 'WHAT', LIBRARY],
  ['FUNCTION', 'LOAD', library('return 1')],
  ['FUNCTION', 'LOAD', library('retur 1')],
  ['FUNCTION', 'LOAD', library("error('x')")],
  ['FUNCTION', 'LOAD', library("error({err='x'})")],
  ['FUNCTION', 'LOAD', library('x = 1')],
  ['FUNCTION', 'LOAD', library('return math.random()')],
  ['FUNCTION', 'LOAD', library("redis.call('ping')")],
  ['FUNCTION', 'LOAD', library("return redis.pcall('ping')")],
  ['FUNCTION', 'LOAD', library('redis.setresp(3)')],
  ['FUNCTION', 'LOAD', library("redis.register_function('add', function() end)")],
  ['FUNCTION', 'LOAD', library("redis.register_function('a-b', function() end)")],
  [
    'FUNCTION',
    'LOAD',
    library("redis.register_function('p', function() end) redis.register_function('p', function() end)"),
  ],
  ['FUNCTION', 'LOAD', library('redis.register_function()')],
  ['FUNCTION', 'LOAD', library('redis.register_function(1,2,3)')],
  ['FUNCTION', 'LOAD', library("redis.register_function('p')")],
  ['FUNCTION', 'LOAD', library("redis.register_function('p', 1)")],
  ['FUNCTION', 'LOAD', library('redis.register_function({}, function() end)')],
  ['FUNCTION', 'LOAD', library('redis.register_function{}')],
  ['FUNCTION', 'LOAD', library("redis.register_function{function_name='p'}")],
  ['FUNCTION', 'LOAD', library('redis.register_function{function_name={}, callback=function() end}')],
  ['FUNCTION', 'LOAD', library("redis.register_function{function_name='p', callback=1}")],
  ['FUNCTION', 'LOAD', library("redis.register_function{function_name='p', callback=function() end, flags=1}")],
  ['FUNCTION', 'LOAD', library("redis.register_function{function_name='p', callback=function() end, flags={'x'}}")],
  ['FUNCTION', 'LOAD', library("redis.register_function{function_name='p', callback=function() end, what=1}")],
  ['FUNCTION', 'LOAD', library('redis.register_function{1}')],
  ['FUNCTION', 'LOAD', library("redis.register_function('p', function() return redis.register_function end)")],
  ['FCALL', 'p', '0'],
  ['FUNCTION', 'DELETE', 'nosuch'],
  ['FUNCTION', 'DELETE', 'other'],
  ['FCALL', 'p', '0'],
  ['FUNCTION', 'RESTORE', 'x'],
  ['FUNCTION', 'RESTORE', 'x', 'WHAT'],
  ['FUNCTION', 'RESTORE', 'x', 'FLUSH', 'y'],
  ['FUNCTION', 'FLUSH', 'WHAT'],
  ['FUNCTION', 'KILL'],
  ['SCRIPT', 'KILL'],
  ['FUNCTION', 'NOSUCH'],
  ['FUNCTION'],
  ['SCRIPT', 'EXISTS', 'x', 'y'],
  ['SCRIPT', 'LOAD', 'return 1'],
  ['SCRIPT', 'LOAD', 'retur 1'],
  ['SCRIPT', 'EXISTS', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', 'E0E1F9FABFC9D4800C877A703B823AC0578FF8DB'],
  ['EVALSHA', 'E0E1F9FABFC9D4800C877A703B823AC0578FF8DB', '0'],
  ['EVALSHA', 'x', '0'],
  ['EVALSHA', 'x', 'y'],
  ['EVALSHA_RO', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '0'],
  ['SCRIPT', 'FLUSH', 'WHAT'],
  ['SCRIPT', 'FLUSH', 'SYNC'],
  ['EVALSHA', 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db', '0'],
  ['SCRIPT', 'DEBUG', 'NO'],
  ['SCRIPT', 'DEBUG', 'WHAT'],
  ['EVAL', 'return 1'],
  ['EVAL', 'return 1', 'x'],
  ['EVAL', 'return 1', '-1'],
  ['EVAL', 'return 1', '3', 'a'],
  ['EVAL_RO', 'return redis.call("get",KEYS[1])', '1', 'k'],
  ['EVAL_RO', 'return redis.call("set",KEYS[1],1)', '1', 'k'],
  ['EVAL_RO', '#!lua\nreturn 1', '0'],
  ['COMMAND', 'GETKEYS', 'EVAL', 'x', '2', 'a', 'b', 'c'],
  ['COMMAND', 'GETKEYS', 'FCALL', 'x', '1', 'a', 'b'],
  // A count that is no number as it should be, or wraps around 32 bits, is read as atoi reads it.
  ['COMMAND', 'GETKEYSANDFLAGS', 'EVAL_RO', 'x', '01', 'a', 'b'],
  ['COMMAND', 'GETKEYSANDFLAGS', 'ZDIFFSTORE', 'd', '1.5', 'a', 'b'],
  ['COMMAND', 'GETKEYSANDFLAGS', 'LMPOP', '4294967297', 'a', 'b'],
  ['COMMAND', 'GETKEYSANDFLAGS', 'ZINTER', ' +2', 'a', 'b'],
  ['COMMAND', 'GETKEYS', 'ZINTER', '-1', 'a', 'b'],
  ['COMMAND', 'GETKEYS', 'ZINTER', '2147483649', 'a', 'b'],
  ['COMMAND', 'GETKEYS', 'SINTERCARD', '99999999999999999999', 'a', 'b'],
  ['MULTI'],
  ['EVAL', 'return redis.call("incr","n")', '0'],
  ['EVAL', 'return redis.call("nosuch")', '0'],
  ['FCALL', 'add', '1', 'n', '1'],
  ['EXEC'],
  ['GET', 'n'],
]

describe.skipIf(!redisAvailable())('scripts answer as redis-server does', () => {
  let servers: readonly [TestServer, TestServer]
  let clients: readonly [RawClient, RawClient]

  const send = async (args: readonly Argument[]): Promise<readonly [string, string]> => {
    const replies = await Promise.all(clients.map((client) => client.command(...args)))
    return [replies[0]!.toString('latin1'), replies[1]!.toString('latin1')]
  }
  const prepare = async (version: number): Promise<void> => {
    await send(['HELLO', String(version)])
    for (const command of SETUP) await send(command)
  }

  beforeAll(async () => {
    servers = [await startCinnabar(), await startRedis()]
    clients = [await servers[0].connect(), await servers[1].connect()]
  })
  afterAll(async () => {
    for (const client of clients) await client.close()
    for (const server of servers) await server.stop()
  })

  describe.each([2, 3])('in RESP%i', (version) => {
    test.each(Object.keys(SCRIPTS))('%s', async (group) => {
      await prepare(version)
      const unlike: unknown[] = []
      for (const script of SCRIPTS[group]!) {
        const [ours, redis] = await send(['EVAL', script, '4', 'k', 'l', 'n', 'h', 'a', 'b', '7'])
        if (ours !== redis && !KNOWN.test(script)) unlike.push({ script, ours, redis })
      }
      expect(unlike).toEqual([])
    })

    test('a script that speaks RESP3 itself', async () => {
      await prepare(version)
      await send(['ZADD', 'z', '1.5', 'a'])
      for (const call of ["'hgetall','h'", "'zrange','z',0,-1,'withscores'", "'zscore','z','a'", "'get','none'"]) {
        for (const shape of [`return redis.call(${call})`, `return cjson.encode(redis.call(${call}) or 'no')`]) {
          const [ours, redis] = await send(['EVAL', `redis.setresp(3) ${shape}`, '0'])
          expect({ shape, reply: ours }).toEqual({ shape, reply: redis })
        }
      }
      for (const shape of ['true', 'false', '{true,false}', '{map={a=true}}', '{set={a=true}}', '{double=1}']) {
        const [ours, redis] = await send(['EVAL', `redis.setresp(3) return ${shape}`, '0'])
        expect({ shape, reply: ours }).toEqual({ shape, reply: redis })
      }
    })

    test('functions and cached scripts', async () => {
      await prepare(version)
      await send(['FUNCTION', 'FLUSH'])
      const unlike: unknown[] = []
      for (const args of FUNCTIONS) {
        const [ours, redis] = await send(args)
        if (ours !== redis) unlike.push({ args: args.join(' ').slice(0, 200), ours, redis })
      }
      expect(unlike).toEqual([])
    })
  })

  test('libraries go from one to the other in RDB files, and back', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cinnabar-functions-'))
    onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
    const more = LIBRARY.replaceAll('mylib', 'more').replaceAll(/'(\w+)'(?=[,}\n])/g, "'$1_more'")
    for (const [starter, code] of [
      [startCinnabar, LIBRARY],
      [startRedis, more],
      [startCinnabar, ''],
    ] as const) {
      const server = await starter({ dir })
      const client = await server.connect()
      if (code !== LIBRARY) expect(String(await client.command('FCALL', 'look', '1', 'k'))).toBe('$-1\r\n')
      if (code === '') expect(String(await client.command('FCALL', 'fail_more', '0'))).toContain('@user_function:')
      else expect(String(await client.command('FUNCTION', 'LOAD', code))).toMatch(/^\$/)
      await client.command('SAVE')
      await client.close()
      await server.stop()
    }
  })

  test('libraries go from one to the other by FUNCTION DUMP, and back', async () => {
    await prepare(2)
    const [ours, redis] = clients
    for (const client of clients) await client.command('FUNCTION', 'FLUSH')
    await ours.command('FUNCTION', 'LOAD', LIBRARY)
    const dumped = body(await ours.command('FUNCTION', 'DUMP'))
    expect(String(await redis.command('FUNCTION', 'RESTORE', dumped))).toBe('+OK\r\n')
    expect(String(await redis.command('FCALL', 'look', '1', 'k'))).toBe('$4\r\ntext\r\n')
    const back = body(await redis.command('FUNCTION', 'DUMP'))
    expect(String(await ours.command('FUNCTION', 'RESTORE', back))).toBe('-ERR Library mylib already exists\r\n')
    expect(String(await ours.command('FUNCTION', 'RESTORE', back, 'REPLACE'))).toBe('+OK\r\n')
    expect(String(await ours.command('FUNCTION', 'RESTORE', back, 'FLUSH'))).toBe('+OK\r\n')
    expect(String(await ours.command('FCALL', 'look', '1', 'k'))).toBe('$4\r\ntext\r\n')
  })
})

/** The content of a bulk string. */
const body = (reply: Buffer): Buffer => reply.subarray(reply.indexOf('\n') + 1, -2)
