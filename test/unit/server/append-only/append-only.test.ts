/* What the append-only file holds, and what becomes of it at run time: on and off, rewrites, timestamps, WAITAOF. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { COMPLETE, Decoder } from '../../../../src/protocol/decoder.ts'
import { type Running, start, temporaryDirectory } from './support.ts'

async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds() && Date.now() < end; ) await sleep(1)
  expect(holds()).toBe(true)
}

const rewritten = ({ server }: Running) => until(() => !server.appendOnly.rewrite.inProgress)

const path = (dir: string, name: string) => join(dir, 'appendonlydir', name)

const manifestOf = (dir: string) => readFileSync(path(dir, 'appendonly.aof.manifest'), 'utf8').trim().split('\n')

/** The commands of a file, a line each. */
function commandsIn(dir: string, name: string): string[] {
  const bytes = readFileSync(path(dir, name))
  const decoder = new Decoder()
  const lines: string[] = []
  while (decoder.at < bytes.length) {
    expect(decoder.decode(bytes, bytes.length)).toBe(COMPLETE)
    const words: string[] = []
    for (let index = 0; index < decoder.argc; index++) {
      words.push(bytes.toString('latin1', decoder.pos[index], decoder.pos[index]! + decoder.len[index]!))
    }
    lines.push(words.join(' '))
  }
  return lines
}

test('a base of commands has every type in the form of Redis, 64 elements to a command', async () => {
  const dir = temporaryDirectory()
  const running = await start(dir, { 'aof-use-rdb-preamble': 'no' })
  const { ask } = running
  const numbers = Array.from({ length: 100 }, (_, index) => String(index))
  const members = numbers.map((number) => `m${number}`)
  ask('SET', 'string', 'text')
  ask('SET', 'number', '-5', 'PXAT', '4000000000000')
  ask('RPUSH', 'list', ...numbers)
  ask('SADD', 'intset', '3', '1', '2')
  ask('SADD', 'set', ...members, 'x'.repeat(100))
  ask('HSET', 'small', 'f', '1')
  ask('HSET', 'hash', ...members.flatMap((member) => [member, 'v']), 'long', 'x'.repeat(100))
  ask('ZADD', 'zset', '0.1', 'a', '-inf', 'b', '3e100', 'c')
  ask('ZADD', 'large', ...members.flatMap((member, index) => [String(index / 8), member]), '0', 'x'.repeat(100))
  ask('SELECT', '3')
  ask('SET', 'other', '1')
  const digest = ask('DEBUG', 'DIGEST')
  ask('BGREWRITEAOF')
  await rewritten(running)
  const lines = commandsIn(dir, 'appendonly.aof.2.base.aof')
  expect(lines.at(-2)).toBe('SELECT 3')
  expect(lines.slice(0, -2)).toContain('SELECT 0')
  const own = (key: string) => lines.filter((line) => line.split(' ')[1] === key)
  expect(own('string')).toEqual(['SET string text'])
  expect(own('number')).toEqual(['SET number -5', 'PEXPIREAT number 4000000000000'])
  expect(own('list')).toEqual([
    `RPUSH list ${numbers.slice(0, 64).join(' ')}`,
    `RPUSH list ${numbers.slice(64).join(' ')}`,
  ])
  expect(own('intset')).toEqual(['SADD intset 1 2 3'])
  expect(own('set').map((line) => line.split(' ').length - 2)).toEqual([64, 37])
  expect(own('small')).toEqual(['HMSET small f 1'])
  expect(own('hash').map((line) => line.split(' ').length - 2)).toEqual([128, 74])
  expect(own('zset')).toEqual(['ZADD zset -inf b 0.10000000000000001 a 2.9999999999999999e+100 c'])
  expect(own('large').map((line) => line.split(' ').length - 2)).toEqual([128, 74])
  running.server.close()
  const again = await start(dir)
  expect(again.ask('DEBUG', 'DIGEST')).toBe(digest)
})

test('turned on at run time, it begins with what there is, and takes effect when that is written', async () => {
  const dir = temporaryDirectory()
  const running = await start(dir, { appendonly: 'no' })
  const { ask, server } = running
  ask('SET', 'before', '1')
  expect(existsSync(join(dir, 'appendonlydir'))).toBe(false)
  expect(ask('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK\r\n')
  ask('SET', 'meanwhile', '1')
  server.appendOnly.flush(true)
  expect(readdirSync(join(dir, 'appendonlydir'))).toEqual(['temp-appendonly.aof.incr'])
  await rewritten(running)
  expect(manifestOf(dir)).toEqual([
    'file appendonly.aof.1.base.rdb seq 1 type b',
    'file appendonly.aof.1.incr.aof seq 1 type i',
  ])
  expect(commandsIn(dir, 'appendonly.aof.1.incr.aof')).toEqual(['SELECT 0', 'SET meanwhile 1'])
  ask('SET', 'after', '1')
  expect(ask('CONFIG', 'SET', 'appendonly', 'no')).toBe('+OK\r\n')
  ask('SET', 'off', '1')
  expect(ask('INFO', 'persistence')).toContain('aof_enabled:0')
  expect(ask('CONFIG', 'SET', 'appendonly', 'yes')).toBe('+OK\r\n')
  await rewritten(running)
  expect(manifestOf(dir)).toEqual([
    'file appendonly.aof.2.base.rdb seq 2 type b',
    'file appendonly.aof.2.incr.aof seq 2 type i',
  ])
  server.close()
  const again = await start(dir)
  expect(again.ask('EXISTS', 'before', 'meanwhile', 'after', 'off')).toBe(':4\r\n')
})

test('it is rewritten by itself when it has grown', async () => {
  const dir = temporaryDirectory()
  const running = await start(dir, { 'auto-aof-rewrite-min-size': '1000', 'auto-aof-rewrite-percentage': '100' })
  const { ask, server, log } = running
  for (let left = 50; left > 0; left--) ask('SET', 'key', 'x'.repeat(50))
  server.appendOnly.flush(true)
  server.appendOnly.rewrite.tick()
  expect(log.text).toMatch(/Starting automatic rewriting of AOF on \d+% growth/)
  await rewritten(running)
  expect(ask('INFO', 'persistence')).toMatch(/aof_rewrites:1\r\n/)
  server.appendOnly.rewrite.tick()
  expect(server.appendOnly.rewrite.inProgress).toBe(false)
  await until(() => !existsSync(path(dir, 'appendonly.aof.1.incr.aof')))
})

test('while history is kept, the manifest lists it', async () => {
  const dir = temporaryDirectory()
  const running = await start(dir, { 'aof-disable-auto-gc': 'yes' })
  for (let round = 0; round < 2; round++) {
    running.ask('BGREWRITEAOF')
    await rewritten(running)
  }
  expect(manifestOf(dir)).toEqual([
    'file appendonly.aof.3.base.rdb seq 3 type b',
    'file appendonly.aof.2.incr.aof seq 2 type h',
    'file appendonly.aof.2.base.rdb seq 2 type h',
    'file appendonly.aof.1.incr.aof seq 1 type h',
    'file appendonly.aof.1.base.rdb seq 1 type h',
    'file appendonly.aof.3.incr.aof seq 3 type i',
  ])
  running.ask('CONFIG', 'SET', 'aof-disable-auto-gc', 'no')
  expect(manifestOf(dir)).toHaveLength(2)
  expect(existsSync(path(dir, 'appendonly.aof.1.base.rdb'))).toBe(false)
})

test('a file that the manifest does not list, or lists as done with, is not gone on with', async () => {
  const dir = temporaryDirectory()
  const first = await start(dir)
  first.ask('INCR', 'n')
  first.server.close()
  const second = await start(dir, { appendonly: 'no', 'aof-disable-auto-gc': 'yes' })
  second.ask('SET', 'n', '5')
  second.ask('BGREWRITEAOF')
  await rewritten(second)
  second.server.close()
  const names = (running: Running) => running.server.appendOnly.manifest.files.map(({ name }) => name)
  expect(names(second)).toEqual(['appendonly.aof.2.base.rdb'])
  writeFileSync(path(dir, 'appendonly.aof.2.incr.aof'), '*2\r\n$4\r\nINCR\r\n$1\r\nn\r\n')
  const third = await start(dir)
  expect(names(third)).toEqual(['appendonly.aof.2.base.rdb', 'appendonly.aof.2.incr.aof'])
  expect(third.ask('INCR', 'n')).toBe(':6\r\n')
  third.server.close()
  const fourth = await start(dir)
  expect(fourth.restored).toBe(true)
  expect(fourth.ask('GET', 'n')).toBe('$1\r\n6\r\n')
})

test('a line with the time stands before the first command of each second', async () => {
  const dir = temporaryDirectory()
  const { ask, server } = await start(dir, { 'aof-timestamp-enabled': 'yes' })
  ask('SET', 'a', '1')
  ask('SET', 'a', '2')
  server.close()
  const text = readFileSync(path(dir, 'appendonly.aof.1.incr.aof'), 'latin1')
  expect(text).toMatch(/^#TS:\d{10}\r\n\*2\r\n\$6\r\nSELECT\r\n/)
  expect((await start(dir)).ask('GET', 'a')).toBe('$1\r\n2\r\n')
})

test('a rewrite begins when nothing else is being written, and one at a time', async () => {
  const running = await start(temporaryDirectory())
  const { ask, server } = running
  for (let key = 0; key < 2000; key++) ask('SET', `key:${key}`, 'v')
  expect(ask('BGREWRITEAOF')).toBe('+Background append only file rewriting started\r\n')
  expect(ask('BGREWRITEAOF')).toBe('-ERR Background append only file rewriting already in progress\r\n')
  expect(ask('BGSAVE')).toMatch(/^-ERR Another child process is active/)
  await rewritten(running)
  expect(ask('BGSAVE')).toBe('+Background saving started\r\n')
  expect(ask('BGREWRITEAOF')).toBe('+Background append only file rewriting scheduled\r\n')
  expect(ask('INFO', 'persistence')).toContain('aof_rewrite_scheduled:1')
  await until(() => !server.persistence.background.inProgress)
  server.appendOnly.rewrite.tick()
  expect(server.appendOnly.rewrite.inProgress).toBe(true)
  await rewritten(running)
})
