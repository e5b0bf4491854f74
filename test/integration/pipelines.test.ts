/* Requests of one read are looked at together before the first of them runs: keys are hashed and read ahead, and a key
 * that one request after the other names is looked up once. None of it may show: a pipeline gets the replies that the
 * same requests get one by one, whatever those do to the keys meanwhile. */
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { type Argument, encode } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { ask, connect, useServer } from './support.ts'

type Command = readonly Argument[]

const KEYS = ['a', 'b', 'c']
const PIPELINES = 60
const LENGTH_MAX = 40

const server = useServer()

async function fresh() {
  const client = await connect(server())
  await ask(client, 'FLUSHALL')
  return client
}

async function inOneWrite(commands: readonly Command[]): Promise<string[]> {
  const client = await fresh()
  client.send(Buffer.concat(commands.map((command) => encode(...command))))
  return shown(commands, await client.replies(commands.length))
}

async function oneByOne(commands: readonly Command[]): Promise<string[]> {
  const client = await fresh()
  const replies: Buffer[] = []
  for (const command of commands) replies.push(await client.command(...command))
  return shown(commands, replies)
}

/** Which key RANDOMKEY answers is no matter of pipelines. */
function shown(commands: readonly Command[], replies: readonly Buffer[]): string[] {
  return replies.map((reply, index) => (commands[index]?.[0] === 'RANDOMKEY' ? 'a key' : String(reply)))
}

/** Commands that give a key another entry, move or take it, or look for others, among those that only use it. */
const CHANGES: ((key: string, other: string) => readonly Command[])[] = [
  (key) => [['DEL', key]],
  (key, other) => [['RENAME', key, other]],
  (key, other) => [['COPY', key, other, 'REPLACE']],
  (key, other) => [['MGET', key, other]],
  (_, other) => [['EXISTS', other]],
  (key) => [['SET', key, 'long enough to need another block than before']],
  (key) => [['EXPIRE', key, '1000']],
  (key) => [['PERSIST', key]],
  (key) => [['PEXPIRE', key, '-1']],
  (key) => [['GETDEL', key]],
  (key, other) => [['LMOVE', key, other, 'LEFT', 'RIGHT']],
  () => [['RANDOMKEY']],
  () => [['FLUSHDB'], ['DBSIZE']],
  () => [['FLUSHALL']],
  () => [['SELECT', '1']],
  () => [['SELECT', '0']],
  () => [['SWAPDB', '0', '1']],
  (key) => [['MOVE', key, '1']],
  (key, other) => [['MULTI'], ['LPUSH', other, 'queued'], ['DEL', key], ['EXEC']],
  (key, other) => [['EVAL', 'redis.call("RPUSH", KEYS[1], "1") return redis.call("DEL", KEYS[2])', '2', other, key]],
]

const USES: ((key: string) => Command)[] = [
  (key) => ['LPUSH', key, 'x'],
  (key) => ['RPUSH', key, 'y', 'z'],
  (key) => ['LPOP', key],
  (key) => ['RPOP', key],
  (key) => ['LLEN', key],
  (key) => ['INCR', key],
  (key) => ['APPEND', key, '1'],
  (key) => ['SADD', key, 'member'],
  (key) => ['HSET', key, 'field', 'value'],
  (key) => ['TYPE', key],
]

function randomPipeline(random: Random): Command[] {
  const below = (count: number) => random.below(count)
  const commands: Command[] = []
  const length = 2 + below(LENGTH_MAX)
  let key = KEYS[0]!
  while (commands.length < length) {
    if (below(6) === 0) key = KEYS[below(KEYS.length)]!
    if (below(4) === 0) commands.push(...CHANGES[below(CHANGES.length)]!(key, KEYS[below(KEYS.length)]!))
    else commands.push(USES[below(USES.length)]!(key))
  }
  return commands
}

describe('a pipeline gets the replies that its requests get one by one', () => {
  test('when its keys come, change, move and go meanwhile', async () => {
    const seed = testSeed()
    const random = new Random(seed)
    for (let round = 0; round < PIPELINES; round++) {
      const commands = randomPipeline(random)
      const words = commands.map((command) => command.join(' ')).join(' | ')
      expect(await inOneWrite(commands), `seed ${seed}: ${words}`).toEqual(await oneByOne(commands))
    }
  })

  test('when the list that is pushed to is renamed and another one takes its block', async () => {
    const commands = [
      ['LPUSH', 'a', '1'],
      ['LPUSH', 'a', '2'],
      ['RENAME', 'a', 'b'],
      ['LPUSH', 'a', '3'],
      ['LLEN', 'b'],
    ]
    expect(await inOneWrite(commands)).toEqual([':1\r\n', ':2\r\n', '+OK\r\n', ':1\r\n', ':2\r\n'])
  })

  test('when a script gives the block of a key, and perhaps its place in the table, to another key', async () => {
    const script = 'redis.call("DEL", "a") return redis.call("SET", KEYS[1], "12")'
    const client = await fresh()
    for (let number = 0; number < 64; number++) {
      const other = String(number % 10)
      const commands = [
        ['SET', 'a', '34'],
        ['GET', 'a'],
        ['EVAL', script, '1', other],
        ['GET', 'a'],
        ['DEL', other],
      ]
      client.send(Buffer.concat(commands.map((command) => encode(...command))))
      const replies = (await client.replies(commands.length)).map(String)
      expect(replies).toEqual(['+OK\r\n', '$2\r\n34\r\n', '+OK\r\n', '$-1\r\n', ':1\r\n'])
    }
  })

  test('when all databases are emptied, or change places, between two uses of a key', async () => {
    const commands = [['RPUSH', 'a', '1'], ['RPUSH', 'a', '2'], ['FLUSHALL'], ['RPUSH', 'a', '3'], ['SWAPDB', '0', '1']]
    const rest = [
      ['RPUSH', 'a', '4'],
      ['SELECT', '1'],
      ['RPUSH', 'a', '5'],
      ['LRANGE', 'a', '0', '-1'],
    ]
    const replies = [':1\r\n', ':2\r\n', '+OK\r\n', ':1\r\n', '+OK\r\n', ':1\r\n', '+OK\r\n', ':2\r\n']
    expect(await inOneWrite([...commands, ...rest])).toEqual([...replies, '*2\r\n$1\r\n3\r\n$1\r\n5\r\n'])
  })
})
