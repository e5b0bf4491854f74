/* INFO: that each section is there, and that its figures are true. */
import { describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { sleep, startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

/** The sections of INFO by title, each with its fields. */
async function info(client: RawClient, ...sections: readonly string[]): Promise<Map<string, Map<string, string>>> {
  const found = new Map<string, Map<string, string>>()
  let fields = new Map<string, string>()
  for (const line of body(await ask(client, 'INFO', ...sections)).split('\r\n')) {
    if (line.startsWith('# ')) found.set(line.slice(2), (fields = new Map()))
    else if (line !== '') fields.set(line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1))
  }
  return found
}

async function field(client: RawClient, section: string, name: string): Promise<string> {
  const value = [...(await info(client, section)).values()][0]?.get(name)
  if (value === undefined) throw new Error(`INFO ${section} has no field ${name}`)
  return value
}

const numberOf = async (client: RawClient, section: string, name: string): Promise<number> =>
  Number(await field(client, section, name))

const DEFAULT = [
  'Server',
  'Clients',
  'Memory',
  'Persistence',
  'Stats',
  'Replication',
  'CPU',
  'Modules',
  'Errorstats',
  'Cluster',
  'Keyspace',
]
const ALL = [...DEFAULT.slice(0, 8), 'Commandstats', 'Errorstats', 'Latencystats', 'Cluster', 'Keyspace']

describe('INFO has sections', () => {
  const server = useServer()

  test.each<[string[], string[]]>([
    [[], DEFAULT],
    [['default'], DEFAULT],
    [['all'], ALL],
    [['everything'], ALL],
    [['CPU'], ['CPU']],
    [
      ['keyspace', 'server'],
      ['Server', 'Keyspace'],
    ],
    [['cpu', 'default', 'cpu'], DEFAULT],
    [
      ['commandstats', 'default'],
      [...DEFAULT.slice(0, 8), 'Commandstats', ...DEFAULT.slice(8)],
    ],
    [
      ['all', 'debug'],
      [...ALL, 'Debug'],
    ],
    [['module_list'], ['Modules']],
    [['nosuch'], []],
  ])('as asked for: %j', async (words, titles) => {
    const client = await connect(server())
    expect([...(await info(client, ...words)).keys()]).toEqual(titles)
  })

  test('parted by an empty line, as a bulk string or in RESP3 as text', async () => {
    const client = await connect(server())
    const text = body(await ask(client, 'INFO', 'cluster', 'modules'))
    expect(text).toBe('# Modules\r\n\r\n# Cluster\r\ncluster_enabled:0\r\n')
    await ask(client, 'HELLO', '3')
    expect(await ask(client, 'INFO', 'cluster')).toBe('=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n')
  })
})

describe('INFO tells', () => {
  const server = useServer({ args: ['--unixsocket', 'x.sock', '--hz', '20', '--repl-backlog-size', '2mb'] })

  test('what the server is', async () => {
    const client = await connect(server())
    const fields = (await info(client, 'server')).get('Server')!
    expect(Object.fromEntries(fields)).toMatchObject({
      redis_version: '7.2.4',
      redis_mode: 'standalone',
      arch_bits: '64',
      process_id: String(server().pid),
      tcp_port: String(server().port),
      hz: '20',
      configured_hz: '20',
      listener0: `name=tcp,bind=127.0.0.1,port=${server().port}`,
      listener1: 'name=unix,bind=x.sock',
      cinnabar_version: expect.stringMatching(/^\d+\.\d+\.\d+$/),
      run_id: expect.stringMatching(/^[0-9a-f]{40}$/),
      executable: expect.stringMatching(/^\/.*main\.[jt]s$/),
      config_file: '',
    })
    expect(Math.abs(Number(fields.get('server_time_usec')) / 1000 - Date.now())).toBeLessThan(60_000)
    expect(Number(fields.get('uptime_in_seconds'))).toBeLessThan(600)
  })

  test('who is connected', async () => {
    const client = await connect(server())
    await eventually(
      async () => (await numberOf(client, 'clients', 'connected_clients')) === 1,
      'the end of earlier ones',
    )
    const waiting = await connect(server())
    waiting.send('WAIT 1 1000000\r\n')
    await eventually(async () => (await numberOf(client, 'clients', 'blocked_clients')) === 1, 'a blocked client')
    expect(await numberOf(client, 'clients', 'connected_clients')).toBe(2)
    expect(await numberOf(client, 'clients', 'clients_in_timeout_table')).toBe(1)
    await waiting.close()
    await eventually(async () => (await numberOf(client, 'clients', 'blocked_clients')) === 0, 'no blocked client')
  })

  test('how large the buffers of clients lately were', async () => {
    const client = await connect(server())
    const slow = await connect(server())
    slow.send(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3000000\r\n${'x'.repeat(2_000_000)}`)
    const seen = async () => (await numberOf(client, 'clients', 'client_recent_max_input_buffer')) >= 2_000_000
    await eventually(seen, 'the large input buffer')
    const counted = async () => (await numberOf(client, 'memory', 'mem_clients_normal')) >= 2_000_000
    await eventually(counted, "the memory of clients' buffers")
  })

  test('the keys of each database', async () => {
    const client = await connect(server())
    await ask(client, 'FLUSHALL')
    expect((await info(client, 'keyspace')).get('Keyspace')!.size).toBe(0)
    await ask(client, 'SET', 'a', '1')
    await ask(client, 'SET', 'b', '1', 'PX', '100000')
    await ask(client, 'SELECT', '5')
    await ask(client, 'SET', 'c', '1')
    const fields = (await info(client, 'keyspace')).get('Keyspace')!
    expect(fields.get('db0')).toMatch(/^keys=2,expires=1,avg_ttl=(9\d{4}|100000)$/)
    expect(fields.get('db5')).toBe('keys=1,expires=0,avg_ttl=0')
  })

  test('a master without replicas and without a file', async () => {
    const client = await connect(server())
    const fields = (await info(client, 'replication')).get('Replication')!
    expect(fields.get('role')).toBe('master')
    expect(fields.get('connected_slaves')).toBe('0')
    expect(fields.get('master_replid')).toMatch(/^[0-9a-f]{40}$/)
    expect(fields.get('repl_backlog_size')).toBe('2097152')
    expect(await field(client, 'persistence', 'aof_enabled')).toBe('0')
    await ask(client, 'FLUSHALL')
    const dirty = await numberOf(client, 'persistence', 'rdb_changes_since_last_save')
    await ask(client, 'SET', 'a', '1')
    expect(await numberOf(client, 'persistence', 'rdb_changes_since_last_save')).toBe(dirty + 1)
  })

  test('processor time', async () => {
    const client = await connect(server())
    const fields = (await info(client, 'cpu')).get('CPU')!
    for (const name of ['used_cpu_sys', 'used_cpu_user']) expect(fields.get(name)).toMatch(/^\d+\.\d{6}$/)
    expect(Number(fields.get('used_cpu_user'))).toBeGreaterThan(0)
  })
})

describe('INFO counts', () => {
  const server = useServer()

  test('connections, commands, bytes and what keys were looked for', async () => {
    const client = await connect(server())
    expect(await ask(client, 'CONFIG', 'RESETSTAT')).toBe(OK)
    const other = await connect(server())
    await ask(other, 'SET', 'k', 'v')
    await ask(other, 'GET', 'k')
    await ask(other, 'GET', 'none')
    await ask(other, 'NOSUCH')
    const stats = (await info(client, 'stats')).get('Stats')!
    expect(stats.get('total_connections_received')).toBe('1')
    expect(stats.get('total_commands_processed')).toBe('4') // CONFIG RESETSTAT, SET, GET, GET
    expect(stats.get('keyspace_hits')).toBe('1')
    expect(stats.get('keyspace_misses')).toBe('1')
    expect(stats.get('total_error_replies')).toBe('1')
    const bytes = 27 + 20 + 23 + 16 // SET, GET, GET, NOSUCH as they are sent
    expect(Number(stats.get('total_net_input_bytes'))).toBe(bytes + 25) // and INFO itself
    expect(Number(stats.get('total_net_output_bytes'))).toBeGreaterThan(5 + 7 + 5)
    expect(Number(stats.get('total_reads_processed'))).toBe(5)
  })

  test('keys that ran out of time', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'RESETSTAT')
    for (let number = 0; number < 20; number++) await ask(client, 'SET', `e${number}`, 'x', 'PX', '1')
    await eventually(async () => (await field(client, 'stats', 'expired_keys')) === '20', 'twenty expired keys')
  })

  test('calls, refusals, failures and errors of each command', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'RESETSTAT')
    await ask(client, 'SET', 'k', 'v')
    await ask(client, 'SET', 'k')
    await ask(client, 'INCR', 'k')
    await ask(client, 'CLIENT', 'ID')
    const found = await info(client, 'commandstats', 'errorstats', 'latencystats')
    const stats = found.get('Commandstats')!
    expect(stats.get('cmdstat_set')).toMatch(
      /^calls=1,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=1,failed_calls=0$/,
    )
    expect(stats.get('cmdstat_incr')).toMatch(/^calls=1,.*,rejected_calls=0,failed_calls=1$/)
    expect(stats.get('cmdstat_client|id')).toMatch(/^calls=1,/)
    expect(stats.has('cmdstat_get')).toBe(false)
    expect(Object.fromEntries(found.get('Errorstats')!)).toEqual({ errorstat_ERR: 'count=2' })
    const latencies = found.get('Latencystats')!
    expect(latencies.get('latency_percentiles_usec_set')).toMatch(/^p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}$/)
    expect(latencies.has('latency_percentiles_usec_get')).toBe(false)
  })

  test('latencies at the percentiles configured, or not at all', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'SET', 'latency-tracking-info-percentiles', '0 12.5 100')
    await ask(client, 'PING')
    expect(await field(client, 'latencystats', 'latency_percentiles_usec_ping')).toMatch(/^p0=.*,p12\.5=.*,p100=/)
    await ask(client, 'CONFIG', 'SET', 'latency-tracking', 'no')
    expect((await info(client, 'latencystats')).get('Latencystats')!.size).toBe(0)
    await ask(client, 'CONFIG', 'SET', 'latency-tracking', 'yes')
  })

  test('operations and bytes a second', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'RESETSTAT')
    const isRight = async (): Promise<boolean> => {
      const until = Date.now() + 2000
      let count = 0
      for (; Date.now() < until; count++) {
        await ask(client, 'PING')
        await sleep(5)
      }
      const stats = (await info(client, 'stats')).get('Stats')!
      const rate = Number(stats.get('instantaneous_ops_per_sec'))
      const input = Number(stats.get('instantaneous_input_kbps')) * 1024
      expect(Number(stats.get('instantaneous_eventloop_cycles_per_sec'))).toBeGreaterThan(0)
      // A PING has 14 bytes; both are rounded.
      return rate > count / 2 / 2 && rate < (count / 2) * 2 && input / rate > 13 && input / rate < 16
    }
    await eventually(isRight, 'rates as they are') // where others want the processor they vary
  })

  test('the longest time the loop was busy with one thing', async () => {
    const other = await startCinnabar({ args: ['--enable-debug-command', 'yes'] })
    try {
      const client = await connect(other)
      await ask(client, 'CONFIG', 'RESETSTAT')
      expect(await numberOf(client, 'stats', 'cinnabar_loop_stall_max_us')).toBeLessThan(900_000)
      await ask(client, 'DEBUG', 'SLEEP', '1')
      const stall = await numberOf(client, 'stats', 'cinnabar_loop_stall_max_us')
      expect(stall).toBeGreaterThanOrEqual(1_000_000)
      expect(stall).toBeLessThan(3_000_000)
      expect(await numberOf(client, 'debug', 'eventloop_duration_max')).toBe(stall)
      // Sleeping is not waiting for a processor.
      const own = await numberOf(client, 'stats', 'cinnabar_loop_stall_own_us')
      expect(own).toBeGreaterThan(10_000)
      expect(own).toBeLessThanOrEqual(stall)
      await ask(client, 'CONFIG', 'RESETSTAT')
      expect(await numberOf(client, 'stats', 'cinnabar_loop_stall_max_us')).toBeLessThan(900_000)
    } finally {
      await other.stop()
    }
  })

  test('the most commands that came at once', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'RESETSTAT')
    client.send('PING\r\n'.repeat(50))
    await client.replies(50)
    expect(await numberOf(client, 'debug', 'eventloop_cmd_per_cycle_max')).toBe(50)
  })
})

describe('INFO memory', () => {
  const server = useServer()

  test('grows by what is stored, and remembers the peak', async () => {
    const client = await connect(server())
    const before = await numberOf(client, 'memory', 'used_memory')
    await ask(client, 'SETRANGE', 'k', '999999', 'x')
    const after = await numberOf(client, 'memory', 'used_memory')
    expect(after - before).toBeGreaterThan(1_000_000)
    expect(after - before).toBeLessThan(1_200_000)
    await ask(client, 'DEL', 'k')
    expect(await numberOf(client, 'memory', 'used_memory')).toBeLessThan(before + 50_000)
    expect(await numberOf(client, 'memory', 'used_memory_peak')).toBeGreaterThanOrEqual(after)
  })

  test('has a peak of one moment: values that are gone do not add to what a request takes now', async () => {
    const client = await connect(server())
    await ask(client, 'SETRANGE', 'k', '5999999', 'x')
    const peak = await numberOf(client, 'memory', 'used_memory_peak')
    await ask(client, 'DEL', 'k')
    const before = await numberOf(client, 'memory', 'used_memory')
    const other = await connect(server())
    other.send(encode('SADD', 'k', ...Array.from({ length: 120_000 }, (_, index) => `member:${index}`)).subarray(0, -9))
    await eventually(async () => (await numberOf(client, 'memory', 'used_memory')) > before + 1_500_000)
    expect(await numberOf(client, 'memory', 'used_memory_peak')).toBeLessThan(peak + 500_000)
  })

  test('adds up', async () => {
    const client = await connect(server())
    await ask(client, 'SET', 'k', 'x'.repeat(1000))
    const fields = (await info(client, 'memory')).get('Memory')!
    const bytes = (name: string): number => Number(fields.get(name))
    expect(bytes('used_memory_overhead') + bytes('used_memory_dataset')).toBe(bytes('used_memory'))
    expect(bytes('used_memory_dataset')).toBeGreaterThanOrEqual(1000)
    expect(bytes('used_memory_dataset')).toBeLessThan(1200)
    expect(bytes('allocator_allocated')).toBeLessThanOrEqual(bytes('allocator_active'))
    expect(bytes('allocator_active')).toBeLessThanOrEqual(bytes('allocator_resident'))
    expect(bytes('used_memory_rss')).toBeGreaterThan(20_000_000)
    expect(bytes('cinnabar_js_heap_used')).toBeGreaterThan(1_000_000)
    expect(fields.get('used_memory_human')).toMatch(/^\d+\.\d\d[KM]$/)
    expect(fields.get('maxmemory_policy')).toBe('noeviction')
    expect(fields.get('mem_allocator')).toBe('arena')
  })
})
