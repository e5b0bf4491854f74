/* The connection's commands, sent to Cinnabar and to redis-server: the same bytes must come back. Each group has a
 * connection of its own. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'

/** A line of words, of which 'quoted' ones may hold anything; or [bytes as they are sent]. "7.2: " in front: answered
 *  otherwise by an older one. */
type Step = string | readonly [raw: string]

const GROUPS: Readonly<Record<string, readonly Step[]>> = {
  ping: ['PING', 'PING x', 'PING a b', 'ECHO', 'ECHO hey', 'ECHO a b', ['PING\r\n'], ['PING "a b"\r\n']],
  hello: [
    'HELLO x',
    'HELLO 1',
    'HELLO 4',
    'HELLO 9223372036854775808',
    'HELLO 2 FOO',
    'HELLO 2 AUTH a',
    'HELLO 2 AUTH a b',
    'HELLO 2 AUTH default b SETNAME bob',
    'CLIENT GETNAME',
    "HELLO 3 SETNAME 'a b'",
    "7.2: HELLO 3 SETNAME 'x\0 y'",
    '7.2: CLIENT GETNAME',
    'HELLO 3 SETNAME n3',
    'GET none',
    'HELLO 2',
    "HELLO 3 SETNAME ''",
    'CLIENT GETNAME',
  ],
  auth: ['AUTH', 'AUTH x', 'AUTH a b', 'AUTH default b', 'AUTH a b c'],
  'a password': [
    "CONFIG SET requirepass 'sec ret'",
    'PING',
    'AUTH nope',
    "AUTH 'sec ret'",
    'CONFIG GET requirepass',
    'RESET',
    'PING',
    '7.2: HELLO 3',
    '7.2: HELLO',
    'HELLO 3 AUTH default x',
    'NOSUCH',
    'GET',
    'CLIENT',
    'AUTH default x',
    "AUTH foo 'sec ret'",
    "HELLO 3 AUTH default 'sec ret'",
    'PING',
    'RESET',
    "AUTH 'sec ret'",
    "CONFIG SET requirepass ''",
    'PING',
  ],
  'CLIENT about oneself': [
    'CLIENT',
    'CLIENT FOO',
    'CLIENT GETNAME x',
    "CLIENT SETNAME 'a b'",
    "CLIENT SETNAME 'ok\n'",
    'CLIENT SETNAME good',
    'CLIENT GETNAME',
    "CLIENT SETNAME ''",
    'CLIENT GETNAME',
    'CLIENT NO-EVICT x',
    'CLIENT NO-EVICT on',
    'CLIENT REPLY x',
    'CLIENT REPLY ON',
    'CLIENT INFO x',
    'CLIENT ID x',
    'RESET x',
    'RESET',
  ],
  'CLIENT about caching': [
    'CLIENT GETREDIR',
    'CLIENT TRACKINGINFO',
    'HELLO 3 SETNAME x',
    'CLIENT TRACKINGINFO',
    'CLIENT TRACKING off',
    'CLIENT TRACKING maybe',
    'CLIENT TRACKING on prefix a',
    'CLIENT TRACKING on bcast optin',
    'CLIENT TRACKING on optin optout',
    'CLIENT TRACKING on redirect',
    'CLIENT TRACKING on redirect x',
    'CLIENT TRACKING on redirect 99999',
    'CLIENT TRACKING off foo',
    'CLIENT CACHING yes',
    'CLIENT CACHING x',
    'CLIENT CACHING',
  ],
  'CLIENT about others': [
    'CLIENT UNBLOCK 1',
    'CLIENT UNBLOCK x',
    'CLIENT UNBLOCK 1 foo',
    'CLIENT UNBLOCK x foo',
    'CLIENT UNBLOCK 1 error x',
    'CLIENT UNBLOCK 9223372036854775807 TIMEOUT',
    'CLIENT PAUSE',
    'CLIENT PAUSE x',
    'CLIENT PAUSE -1',
    '7.2: CLIENT PAUSE 9223372036854775807',
    'CLIENT PAUSE 1 foo',
    'CLIENT PAUSE x foo',
    'CLIENT PAUSE 1 WRITE x',
    'CLIENT PAUSE 0',
    'CLIENT UNPAUSE',
    'CLIENT UNPAUSE x',
    'CLIENT KILL',
    'CLIENT KILL 1.2.3.4:5',
    'CLIENT KILL ID x',
    'CLIENT KILL ID 0',
    'CLIENT KILL ID 99999',
    'CLIENT KILL ID',
    'CLIENT KILL TYPE x',
    'CLIENT KILL TYPE master ID 77',
    'CLIENT KILL USER nobody',
    'CLIENT KILL SKIPME maybe',
    'CLIENT KILL ADDR 1.1.1.1:1 LADDR x SKIPME no',
    'CLIENT KILL ADDR x LADDR',
    'CLIENT KILL a b c d',
    'CLIENT LIST x',
    'CLIENT LIST TYPE',
    'CLIENT LIST TYPE x',
    'CLIENT LIST TYPE pubsub',
    'CLIENT LIST TYPE normal x',
    'CLIENT LIST ID',
    'CLIENT LIST ID x',
    'CLIENT LIST ID 99999',
    'HELLO 3 SETNAME x',
    'CLIENT LIST TYPE replica',
  ],
  CONFIG: [
    'CONFIG',
    'CONFIG FOO',
    'CONFIG GET',
    'CONFIG GET nosuch',
    'CONFIG GET MaxMemory',
    'CONFIG GET maxmemory maxmemory',
    'CONFIG SET',
    'CONFIG SET a',
    'CONFIG SET a b',
    'CONFIG SET a b c',
    'CONFIG SET maxmemory x',
    'CONFIG SET maxmemory 10mb maxmemory 1',
    'CONFIG SET daemonize yes',
    'CONFIG SET port 99999',
    'CONFIG SET maxclients 0',
    'CONFIG SET timeout -1',
    'CONFIG SET client-output-buffer-limit foo',
    "CONFIG SET client-output-buffer-limit 'normal 1mb 2mb 60'",
    'CONFIG GET client-output-buffer-limit',
    "CONFIG SET client-output-buffer-limit 'normal 0 0 0'",
    'CONFIG REWRITE',
    'CONFIG RESETSTAT',
    'CONFIG RESETSTAT x',
    'HELLO 3 SETNAME x',
    'CONFIG GET maxclients',
  ],
  'CLIENT of 7.2': [
    "7.2: CLIENT SETINFO lib-name 'a b'",
    "7.2: CLIENT SETINFO LIB-name 'a b'",
    '7.2: CLIENT SETINFO foo b',
    '7.2: CLIENT SETINFO lib-ver b',
    '7.2: CLIENT SETINFO lib-ver',
    '7.2: CLIENT NO-TOUCH maybe',
    '7.2: CLIENT NO-TOUCH ON',
    '7.2: CLIENT NO-TOUCH off',
  ],
  QUIT: ['QUIT now', 'PING'],
  'HTTP, POST': [['POST / HTTP/1.1\r\n'], 'PING'],
  'HTTP, Host': [['Host: x\r\n'], 'PING'],
}

const NEEDS_72 = '7.2: '
const isOf72 = (step: Step): step is string => typeof step === 'string' && step.startsWith(NEEDS_72)

const wordsOf = (line: string): string[] =>
  [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '')

async function reply(client: RawClient, step: Step): Promise<string> {
  if (typeof step !== 'string') client.send(step[0])
  const answer = typeof step === 'string' ? client.command(...wordsOf(step)) : client.reply()
  const bytes = await answer.catch(() => Buffer.from('(closed)'))
  // Versions and connection ids are their servers' own.
  return bytes
    .toString('latin1')
    .replace(/(id\r\n:)\d+/, '$1N')
    .replace(/7\.\d+\.\d+/, '7.x.y')
    .replace(/\$\d(?=\r\n7\.x\.y)/, '$N')
}

async function transcript(server: TestServer, steps: readonly Step[]): Promise<string[]> {
  const client = await server.connect()
  const lines: string[] = []
  for (const step of steps) lines.push(`${String(step)} -> ${await reply(client, step)}`)
  await client.close()
  return lines
}

describe.skipIf(!redisAvailable())("the connection's commands answer as redis-server's", () => {
  let ours: TestServer
  let redis: TestServer
  let has72 = false

  beforeAll(async () => {
    ;[ours, redis] = [await startCinnabar(), await startRedis()]
    const client = await redis.connect()
    has72 = (await client.command('CLIENT', 'NO-TOUCH', 'OFF')).toString() === '+OK\r\n'
    await client.close()
  })
  afterAll(async () => {
    await ours.stop()
    await redis.stop()
  })

  test.each(Object.keys(GROUPS))('%s', async (name) => {
    const steps = GROUPS[name]!.filter((step) => has72 || !isOf72(step)).map((step) =>
      isOf72(step) ? step.slice(NEEDS_72.length) : step,
    )
    if (steps.length < GROUPS[name]!.length)
      console.warn(`${name}: not all is compared, redis-server is older than 7.2`)
    expect(await transcript(ours, steps)).toEqual(await transcript(redis, steps))
  })
})
