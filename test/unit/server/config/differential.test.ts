/* The same configurations, command lines and CONFIG commands, given to a real redis-server and to ours: CONFIG GET, the
 * reasons for refusing, and rewritten files must be equal.
 *
 * REDIS_SERVER names the server to compare with; by default it is the one on the PATH. Older versions than 7.2 are
 * compared in what they know; what they do otherwise is listed in KNOWN with its reason. */
import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Config } from '../../../../src/server/config/config.ts'
import { type AnyDirective, DIRECTIVES } from '../../../../src/server/config/directives.ts'
import { rewriteText } from '../../../../src/server/config/rewrite.ts'
import { redisAvailable } from '../../../helpers/servers.ts'
import { RedisProcess, type RedisServer, redisRefusal, redisServer } from './redis.ts'
import { LOCAL, refusal, started, temporaryFile } from './support.ts'

const available = redisAvailable()
const server = redisServer()

/** Names that a server does not know as we do, and why. */
const KNOWN: readonly { readonly old: boolean; readonly names: readonly string[]; readonly why: string }[] = [
  {
    old: true,
    names: [
      'locale-collate',
      'set-max-listpack-entries',
      'set-max-listpack-value',
      'cluster-announce-human-nodename',
      'cluster-ping-interval',
    ],
    why: 'new in 7.2',
  },
  { old: true, names: ['aof-disable-auto-gc'], why: 'became hidden in 7.2' },
  { old: false, names: ['lua-enable-deprecated-api'], why: 'gone in 7.2' },
  { old: true, names: ['activedefrag'], why: 'on here: it costs nothing while there is nothing to do' },
  { old: false, names: ['activedefrag'], why: 'on here' },
]

/** What 7.2 says and earlier versions do not, in the error of an unknown choice. */
const NEW_CHOICE = ', nothing'

/** What belongs to the place where a server runs. */
const PLACE = ['dir', 'unixsocket', 'port', 'slaveof']

function isOld({ version: [major = 0, minor = 0] }: RedisServer): boolean {
  return major < 7 || (major === 7 && minor < 2)
}

/** The names that are not compared. */
function ignored(): Set<string> {
  return new Set([...PLACE, ...KNOWN.filter(({ old }) => old === isOld(server)).flatMap(({ names }) => names)])
}

async function running(args: readonly string[], password?: string): Promise<RedisProcess> {
  const process = await RedisProcess.start(server, args, password)
  onTestFinished(() => process.stop())
  return process
}

/** Both configurations, sorted, without what is known to differ. */
async function both(redis: RedisProcess, config: Config) {
  const skip = ignored()
  const sorted = (settings: Iterable<readonly [string, string]>) =>
    [...settings].filter(([name]) => !skip.has(name)).sort(([a], [b]) => (a < b ? -1 : 1))
  return { theirs: sorted(await redis.configGet('*')), ours: sorted(config.get(['*'])) }
}

/** A reason without the line that only we print. */
const reasonOf = (stderr: string): string => worded(stderr.replace(/\n\(.*\)\n$/, '\n'))

/** A text of ours as the server would word it. */
function worded(text: string): string {
  return isOld(server) ? text.replace(NEW_CHOICE, '') : text
}

const TEXTS: readonly (readonly [text: string, ...args: string[]])[] = [
  ['timeout 5\nTIMEOUT 6\n\tloglevel   verbose\r\n# x\n'],
  ['tls-key-file-pass "a\\x41\\n b"\nmasterauth \'it\\\'s\'\nmasteruser ""\n'],
  ['save 900 1\nsave 300 10\n', '--save', '60', '5'],
  ['save 900 1\n', '--save', ''],
  ['save 900 1\n', '--save', '', '--save 5 1'],
  ['save 900 1\n', '--save', '--timeout', '4'],
  ['save ""\n'],
  ['save\n'],
  ['save 900 1 300 10\n', '--loglevel', 'debug', '--save'],
  ['client-output-buffer-limit normal 1mb 2k 3 slave 4 5 6\nclient-output-buffer-limit PubSub 1gb 1 1\n'],
  ['hash-max-ziplist-entries 20\nhash-max-listpack-entries 21\nzset-max-ziplist-value 1kb\nlua-time-limit 7\n'],
  ['min-slaves-to-write 3\nrepl-ping-slave-period 4\nslave-announce-ip 1.2.3.4\nslave-read-only no\n'],
  ['maxmemory 1.5gb\n'.replace('1.5', '15'), '--maxmemory-policy', 'ALLKEYS-LRU', '--maxmemory-clients 5%'],
  ['latency-tracking-info-percentiles 50 99.99 0x10 1e1\n'],
  ['notify-keyspace-events "Kg$xe"\noom-score-adj-values -5 100 200\n'],
  ['shutdown-on-sigint "nosave now"\n', '--shutdown-on-sigterm', 'force', 'save'],
  ['list-max-ziplist-entries 5\nlist-max-ziplist-value 6\nlua-replicate-commands yes\nsentinel\n'],
  ['hz 1000\ndynamic-hz no\nunixsocketperm 700\n'],
  ['databases 3\ntcp-backlog 5\nproc-title-template "x {port}"\nsyslog-facility LOCAL3\n'],
  ['', '--maxmemory 700mb', "--maxmemory-policy 'volatile-lru'"],
  ['', 'loglevel', 'verbose', '--proc-title-template', '--my--title'],
  ['bind 127.0.0.1\n', '--bind', '127.0.0.1 -::1'],
  ['slowlog-log-slower-than -1\nlatency-monitor-threshold 9223372036854775807\nproto-max-bulk-len 1mb\n'],
  ['maxmemory 18446744073709551615\ncluster-link-sendbuf-limit 99999999999gb\n'],
  ['stream-node-max-bytes 4kb\nset-max-intset-entries 9223372036854775807\nactive-defrag-ignore-bytes 1\n'],
  ['aclfile ""\nlogfile \'\'\npidfile ""\nbind-source-addr ""\nignore-warnings ARM64-COW-BUG\n'],
  ['tls-protocols "TLSv1.2 TLSv1.3"\ntls-auth-clients optional\ntls-session-caching no\n'],
  ['repl-diskless-load swapdb\nappendfsync always\nacl-pubsub-default allchannels\nsanitize-dump-payload clients\n'],
]

const REFUSED: readonly (readonly string[])[] = [
  ['--invalid'],
  ['--port'],
  ['--port', '6379', '6380'],
  ['--port', '--loglevel', 'verbose'],
  ['--port', '--bla', '--loglevel', 'verbose'],
  ['--logfile', '--x', '--loglevel', '--bla'],
  ['--shutdown-on-sigint'],
  ['--shutdown-on-sigint', 'now force', '--shutdown-on-sigterm'],
  ['--replicaof', '127.0.0.1', 'abc'],
  ['--replicaof', '--127.0.0.1', '--abc'],
  ['--port', 'a"b\\\n\x01'],
  ["--save '900"],
  ['--save', '1'],
  ['--save', '0 1'],
  ['--save', '5 -1'],
  ['--dir', '/nosuch'],
  ['--dir', '/etc/passwd'],
  ['--logfile', '/nosuch/x'],
  ['--unixsocketperm', '800'],
  ['--unixsocketperm', '1000'],
  ['--maxmemory', '1x'],
  ['--maxmemory', '-1'],
  ['--maxmemory-clients', '101%'],
  ['--maxmemory-clients', '5%%'],
  ['--hz', '-1'],
  ['--appendfilename', ''],
  ['--appendfilename', 'a/b'],
  ['--appenddirname', 'a/b'],
  ['--dbfilename', 'a/b'],
  ['--cluster-announce-hostname', 'a b'],
  ['--proc-title-template', '{x}'],
  ['--latency-tracking-info-percentiles', '1', 'x'],
  ['--latency-tracking-info-percentiles', '101'],
  ['--client-output-buffer-limit', 'x', '1', '2', '3'],
  ['--client-output-buffer-limit', 'normal', '1', '2'],
  ['--client-output-buffer-limit', 'normal', '1', '2', 'x'],
  ['--oom-score-adj-values', '1', '2'],
  ['--oom-score-adj-values', '1', '2', '3000'],
  ['--oom-score-adj', 'x'],
  ['--notify-keyspace-events', 'q'],
  ['--bind', ...'1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17'.split(' ')],
  ['--loglevel', 'x'],
  ['--appendonly', 'maybe'],
  ['--databases', '0'],
  ['--io-threads', '129'],
  ['--a.b'],
  ['--include'],
  ['--rename-command', 'GET'],
  ['--user'],
  ['--sentinel x'],
  ['-x', '--port', '1'],
]

/** CONFIG SET changes the server for these, or checks them against it. */
const EFFECTFUL = new Set([
  ...['port', 'bind', 'maxclients', 'appendonly', 'dir', 'locale-collate', 'watchdog-period', 'activedefrag'],
  ...['tls-port', 'tls-replication', 'tls-cluster', 'key-load-delay', 'rdb-key-save-delay', 'requirepass'],
])

const VALUES = [
  ...['0', '1', '-1', '5', '100', '101', '65535', '65536', '2147483647', '2147483648', '4294967295', '4294967296'],
  ...['9223372036854775807', '9223372036854775808', '18446744073709551615', '18446744073709551616', '007', '+1', ' 1'],
  ...['', 'yes', 'no', 'YES', 'x', '1kb', '1k', '2MB', '1g', 'gb', '5%', '100%', '101%', '-5%', '%', '1.5', '0x10'],
  ...['a b', 'a/b', 'a\\b', '\xff', '"', 'now force', 'save nosave', 'default', 'normal 1 2 3', 'slave 1mb 1mb 1'],
  ...['900 1', '900 1 300', '1 2 3', '50 99.9', 'KEA', 'gxm', 'debug', 'allkeys-lru', 'everysec', 'local', 'relative'],
]

/** A small generator with a seed: the same choices on every machine. */
function random(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

describe.skipIf(!available)(`redis-server ${server.version.join('.')}`, () => {
  test('has the same defaults', async () => {
    const { theirs, ours } = await both(await running([]), started([]))
    expect(ours).toEqual(theirs)
  })

  test('takes redis.conf.example, and is at its defaults with it', async () => {
    const example = new URL('../../../../redis.conf.example', import.meta.url)
    const skip = [...ignored()].filter((name) => !PLACE.includes(name))
    const unknown = new RegExp(`^(${[...skip, '#none'].join('|')}) .*$`, 'gm')
    const file = temporaryFile(readFileSync(example, 'latin1').replace(unknown, ''))
    const { theirs, ours } = await both(await running([file]), started([]))
    expect(ours).toEqual(theirs)
  })

  test.each(TEXTS.map((entry) => [entry]))('reads alike: %j', async ([text = '', ...args]) => {
    const file = temporaryFile(text)
    const { theirs, ours } = await both(await running([file, ...args]), started([file, ...args]))
    expect(ours).toEqual(theirs)
  })

  test('refuses alike', () => {
    for (const args of REFUSED) {
      expect(reasonOf(refusal(args)), args.join(' ')).toBe(
        redisRefusal(server, args).replace(/\(Redis [0-9.]+\)/, '(Redis 7.2.4)'),
      )
    }
  })

  test('sets alike', async () => {
    const args = ['--enable-protected-configs', 'yes']
    const redis = await running(args)
    const config = started(args)
    const skip = ignored()
    const names = (DIRECTIVES as readonly AnyDirective[])
      .flatMap(({ name, alias }) => (alias === undefined ? [name] : [name, alias]))
      .filter((name) => !skip.has(name) && !EFFECTFUL.has(name))
    const next = random(20240109)
    const pick = () => [names[next(names.length)] ?? '', VALUES[next(VALUES.length)] ?? '']
    for (let step = 0; step < 4000; step++) {
      const pairs = step < names.length * 4 ? [names[step % names.length] ?? '', pick()[1] ?? ''] : pick()
      if (step % 5 === 4) pairs.push(...pick())
      const ours = config.set(pairs, LOCAL)
      expect(worded(ours ?? 'OK'), `step ${step}: ${JSON.stringify(pairs)}`).toBe(
        await redis.call('CONFIG', 'SET', ...pairs),
      )
    }
    const after = await both(redis, config)
    expect(after.ours).toEqual(after.theirs)
  })

  test('rewrites alike', async () => {
    const text =
      '# head\n\ntimeout 1\n\n\n\nsave 900 1\nrename-command FLUSHALL ""\nslave-priority 5\nhz 20\nhz 30\n' +
      'save 300 10\n' +
      'client-output-buffer-limit replica 1mb 2mb 3\nbind 127.0.0.1\n  lua-replicate-commands yes\n# tail\n'
    const sets = [
      'maxmemory',
      '10mb',
      'masterauth',
      'a "\n\xff',
      'requirepass',
      'a "b"',
      'bind',
      '* -::*',
      'save',
      '5 6',
      'timeout',
      '0',
    ]
    await compareRewrites(text, sets)
  })
})

/** Lines before the signature as they are; those after it, whose order is Redis's hash table's, sorted. */
function parts(text: string): { head: string[]; tail: string[] } {
  const lines = text.split('\n').filter((line) => !/^(unixsocket|port|dir|user|always-show-logo) /.test(line))
  const at = lines.findIndex((line) => line.startsWith('# Generated'))
  return { head: lines.slice(0, at), tail: lines.slice(at).sort() }
}

async function compareRewrites(text: string, sets: readonly string[]): Promise<void> {
  const path = temporaryFile(text)
  const redis = await running([path])
  const config = started([path], { renameCommand: () => undefined })
  expect(config.set(sets, LOCAL)).toBeUndefined()
  expect(await redis.call('CONFIG', 'SET', ...sets)).toBe('OK')
  let ours = text
  for (let round = 0; round < 3; round++) {
    expect(await redis.call('CONFIG', 'REWRITE')).toBe('OK')
    ours = rewriteText(config, ours, { users: [] })
    expect(parts(ours)).toEqual(parts(readFileSync(path, 'latin1')))
  }
  writeFileSync(path, ours, 'latin1')
  const again = await both(await running([path], 'a "b"'), config)
  expect(again.ours).toEqual(again.theirs)
}
