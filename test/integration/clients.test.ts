/* The programs that people use: client libraries, redis-cli in all its modes, redis-benchmark. */
import { execFile, execFileSync, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sleep } from '../helpers/servers.ts'
import { ask, connect, eventually, OK, useServer } from './support.ts'

const run = promisify(execFile)
const PYTHON = '/usr/bin/python3' // the distribution's, whose packages another python does not see

/** Whether a program is there to be tested with. Tests without it are skipped and say so; in CI it is an error. */
function available(name: string, program: string, ...args: readonly string[]): boolean {
  try {
    execFileSync(program, args, { stdio: 'ignore' })
    return true
  } catch {
    if (process.env['CI'] !== undefined && process.env['CI'] !== 'false') throw new Error(`${name} is missing, in CI`)
    console.warn(`${name} IS MISSING: ITS TESTS ARE SKIPPED`)
    return false
  }
}

const server = useServer({ args: ['--loglevel', 'warning'] })

describe.each([2, 3] as const)('ioredis, speaking RESP%i,', (protocol) => {
  async function connected(): Promise<Redis> {
    const redis = new Redis({ port: server().port, protocol, lazyConnect: true })
    onTestFinished(() => redis.disconnect())
    await redis.connect()
    await redis.flushall()
    return redis
  }

  test('sets and gets', async () => {
    const redis = await connected()
    expect(await redis.set('k', 'grüß')).toBe('OK')
    expect(await redis.get('k')).toBe('grüß')
    expect(await redis.set('bytes', Buffer.from([0, 255, 13, 10]))).toBe('OK')
    expect(await redis.getBuffer('bytes')).toEqual(Buffer.from([0, 255, 13, 10]))
    expect(await redis.set('k', 'x', 'NX')).toBeNull()
    expect(await redis.set('k', 'y', 'EX', 100, 'XX', 'GET')).toBe('grüß')
    expect(await redis.mset({ a: 1, b: '2', c: 'x' })).toBe('OK')
    expect(await redis.mget('a', 'b', 'none', 'c')).toEqual(['1', '2', null, 'x'])
    expect(await redis.incrby('a', 41)).toBe(42)
    expect(await redis.incrbyfloat('a', '0.5')).toBe('42.5')
    expect(await redis.append('c', 'yz')).toBe(3)
    expect(await redis.getrange('c', 1, 1)).toBe('y')
    await expect(redis.incr('c')).rejects.toThrow('ERR value is not an integer or out of range')
    await expect(redis.call('NOSUCH', 'x')).rejects.toThrow(/unknown command 'NOSUCH'/)
  })

  test('lets keys expire', async () => {
    const redis = await connected()
    await redis.set('e', '1', 'PX', 30)
    await redis.set('f', '1')
    expect(await redis.expire('f', 100, 'NX')).toBe(1)
    expect(await redis.expire('f', 200, 'NX')).toBe(0)
    expect(await redis.ttl('f')).toBeGreaterThan(50)
    expect(await redis.persist('f')).toBe(1)
    expect(await redis.pttl('none')).toBe(-2)
    await sleep(50)
    expect(await redis.exists('e', 'f')).toBe(1)
  })

  test('pipelines, and scans by streams', async () => {
    const redis = await connected()
    const pipeline = redis.pipeline()
    for (let index = 0; index < 2000; index++) pipeline.set(`key:${index}`, index)
    pipeline.incr('key:7').get('none')
    const replies = await pipeline.exec()
    expect(replies?.slice(-2)).toEqual([
      [null, 8],
      [null, null],
    ])
    const found = new Set<string>()
    for await (const keys of redis.scanStream({ match: 'key:*', count: 100 })) for (const key of keys) found.add(key)
    expect(found.size).toBe(2000)
    expect(await redis.dbsize()).toBe(2000)
    expect(await redis.del('key:1', 'key:2', 'none')).toBe(2)
    expect((await redis.keys('key:1?')).sort()).toEqual(Array.from({ length: 10 }, (_, index) => `key:1${index}`))
  })

  test('reads what the server tells of itself', async () => {
    const redis = await connected()
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction'])
    expect(await redis.client('SETNAME', 'io')).toBe('OK')
    expect(await redis.client('LIST')).toMatch(new RegExp(`name=io .*resp=${protocol}`))
    expect(await redis.info('server')).toMatch(/^redis_version:7\.2\.4\r$/m)
    expect(await redis.echo('x')).toBe('x')
    expect(await redis.command('COUNT')).toBeGreaterThan(50)
    expect(await redis.select(3)).toBe('OK')
    expect(await redis.quit()).toBe('OK')
  })
})

describe.each([2, 3] as const)('node-redis, speaking RESP%i,', (RESP) => {
  async function connected() {
    const client = createClient({ socket: { port: server().port }, RESP })
    onTestFinished(() => client.destroy())
    await client.connect()
    await client.flushAll()
    return client
  }

  test('sets, gets, and lets expire', async () => {
    const client = await connected()
    expect(await client.set('k', 'grüß', { expiration: { type: 'EX', value: 100 } })).toBe('OK')
    expect(await client.get('k')).toBe('grüß')
    expect(await client.get('none')).toBeNull()
    expect(await client.ttl('k')).toBeGreaterThan(50)
    expect(await client.expire('k', 10, 'GT')).toBe(0)
    expect(await client.mSet({ a: '1', b: '2' })).toBe('OK')
    expect(await client.mGet(['a', 'none', 'b'])).toEqual(['1', null, '2'])
    expect(await client.incrByFloat('a', 0.25)).toBe('1.25')
    expect(await client.lcs('k', 'k')).toBe('grüß')
    expect(await client.setEx('e', 100, 'x')).toBe('OK')
    expect(await client.getEx('e', { type: 'PERSIST' })).toBe('x')
    expect(await client.expireTime('e')).toBe(-1)
    await expect(client.incr('k')).rejects.toThrow('ERR value is not an integer or out of range')
  })

  test('pipelines what is asked in one turn, and scans', async () => {
    const client = await connected()
    await Promise.all(Array.from({ length: 1000 }, (_, index) => client.set(`key:${index}`, String(index))))
    expect(await Promise.all([client.incr('key:1'), client.get('key:2'), client.del('key:3')])).toEqual([2, '2', 1])
    const found = new Set<string>()
    for await (const keys of client.scanIterator({ MATCH: 'key:*', COUNT: 50 })) for (const key of keys) found.add(key)
    expect(found.size).toBe(999)
    const replies = await client.multi().get('key:1').type('key:1').execAsPipeline()
    expect(replies).toEqual(['2', 'string'])
  }, 30_000)

  test('reads what the server tells of itself', async () => {
    const client = await connected()
    expect(await client.configGet('maxmemory-policy')).toEqual(
      Object.assign(Object.create(null), { 'maxmemory-policy': 'noeviction' }),
    )
    expect(await client.clientInfo()).toMatchObject({ resp: RESP, libName: 'node-redis', db: 0 })
    expect((await client.commandInfo(['get']))[0]).toMatchObject({ name: 'get', arity: 2 })
    expect(await client.memoryUsage('none')).toBeNull()
    expect(await client.memoryStats()).toMatchObject({ 'keys.count': 0 })
    expect((await client.hello())['proto']).toBe(RESP)
    expect(Math.abs(Number((await client.time())[0]) - Date.now() / 1000)).toBeLessThan(60)
  })
})

describe.skipIf(!available('redis-py', PYTHON, '-c', 'import redis'))('redis-py', () => {
  test('finds everything as it expects', async () => {
    const script = fileURLToPath(new URL('../apps/redis_py.py', import.meta.url))
    const { stdout } = await run(PYTHON, [script, String(server().port)])
    expect(stdout).toMatch(/^redis-py [\d.]+: \d+ checks$/m)
  })

  test('runs pipelines, and watches and retries', async () => {
    const script = fileURLToPath(new URL('../apps/redis_py_transactions.py', import.meta.url))
    const { stdout } = await run(PYTHON, [script, String(server().port)])
    expect(stdout).toMatch(/^redis-py [\d.]+ transactions: \d+ checks$/m)
  })

  test('runs scripts and functions, and locks', async () => {
    const script = fileURLToPath(new URL('../apps/redis_py_scripts.py', import.meta.url))
    const { stdout } = await run(PYTHON, [script, String(server().port)])
    expect(stdout).toMatch(/^redis-py [\d.]+ scripts: \d+ checks$/m)
  })
})

describe.skipIf(!available('redis-cli', 'redis-cli', '--version'))('redis-cli', () => {
  /** Its output; what it reads comes from `input`. */
  async function cli(args: readonly string[], input = '', status = 0): Promise<string> {
    const child = spawn('redis-cli', ['-h', '127.0.0.1', '-p', String(server().port), ...args])
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += String(chunk)
      })
    }
    child.stdin.on('error', () => {}) // one that has its arguments need not read
    child.stdin.end(input)
    const code = await new Promise((resolve) => child.once('close', resolve))
    expect(code, output).toBe(status)
    return output
  }

  test('sends commands, given as arguments or line by line', async () => {
    expect(await cli(['SET', 'cli', 'a b'])).toBe('OK\n')
    expect(await cli([], 'GET cli\nINCR cli\nGET none\nECHO "\\x41\\n"\n')).toBe(
      'a b\nERR value is not an integer or out of range\n\n\nA\n\n',
    )
    expect(await cli(['-x', 'SET', 'cli'], 'from stdin')).toBe('OK\n')
    expect(await cli(['-3', 'GET', 'cli'])).toBe('from stdin\n')
    expect(await cli(['-r', '3', '-i', '0.01', 'INCR', 'counted'])).toBe('1\n2\n3\n')
    expect(await cli(['-n', '5', 'DBSIZE'])).toBe('0\n')
  })

  test('writes CSV and JSON', async () => {
    await cli(['MSET', 'csv', 'a "b"', 'x', '1'])
    expect(await cli(['--csv', 'MGET', 'csv', 'none', 'x'])).toBe('"a \\"b\\"",NULL,"1"\n')
    expect(JSON.parse(await cli(['-3', '--json', 'CONFIG', 'GET', 'maxmemory']))).toEqual({ maxmemory: '0' })
  })

  test('inserts in bulk with --pipe', async () => {
    await cli(['FLUSHALL'])
    const count = 100_000
    const lines = Array.from({ length: count }, (_, index) => `SET pipe:${index} value:${index}\r\n`)
    const inserted = await cli(['--pipe'], lines.join(''))
    expect(inserted).toContain(`errors: 0, replies: ${count}`)
    expect(await cli(['DBSIZE'])).toBe(`${count}\n`)
    const requests = Array.from(
      { length: count },
      (_, index) => `*2\r\n$4\r\nINCR\r\n$8\r\nn:${`${index % 10}`.padStart(6, '0')}\r\n`,
    )
    const counted = await cli(['--pipe'], `${requests.join('')}INCR pipe:1\r\n`, 1)
    expect(counted).toContain(`errors: 1, replies: ${count + 1}`)
  })

  test('scans with --scan', async () => {
    await cli(['MSET', ...Array.from({ length: 500 }, (_, index) => [`scan:${index}`, 'x']).flat()])
    const keys = (await cli(['--scan', '--pattern', 'scan:4?'])).trim().split('\n')
    expect(keys.sort()).toEqual(Array.from({ length: 10 }, (_, index) => `scan:4${index}`))
    expect((await cli(['--scan', '--quoted-pattern', '"scan\\x3a1"'])).trim()).toBe('scan:1')
  })

  test('finds large keys with --bigkeys and --memkeys', async () => {
    const client = await connect(server())
    expect(await ask(client, 'SET', 'the-largest', 'x'.repeat(5000))).toBe(OK)
    expect(await cli(['--bigkeys'])).toContain('Biggest string found \'"the-largest"\' has 5000 bytes')
    expect(await cli(['--memkeys'])).toMatch(/Biggest string found '"the-largest"' has 5\d\d\d bytes/)
  })

  test('--latency measures', async () => {
    const child = spawn('redis-cli', ['-p', String(server().port), '--latency', '-i', '0.3', '--raw'])
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += String(chunk)
    })
    await new Promise((resolve) => child.once('close', resolve))
    expect(output).toMatch(/^\d+ \d+ \d+\.\d+ \d+\n$/)
  })

  test('reads the documentation of every command', async () => {
    expect(await cli([], 'HELP GETEX\n')).toMatch(/GETEX.*key \[EX seconds\|PX milliseconds\|EXAT unix-time-seconds\|/)
    const docs = JSON.parse(await cli(['-3', '--json', 'COMMAND', 'DOCS'])) as Record<string, { summary: string }>
    expect(Object.keys(docs).length).toBeGreaterThan(50)
    for (const [name, { summary }] of Object.entries(docs)) expect(summary, name).not.toBe('')
  })
})

const hasTerminal = available('script', 'script', '--version') && available('redis-cli', 'redis-cli', '--version')

describe.skipIf(!hasTerminal)('redis-cli on a terminal', () => {
  /** What it shows while the keys are typed; it is ended when `until` has been shown. */
  async function terminal(args: string, keys: readonly string[], until: RegExp): Promise<string> {
    const child = spawn('script', ['-qec', `stty cols 120 && redis-cli -p ${server().port} ${args}`, '/dev/null'])
    onTestFinished(() => void child.kill('SIGKILL'))
    let shown = ''
    child.stdout.on('data', (chunk) => {
      shown += String(chunk)
    })
    const closed = new Promise((resolve) => child.once('close', resolve))
    if (keys.length > 0) await eventually(() => /\d> /.test(shown), 'the prompt')
    for (const text of keys) {
      const before = shown.length
      child.stdin.write(text)
      await sleep(50)
      const prompted = () => /\n[^\n]*\d> /.test(shown.slice(before)) // what is typed before that is shown otherwise
      if (text.endsWith('\r')) await eventually(prompted, 'the next prompt')
    }
    await eventually(() => until.test(shown), `${until} on the terminal`)
    child.stdin.write('\x03')
    await sleep(50)
    child.kill('SIGTERM')
    await closed
    return shown
  }

  test('hints at arguments while a command is typed', async () => {
    await terminal('', ['GETEX '], /GETEX .*key \[EX seconds\|PX milliseconds\|/)
    await terminal('', ['config', ' get', ' '], /parameter \[parameter/)
    await terminal('', ['SET typed 1\r', 'GET typed\r'], /OK\r\n.*GET typed.*\r\n"1"/s)
  })

  test('shows figures with --stat', async () => {
    const shown = await terminal('--stat -i 0.1', [], /(\d+ +[\d.]+[KMG]? +\d+ +\d+ +\d+ \(\+\d+\) +\d+[^\n]*\n){3}/)
    expect(shown).toMatch(/keys +mem +clients +blocked +requests +connections/)
  })
})

describe.skipIf(!available('redis-benchmark', 'redis-benchmark', '--version'))('redis-benchmark', () => {
  test.each([['1'], ['16']])('runs to its end with pipelines of %s', async (pipeline) => {
    const args = ['-p', String(server().port), '-t', 'ping,set,get,incr,mset', '-q', '-n', '5000', '-P', pipeline]
    const { stdout } = await run('redis-benchmark', [...args, '-r', '1000', '-c', '20'])
    for (const name of ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', String.raw`MSET \(10 keys\)`]) {
      expect(stdout).toMatch(new RegExp(`${name}: [1-9][\\d.]+ requests per second`))
    }
  })
})
