import { describe, expect, test } from 'vitest'
import { LOCAL, newConfig, shown } from './support.ts'

/** What CONFIG GET shows after CONFIG SET, or the reason why it failed. */
function after(name: string, value: string): string | undefined {
  const config = newConfig()
  const reply = config.set([name, value], LOCAL)
  return reply === undefined ? shown(config, name) : reply.replace(/^ERR CONFIG SET failed .* - /, '')
}

const UNREADABLE = "argument couldn't be parsed into an integer"

/* Each of these was seen at a redis-server 7.2.4. */
describe('a value said by CONFIG SET is shown by CONFIG GET as Redis shows it', () => {
  test.each([
    ['slowlog-log-slower-than', '9223372036854775807', '9223372036854775807'],
    ['slowlog-log-slower-than', '9223372036854775808', UNREADABLE],
    ['slowlog-log-slower-than', '-1', '-1'],
    ['slowlog-max-len', '-1', 'argument must be between 0 and 9223372036854775807 inclusive'],
    ['set-max-intset-entries', '-1', 'argument must be between 0 and 9223372036854775807 inclusive'],
    ['maxclients', '-1', 'argument must be between 1 and 4294967295 inclusive'],
    ['list-max-listpack-size', '-2147483649', 'argument must be between -2147483648 and 2147483647 inclusive'],
    ['timeout', '', UNREADABLE],
    ['timeout', '007', UNREADABLE],
    ['timeout', '+1', UNREADABLE],
    ['timeout', ' 1', UNREADABLE],
    ['maxmemory', '1gb', '1073741824'],
    ['maxmemory', '1G', '1000000000'],
    ['maxmemory', '', '0'],
    ['maxmemory', 'b', '0'],
    ['maxmemory', '1 gb', 'argument must be a memory value'],
    ['maxmemory', '18446744073709551615', '18446744073709551615'],
    ['maxmemory', '18446744073709551616', '18446744073709551615'],
    ['maxmemory', '99999999999gb', '15140462030378500096'],
    ['proto-max-bulk-len', '9223372036854775808', 'argument must be between 1048576 and 9223372036854775807 inclusive'],
    ['client-query-buffer-limit', '1', 'argument must be between 1048576 and 9223372036854775807 inclusive'],
    ['maxmemory-clients', '50%', '50%'],
    ['maxmemory-clients', '100gb', '107374182400'],
    ['maxmemory-clients', '18446744073709551615', '1%'],
    ['maxmemory-clients', '101%', 'percentage argument must be less or equal to 100'],
    ['maxmemory-clients', '1.5%', 'argument must be a memory or percent value'],
    ['maxmemory-clients', '%', 'argument must be a memory or percent value'],
    ['maxmemory-clients', '-5%', 'argument must be a memory or percent value'],
    ['save', '900 1 300 10', '900 1 300 10'],
    ['save', '', ''],
    ['save', '900 ', '900 0'],
    ['save', '900  1', 'Invalid save parameters'],
    ['save', '900 1 ', 'Invalid save parameters'],
    ['save', '0 1', 'Invalid save parameters'],
    ['save', '1 -1', 'Invalid save parameters'],
    ['latency-tracking-info-percentiles', '0x10 1e1 +5 33.3333333', '16 10 5 33.333333'],
    ['latency-tracking-info-percentiles', '', ''],
    ['latency-tracking-info-percentiles', ' 5', 'Invalid latency-tracking-info-percentiles parameters'],
    [
      'latency-tracking-info-percentiles',
      'inf',
      'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]',
    ],
    [
      'client-output-buffer-limit',
      'normal 1kb 2k 3 replica 5 6 7',
      'normal 1024 2000 3 slave 5 6 7 pubsub 33554432 8388608 60',
    ],
    [
      'client-output-buffer-limit',
      'normal 1 2 99999999999',
      'normal 1 2 1215752191 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
    ],
    ['client-output-buffer-limit', 'normal 1 2', 'Wrong number of arguments in buffer limit configuration.'],
    ['client-output-buffer-limit', 'master 1 2 3', 'Invalid client class specified in buffer limit configuration.'],
    [
      'client-output-buffer-limit',
      'normal 1 x 3',
      'Error in hard, soft or soft_seconds setting in buffer limit configuration.',
    ],
    ['oom-score-adj-values', '1 2 ', '1 2 0'],
    ['oom-score-adj-values', '1 2', 'wrong number of arguments'],
    ['oom-score-adj-values', '1 2 3000', 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.'],
    ['oom-score-adj', 'Relative', 'yes'],
    ['notify-keyspace-events', 'KEgxm', 'gxKEm'],
    ['notify-keyspace-events', 'Amn', 'Am'],
    ['notify-keyspace-events', 'AKE', 'AKE'],
    ['notify-keyspace-events', 'KEq', "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."],
    ['bind', '', ''],
    ['bind', '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17', 'Too many bind addresses specified.'],
    ['shutdown-on-sigint', 'DEFAULT now', 'now'],
    ['shutdown-on-sigint', 'force now nosave', 'nosave now force'],
    ['shutdown-on-sigint', 'save nosave', "shutdown options SAVE and NOSAVE can't be used simultaneously"],
    ['shutdown-on-sigint', 'now  force', 'argument(s) must be one of the following: default, save, nosave, now, force'],
    ['shutdown-on-sigint', '', 'argument(s) must be one of the following: default, save, nosave, now, force'],
    ['proc-title-template', '{config-file}', '{config-file}'],
    ['proc-title-template', '{{ {port}', '{{ {port}'],
    ['proc-title-template', '{title}', 'template format is invalid or contains unknown variables'],
    ['proc-title-template', 'a{b}', 'template format is invalid or contains unknown variables'],
    ['proc-title-template', '{port', 'template format is invalid or contains unknown variables'],
    ['proc-title-template', '', 'template format is invalid or contains unknown variables'],
    ['cluster-announce-hostname', 'a b', 'Hostnames may only contain alphanumeric characters, hyphens or dots'],
    ['cluster-announce-hostname', 'x'.repeat(256), 'Hostnames must be less than 256 characters'],
    ['cluster-announce-human-nodename', 'a b!', 'Announced human node name contained invalid character'],
    ['cluster-announce-human-nodename', 'a b', 'a b'],
    ['masteruser', 'a\0b', 'a'],
    ['masterauth', 'a\0b', 'a\0b'],
  ])('%s %j: %s', (name, value, expected) => {
    expect(after(name, value)).toBe(expected)
  })
})

describe('values that are set at the start', () => {
  test.each([
    ['unixsocketperm', ['700'], '700'],
    ['unixsocketperm', [''], '0'],
    ['unixsocketperm', ['800'], "argument couldn't be parsed as an octal number"],
    ['unixsocketperm', ['1000'], 'argument must be between 0 and 777 inclusive'],
    ['unixsocketperm', ['-1'], 'argument must be between 0 and 777 inclusive'],
    ['replicaof', ['NO', 'one'], ''],
    ['replicaof', ['a'], 'wrong number of arguments'],
    ['replicaof', ['a', 'x'], 'Invalid master port'],
    ['replicaof', ['a', '65536'], 'Invalid master port'],
    ['appendfilename', [''], "appendfilename can't be empty"],
    ['appendfilename', ['a/b'], "appendfilename can't be a path, just a filename"],
    ['appenddirname', ['a\\b'], "appenddirname can't be a path, just a dirname"],
  ])('%s %j: %s', (name, args, expected) => {
    const config = newConfig()
    expect(config.configure(name, args) ?? shown(config, name)).toBe(expected)
  })

  test('permissions are a number of eight-based digits', () => {
    const config = newConfig()
    config.configure('unixsocketperm', ['755'])
    expect(config.number('unixsocketperm')).toBe(0o755)
  })
})
