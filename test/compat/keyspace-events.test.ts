/* The events of changes, against the keyspace notifications of redis-server: names, order, key and database. The events
 * are taken where they arise, by a listener of a keyspace without a server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Call } from '../../src/commands/call.ts'
import { CommandTable } from '../../src/commands/command-table.ts'
import { databaseCommands, selectCommands } from '../../src/commands/databases.ts'
import { Dispatcher } from '../../src/commands/dispatcher.ts'
import { keyCommands } from '../../src/commands/keys.ts'
import { keyExpiryCommands } from '../../src/commands/keys-expiry.ts'
import { keyMoveCommands } from '../../src/commands/keys-move.ts'
import { objectCommands } from '../../src/commands/keys-object.ts'
import { keyScanCommands } from '../../src/commands/keys-scan.ts'
import { lcsCommands } from '../../src/commands/lcs.ts'
import { Session } from '../../src/commands/session.ts'
import { stringCommands } from '../../src/commands/strings.ts'
import { stringRangeCommands } from '../../src/commands/strings-ranges.ts'
import type { Database } from '../../src/keyspace/database.ts'
import type { KeyEvent } from '../../src/keyspace/events.ts'
import { Keyspace } from '../../src/keyspace/keyspace.ts'
import { latin1 } from '../../src/lib/bytes.ts'
import { Reply } from '../../src/protocol/reply.ts'
import { type Argument, encode, type RawClient } from '../helpers/raw-client.ts'
import { testSeed } from '../helpers/seed.ts'
import { redisAvailable, startRedis, type TestServer } from '../helpers/servers.ts'
import { Generator } from './string-key-commands.ts'

const FAMILIES = [
  stringCommands,
  stringRangeCommands,
  lcsCommands,
  keyCommands,
  keyExpiryCommands,
  keyMoveCommands,
  keyScanCommands,
  objectCommands,
  databaseCommands,
  selectCommands,
]

/** The commands at work on a keyspace of their own. */
class Engine {
  readonly keyspace = new Keyspace(16)
  private readonly dispatcher: Dispatcher
  private readonly call: Call
  private events: string[] = []

  constructor() {
    const table = new CommandTable()
    for (const commands of FAMILIES) table.register(commands)
    this.dispatcher = new Dispatcher(table, this.keyspace)
    this.call = new Call(this.keyspace, new Session(1), new Reply())
    this.keyspace.listen({
      keyChanged: (db: Database, bytes: Uint8Array, pos: number, len: number, event: KeyEvent) => {
        if (event.name === '') return // of some changes no notification tells
        this.events.push(`${db.id} ${event.name} ${latin1(bytes, pos, len)}`)
      },
      flushed: () => undefined,
      swapped: () => undefined,
    })
  }

  /** What happened to which keys during a command, in order. */
  run(args: readonly Argument[]): string[] {
    const { call, dispatcher } = this
    const words = args.map((arg) => (typeof arg === 'object' ? arg : Buffer.from(String(arg))))
    call.bytes = new Uint8Array(Buffer.concat(words))
    call.argc = words.length
    let pos = 0
    words.forEach((word, index) => {
      call.pos[index] = pos
      call.len[index] = word.length
      pos += word.length
    })
    call.command = null
    this.events = []
    dispatcher.begin()
    dispatcher.dispatch(call)
    call.reply.truncate(0)
    return this.events
  }
}

/** A redis-server that tells of its events. */
class Original {
  private readonly client: RawClient
  private readonly subscriber: RawClient

  constructor(client: RawClient, subscriber: RawClient) {
    this.client = client
    this.subscriber = subscriber
  }

  static async of(server: TestServer): Promise<Original> {
    const original = new Original(await server.connect(), await server.connect())
    await original.client.command('CONFIG', 'SET', 'notify-keyspace-events', 'EAmn')
    await original.client.command('DEBUG', 'SET-ACTIVE-EXPIRE', '0')
    await original.subscriber.command('PSUBSCRIBE', '__keyevent@*__:*')
    return original
  }

  async run(args: readonly Argument[]): Promise<string[]> {
    this.client.send(encode(...args))
    await this.client.reply()
    this.subscriber.send(encode('PING'))
    const events: string[] = []
    for (;;) {
      const message = (await this.subscriber.reply()).toString('latin1')
      const found = /__keyevent@(\d+)__:(.+)\r\n\$\d+\r\n([\s\S]*)\r\n$/.exec(message)
      if (found === null) return events
      events.push(`${found[1]} ${found[2]} ${found[3]}`)
    }
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.subscriber.close()
  }
}

const LINES = `
  SET a 1 | SET a 2 | SET a 3 EX 100 | SET a 4 KEEPTTL | SET a 5 XX GET | SET b 1 XX GET | SET b 1 NX GET EX 100 |
  SET c 1 PXAT 1 | GET c | SETEX a 100 x | PSETEX a 100000 x | SETNX a 1 | SETNX d 1 | GETSET d 2 | GETSET e 3 |
  GETDEL e | GETDEL e | GETEX a | GETEX a EX 50 | GETEX a PERSIST | GETEX a PERSIST | GETEX a EXAT 1 | GETEX a |
  MSET a 1 b 2 a 3 | MSETNX a 1 z 2 | MSETNX y 1 z 2 y 3 | MGET a nope nope2 | INCR n | INCR n | DECR n |
  DECRBY n 5 | INCRBY a x | INCRBYFLOAT n 1.5 | INCRBYFLOAT m 1 | APPEND n 5 | APPEND o x | APPEND o '' |
  SETRANGE o 3 x | SETRANGE p 3 x | SETRANGE q 3 '' | STRLEN nope | GETRANGE nope 0 1 | LCS a nope | TYPE nope |
  TTL nope | EXISTS nope a | TOUCH nope a | OBJECT ENCODING nope | DEL a nope b | UNLINK nope z | SET a 1 |
  RENAME a b | SET c 1 | RENAME b c | RENAMENX c d | RENAMENX c f | RENAME f f | RENAME nope f | COPY f g |
  COPY f g | COPY f g REPLACE | COPY nope g | COPY f f DB 1 | MOVE f 2 | MOVE f 2 | SELECT 2 | EXPIRE f 100 |
  EXPIRE f 100 NX | EXPIRE f -1 | EXPIRE f 10 | SET f 1 | PEXPIREAT f 1 | SET f 1 EX 100 | PERSIST f | PERSIST f |
  RENAME f h | SET x 1 PXAT 1 | EXISTS x | SET x 1 PXAT 1 | DEL x | SET x 1 PXAT 1 | SET x 2 | SET x 1 PXAT 1 |
  SETNX x 2 | SET x 1 PXAT 1 | KEYS * | SCAN 0 COUNT 100 | SET x 1 PXAT 1 | RENAME h x | SET w 1 PXAT 1 | COPY x w |
  SET w 1 PXAT 1 | MOVE w 3 | SELECT 3 | SET x 1 PXAT 1 | SELECT 2 | MOVE x 3 | SWAPDB 2 3 | FLUSHDB | FLUSHALL |
  RANDOMKEY | SET w 1 PXAT 1 | RANDOMKEY | DBSIZE`

describe.skipIf(!redisAvailable())('events are those of redis-server', () => {
  let server: TestServer
  let original: Original

  beforeAll(async () => {
    server = await startRedis({ args: ['--enable-debug-command', 'yes'] })
    original = await Original.of(server)
  })
  afterAll(async () => {
    await original.close()
    await server.stop()
  })

  test('of every command about strings and keys', async () => {
    const engine = new Engine()
    await original.run(['FLUSHALL'])
    for (const line of LINES.split(/[|\n]/)) {
      if (line.trim() === '') continue
      const args = line
        .trim()
        .split(' ')
        .map((word) => (word === "''" ? '' : word))
      expect({ line, events: engine.run(args) }).toEqual({ line, events: await original.run(args) })
    }
  })

  test('of random commands', async () => {
    const seed = testSeed()
    const generator = new Generator(seed)
    const engine = new Engine()
    await original.run(['FLUSHALL'])
    await original.run(['SELECT', 0])
    let count = 0
    for (let step = 0; step < 5000; step++) {
      const args = generator.next()
      const where = `seed ${seed}, step ${step}: ${args.join(' ').slice(0, 200)}`
      const events = engine.run(args)
      count += events.length
      expect({ where, events }).toEqual({ where, events: await original.run(args) })
    }
    expect(count).toBeGreaterThan(2500)
  })
})
