import { describe, expect, test } from 'vitest'
import { RawClient } from '../helpers/raw-client.ts'
import { sleep, startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK, putToSleep, useServer } from './support.ts'

const REFUSED = /^-ERR DEBUG command not allowed\. If the enable-debug-command option is set to "local", /

describe('DEBUG is allowed', () => {
  test('to nobody, unless the configuration says so', async () => {
    const server = await startCinnabar()
    try {
      const client = await connect(server)
      expect(await ask(client, 'DEBUG', 'SLEEP', '0')).toMatch(REFUSED)
      expect(await ask(client, 'DEBUG', 'HELP')).toMatch(REFUSED)
      expect(await ask(client, 'CONFIG', 'SET', 'enable-debug-command', 'yes')).toMatch(/^-ERR CONFIG SET failed/)
    } finally {
      await server.stop()
    }
  })

  test('to clients of this machine, if it says local', async () => {
    const server = await startCinnabar({ args: ['--enable-debug-command', 'local', '--unixsocket', 'x.sock'] })
    try {
      const clients = [await connect(server), await RawClient.connect({ path: `${server.dir}/x.sock` })]
      for (const client of clients) expect(await ask(client, 'DEBUG', 'SLEEP', '0')).toBe(OK)
      await clients[1]!.close()
    } finally {
      await server.stop()
    }
  })
})

describe('DEBUG', () => {
  const server = useServer({ args: ['--enable-debug-command', 'yes'] })

  test('DIGEST is that of redis-server for the same data, whatever the order in which it came', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    expect(await ask(client, 'DEBUG', 'DIGEST')).toBe(`+${'0'.repeat(40)}\r\n`)
    await ask(client, 'SELECT', '3')
    await ask(client, 'SET', 'x', 'y')
    await ask(client, 'SELECT', '0')
    await ask(client, 'SET', 'e', 'x', 'EX', '1000')
    await ask(client, 'SET', 'n', '12345')
    await ask(client, 'SET', 'foo', 'bar')
    // As redis-server 7.2.4 answered for SET foo bar, SET n 12345, SET e x EX 100000, and SET x y in database 3.
    expect(await ask(client, 'DEBUG', 'DIGEST')).toBe('+5a298e3c9ac0555127ce731f1ba42ade30469b6a\r\n')
    expect(await ask(client, 'DEBUG', 'DIGEST-VALUE', 'foo', 'n', 'none')).toBe(
      '*3\r\n+68467c70ae30376e7ce005bcc8827f5ba7fd67dc\r\n+e1cf90774e995ae03de66e8109dc5cb9d9c2dc83\r\n' +
        `+${'0'.repeat(40)}\r\n`,
    )
    await ask(client, 'SET', 'foo', 'baz')
    expect(await ask(client, 'DEBUG', 'DIGEST')).not.toBe('+5a298e3c9ac0555127ce731f1ba42ade30469b6a\r\n')
  })

  test('POPULATE makes keys that are not there, of the size wanted', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    await ask(client, 'SET', 'key:1', 'mine')
    expect(await ask(client, 'DEBUG', 'POPULATE', '3')).toBe(OK)
    expect(await ask(client, 'MGET', 'key:0', 'key:1', 'key:2')).toBe(
      '*3\r\n$7\r\nvalue:0\r\n$4\r\nmine\r\n$7\r\nvalue:2\r\n',
    )
    expect(await ask(client, 'DEBUG', 'POPULATE', '2', 'p', '9')).toBe(OK)
    expect(await ask(client, 'GET', 'p:1')).toBe('$9\r\nvalue:1\0\0\r\n')
    expect(await ask(client, 'DEBUG', 'POPULATE', '2', 'q', '3')).toBe(OK)
    expect(await ask(client, 'GET', 'q:1')).toBe('$3\r\nval\r\n')
    expect(await ask(client, 'DBSIZE')).toBe(':7\r\n')
  })

  test('OBJECT tells how a value is stored', async () => {
    const client = await connect(server())
    await ask(client, 'SET', 'n', '12')
    await ask(client, 'SET', 's', 'abc')
    expect(await ask(client, 'DEBUG', 'OBJECT', 'n')).toMatch(
      /^\+Value at:0x[0-9a-f]+ refcount:1 encoding:int serializedlength:2 lru:\d+ lru_seconds_idle:\d+\r\n$/,
    )
    expect(await ask(client, 'DEBUG', 'OBJECT', 's')).toContain('encoding:embstr serializedlength:4 ')
    expect(await ask(client, 'DEBUG', 'OBJECT', 'none')).toBe('-ERR no such key\r\n')
    expect(await ask(client, 'DEBUG', 'SDSLEN', 's')).toMatch(/^\+key_sds_len:1, .* val_sds_len:3, val_sds_avail:\d+, /)
    expect(await ask(client, 'DEBUG', 'SDSLEN', 'n')).toBe('-ERR Not an sds encoded string.\r\n')
  })

  test('HTSTATS tells how full a table is', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    const empty = body(await ask(client, 'DEBUG', 'HTSTATS', '9'))
    expect(empty).toContain('No stats available for empty dictionaries')
    await ask(client, 'DEBUG', 'POPULATE', '1000')
    const text = body(await ask(client, 'DEBUG', 'HTSTATS', '0', 'full'))
    expect(text).toContain('[Dictionary HT]\nHash table 0 stats (main hash table):\n')
    expect(text).toContain(' number of elements: 1000\n')
    const lengths = [...text.matchAll(/^ {3}(\d+): (\d+) \(/gm)].map(
      ([, length, count]) => Number(length) * Number(count),
    )
    expect(lengths.reduce((sum, entries) => sum + entries, 0)).toBe(1000)
    expect(await ask(client, 'DEBUG', 'HTSTATS', '16')).toBe('-ERR Out of range database\r\n')
    expect(await ask(client, 'DEBUG', 'HTSTATS', '-1')).toBe('-ERR Out of range database\r\n')
  })

  test('HTSTATS-KEY, LISTPACK and QUICKLIST look into what is stored so', async () => {
    const client = await connect(server())
    const members = Array.from({ length: 600 }, (_, index) => `m${index}`)
    await ask(client, 'SADD', 'set', ...members)
    await ask(client, 'HSET', 'hash', ...members)
    await ask(client, 'ZADD', 'zset', ...members.flatMap((member) => ['1', member]))
    await ask(client, 'RPUSH', 'list', ...members, 'x'.repeat(9000))
    await ask(client, 'HSET', 'small', 'field', '12')
    for (const [key, count] of [
      ['set', 600],
      ['hash', 300],
      ['zset', 600],
    ] as const) {
      if (key === 'hash') await ask(client, 'HSET', key, 'long', 'x'.repeat(100))
      const text = body(await ask(client, 'DEBUG', 'HTSTATS-KEY', key, 'full'))
      expect(text).toContain(` number of elements: ${key === 'hash' ? count + 1 : count}\n different slots: `)
    }
    expect(await ask(client, 'DEBUG', 'HTSTATS-KEY', 'small')).toMatch(/^-ERR The value stored .* hash table/)
    expect(await ask(client, 'DEBUG', 'LISTPACK', 'small')).toBe('+Listpack structure printed on stdout\r\n')
    await server().waitForLog(/\{total bytes 16\} \{num entries 2\}/)
    expect(await ask(client, 'DEBUG', 'LISTPACK', 'set')).toBe('-ERR Not a listpack encoded object.\r\n')
    expect(await ask(client, 'DEBUG', 'QUICKLIST', 'list')).toBe('+Quicklist structure printed on stdout\r\n')
    await server().waitForLog(/\{node \d\} \{packed\} \{size 90\d\d\} \{count 1\}/)
    expect(await ask(client, 'DEBUG', 'QUICKLIST', 'small')).toBe('-ERR Not a quicklist encoded object.\r\n')
    expect(await ask(client, 'DEBUG', 'LISTPACK', 'none')).toBe('-ERR no such key\r\n')
    expect(await ask(client, 'DEBUG', 'OBJECT', 'small')).toContain(' serializedlength:17 ')
  })

  test('SET-ACTIVE-EXPIRE 0 leaves keys past their time until they are met', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    expect(await ask(client, 'DEBUG', 'SET-ACTIVE-EXPIRE', '0')).toBe(OK)
    await ask(client, 'SET', 'a', 'x', 'PX', '10')
    await ask(client, 'SET', 'b', 'x', 'PX', '10')
    await sleep(400)
    expect(await ask(client, 'DBSIZE')).toBe(':2\r\n')
    expect(await ask(client, 'GET', 'a')).toBe('$-1\r\n')
    expect(await ask(client, 'DBSIZE')).toBe(':1\r\n')
    expect(await ask(client, 'DEBUG', 'SET-ACTIVE-EXPIRE', '1')).toBe(OK)
    await eventually(async () => (await ask(client, 'DBSIZE')) === ':0\r\n', 'an empty database')
  })

  test('SLEEP stops everybody', async () => {
    const [one, other] = [await connect(server()), await connect(server())]
    await ask(other, 'PING')
    const began = performance.now()
    const { awake } = await putToSleep(server(), one, '0.5')
    expect(await ask(other, 'PING')).toBe('+PONG\r\n')
    expect(performance.now() - began).toBeGreaterThanOrEqual(495)
    expect(String((await awake).at(-1))).toBe(`*2\r\n${OK}${OK}`)
  })

  test('ERROR sends the text, on one line, and counts nothing', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'RESETSTAT')
    expect(await ask(client, 'DEBUG', 'ERROR', 'MYCODE two\r\nlines')).toBe('-MYCODE two  lines\r\n')
    expect(body(await ask(client, 'INFO', 'errorstats'))).toBe('# Errorstats\r\n')
  })

  test('CHANGE-REPL-ID and LOG do what they say', async () => {
    const client = await connect(server())
    const id = async () => /master_replid:(\w{40})/.exec(body(await ask(client, 'INFO', 'replication')))![1]
    const before = await id()
    expect(await ask(client, 'DEBUG', 'CHANGE-REPL-ID')).toBe(OK)
    expect(await id()).not.toBe(before)
    expect(await ask(client, 'DEBUG', 'LOG', 'hello there')).toBe(OK)
    await server().waitForLog(/DEBUG LOG: hello there/)
  })

  test('VERIFY checks the memory', async () => {
    const client = await connect(server())
    await ask(client, 'DEBUG', 'POPULATE', '5000', 'v', '2000')
    expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
  })

  test('LOADAOF is refused while there is nothing to load from', async () => {
    const client = await connect(server())
    expect(await ask(client, 'DEBUG', 'LOADAOF')).toBe(
      '-ERR Error trying to load the AOF files, check server logs.\r\n',
    )
  })

  test.each(['SEGFAULT', 'PANIC', 'OOM', 'ASSERT', 'RESTART', 'NOSUCH', 'SLEEP'])(
    '%s alone is refused',
    async (name) => {
      const client = await connect(server())
      expect(await ask(client, 'DEBUG', name)).toBe(
        `-ERR unknown subcommand or wrong number of arguments for '${name}'. Try DEBUG HELP.\r\n`,
      )
    },
  )

  test('HELP lists what there is', async () => {
    const client = await connect(server())
    const help = await ask(client, 'DEBUG', 'HELP')
    for (const line of ['SLEEP <seconds>', 'DIGEST', 'POPULATE <count> [<prefix>] [<size>]', 'HELP']) {
      expect(help).toContain(`+${line}\r\n`)
    }
  })
})
