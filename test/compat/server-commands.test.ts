/* What the server tells about itself, compared with redis-server where the answer does not depend on the moment: the
 * same bytes must come back, in RESP2 and RESP3. Each group has a connection of its own and empty databases. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'

const NEEDS_72 = '7.2: '

/** "7.2: " in front: answered otherwise, or not at all, by an older one. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'DEBUG PROTOCOL': [
    'string',
    'integer',
    'double',
    'bignum',
    'null',
    'array',
    'set',
    'map',
    'attrib',
    'push',
    'verbatim',
    'true',
    'false',
    'nosuch',
  ].map((type) => `${type === 'push' ? NEEDS_72 : ''}DEBUG PROTOCOL ${type}`),
  ROLE: ['ROLE', 'ROLE x'],
  MODULE: [
    'MODULE',
    'MODULE LIST',
    'MODULE LIST x',
    'MODULE LOAD /x',
    'MODULE LOADEX /x',
    'MODULE UNLOAD x',
    'MODULE X',
  ],
  'DEBUG on data': [
    'DEBUG DIGEST',
    'SET foo bar',
    'SET n 12345678901234567890',
    'SET i -42',
    'SET e x EX 1000',
    'DEBUG DIGEST',
    'DEBUG DIGEST-VALUE',
    'DEBUG DIGEST-VALUE foo n i e none',
    'SELECT 5',
    'SET foo bar',
    'DEBUG DIGEST',
    'DEBUG POPULATE 100 p 20',
    'DEBUG POPULATE 10',
    'DEBUG DIGEST',
    'GET p:7',
    'GET key:9',
    'DEBUG POPULATE x',
    'DEBUG POPULATE -1',
    'DEBUG POPULATE 1 p x',
    'DEBUG POPULATE 1 p 1 x',
    'DEBUG OBJECT none',
    'DEBUG SDSLEN none',
    'DEBUG SDSLEN i',
    'DEBUG LISTPACK none',
    'DEBUG LISTPACK foo',
    'DEBUG QUICKLIST foo 1',
    'DEBUG HTSTATS',
    'DEBUG HTSTATS x',
    'DEBUG HTSTATS 16',
    'DEBUG HTSTATS-KEY none',
    '7.2: DEBUG HTSTATS-KEY foo full',
  ],
  'DEBUG switches': [
    'DEBUG',
    'DEBUG NOSUCH',
    'DEBUG SLEEP',
    'DEBUG SLEEP 0',
    'debug sleep 0 0',
    'DEBUG SET-ACTIVE-EXPIRE 0',
    'DEBUG SET-ACTIVE-EXPIRE 1',
    'DEBUG SET-ACTIVE-EXPIRE',
    'DEBUG QUICKLIST-PACKED-THRESHOLD 0',
    'DEBUG QUICKLIST-PACKED-THRESHOLD 100b',
    'DEBUG QUICKLIST-PACKED-THRESHOLD 5g',
    'DEBUG QUICKLIST-PACKED-THRESHOLD x',
    'DEBUG CHANGE-REPL-ID',
    'DEBUG CHANGE-REPL-ID x',
    "DEBUG LOG 'a b'",
    "DEBUG ERROR 'CODE some text'",
    'DEBUG ERROR',
    'DEBUG PAUSE-CRON 0',
    'DEBUG REPLYBUFFER RESIZING 1',
    'DEBUG REPLYBUFFER PEAK-RESET-TIME never',
    'DEBUG REPLYBUFFER PEAK-RESET-TIME reset',
    'DEBUG REPLYBUFFER PEAK-RESET-TIME x',
    'DEBUG REPLYBUFFER nosuch 1',
    'DEBUG RELOAD nosuch',
    'DEBUG SET-DISABLE-DENY-SCRIPTS 0',
    'DEBUG SET-SKIP-CHECKSUM-VALIDATION 0',
  ],
  SLOWLOG: [
    'SLOWLOG',
    'SLOWLOG NOSUCH',
    'CONFIG SET slowlog-log-slower-than 100000000',
    'SLOWLOG RESET',
    'SLOWLOG LEN',
    'SLOWLOG GET',
    'SLOWLOG GET 5',
    'SLOWLOG GET -2',
    'SLOWLOG GET x',
    'SLOWLOG GET 1 2',
    'SLOWLOG LEN x',
    'SLOWLOG RESET x',
    'SLOWLOG HELP x',
  ],
  LATENCY: [
    'LATENCY',
    'LATENCY NOSUCH',
    'LATENCY LATEST',
    'LATENCY LATEST x',
    'LATENCY HISTORY',
    'LATENCY HISTORY none',
    'LATENCY GRAPH',
    'LATENCY GRAPH none',
    'LATENCY RESET',
    'LATENCY RESET a b',
    'LATENCY HISTOGRAM nosuch',
    'LATENCY DOCTOR x',
    'LATENCY HELP x',
  ],
  MEMORY: [
    'MEMORY',
    'MEMORY NOSUCH',
    'MEMORY USAGE',
    'MEMORY USAGE none',
    'SET k v',
    'MEMORY USAGE k SAMPLES',
    'MEMORY USAGE k SAMPLES x',
    'MEMORY USAGE k SAMPLES -1',
    'MEMORY USAGE k nosuch 1',
    'MEMORY USAGE none nosuch 1',
    'MEMORY PURGE',
    'MEMORY PURGE x',
    'MEMORY STATS x',
    'MEMORY DOCTOR x',
    'MEMORY MALLOC-STATS x',
  ],
  'replication and time': [
    'REPLICAOF',
    'REPLICAOF NO ONE',
    'SLAVEOF no one',
    'REPLICAOF a x',
    'REPLICAOF a 70000',
    'REPLICAOF a -1',
    'WAIT',
    'WAIT 0 0',
    'WAIT -1 0',
    'WAIT x 0',
    'WAIT 0 x',
    'WAIT 1 -1',
    '7.2: WAIT 1 9223372036854775807',
    'WAIT 1 20',
    '7.2: WAITAOF 0 0 0',
    '7.2: WAITAOF 1 0 0',
    '7.2: WAITAOF 2 0 0',
    '7.2: WAITAOF -1 0 0',
    '7.2: WAITAOF x 0 0',
    '7.2: WAITAOF 0 x 0',
    '7.2: WAITAOF 0 -1 0',
    '7.2: WAITAOF 0 1 x',
    '7.2: WAITAOF 0 1 20',
    'TIME x',
    'LASTSAVE x',
    'LOLWUT VERSION x',
    'LOLWUT VERSION 5 x',
    'LOLWUT VERSION 5 10 x',
    'LOLWUT VERSION 6 10 x',
  ],
  SHUTDOWN: ['SHUTDOWN x', 'SHUTDOWN SAVE NOSAVE', 'SHUTDOWN ABORT', 'SHUTDOWN ABORT NOW', 'SHUTDOWN NOW FORCE x'],
  INFO: ['INFO nosuch', 'INFO cluster', 'INFO cluster nosuch', 'INFO modules', 'INFO keyspace', 'INFO Cluster MODULES'],
}

const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

async function ask(client: RawClient, line: string): Promise<string> {
  return (await client.command(...wordsOf(line))).toString('latin1')
}

async function transcript(server: TestServer, lines: readonly string[], version: string): Promise<string[]> {
  const client = await server.connect()
  await ask(client, 'FLUSHALL')
  await ask(client, `HELLO ${version}`)
  const replies: string[] = []
  for (const line of lines) replies.push(`${line} -> ${await ask(client, line)}`)
  await client.close()
  return replies
}

/** The fields of INFO, those that depend on what has happened left out. */
async function infoFields(server: TestServer): Promise<Set<string>> {
  const client = await server.connect()
  const text = await ask(client, 'INFO everything')
  await client.close()
  const names = [...text.matchAll(/^([a-z]\w*):/gm)].map(([, name]) => name!)
  return new Set(names.filter((name) => !/^(cmdstat|errorstat|latency_percentiles_usec|db\d)/.test(name)))
}

describe.skipIf(!redisAvailable())("the server's commands answer as redis-server's", () => {
  let ours: TestServer
  let redis: TestServer
  let has72 = false

  beforeAll(async () => {
    const options = { args: ['--enable-debug-command', 'yes'] }
    ;[ours, redis] = [await startCinnabar(options), await startRedis(options)]
    const client = await redis.connect()
    has72 = (await ask(client, 'CLIENT NO-TOUCH OFF')) === '+OK\r\n'
    await client.close()
  })
  afterAll(async () => {
    await ours.stop()
    await redis.stop()
  })

  const names = Object.keys(GROUPS)
  test.each(names.flatMap((name) => [[name, '2'] as const, [name, '3'] as const]))(
    '%s, RESP%s',
    async (name, version) => {
      const lines = GROUPS[name]!.filter((line) => has72 || !line.startsWith(NEEDS_72)).map((line) =>
        line.startsWith(NEEDS_72) ? line.slice(NEEDS_72.length) : line,
      )
      if (lines.length < GROUPS[name]!.length) {
        console.warn(`${name}: not all is compared, redis-server is older than 7.2`)
      }
      expect(await transcript(ours, lines, version)).toEqual(await transcript(redis, lines, version))
    },
  )

  test('INFO has every field that redis-server has', async () => {
    const [own, theirs] = [await infoFields(ours), await infoFields(redis)]
    expect([...theirs].filter((name) => !own.has(name))).toEqual([])
    // What we have and they have not: our own, and what 7.2 has and 7.0 has not.
    const more = [...own].filter((name) => !theirs.has(name) && !name.startsWith('cinnabar_'))
    if (has72) expect(more).toEqual([])
  })
})
