/* Scripts as clients see them: what they may do, what is told of them, and what happens to those that run too long or
 * try to break out. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { sleep, startCinnabar } from '../helpers/servers.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const server = useServer({ args: ['--enable-debug-command', 'yes'] })

const info = async (client: Awaited<ReturnType<typeof connect>>, section: string): Promise<Record<string, string>> => {
  const lines = body(await ask(client, 'INFO', section)).split('\r\n')
  return Object.fromEntries(lines.map((line) => line.split(':') as [string, string]))
}

describe('a script', () => {
  test('leaves the database of its client as it was', async () => {
    const client = await connect(server())
    expect(await ask(client, 'EVAL', "redis.call('select', 5) redis.call('set', 'five', 'x')", '0')).toBe('$-1\r\n')
    expect(await ask(client, 'EXISTS', 'five')).toBe(':0\r\n')
    expect(await ask(client, 'EVAL', "redis.call('select', 5) return redis.call('get', 'five')", '0')).toBe(
      '$1\r\nx\r\n',
    )
  })

  test('wakes clients that wait for a key it has pushed to, when it has ended', async () => {
    const [waiter, client] = [await connect(server()), await connect(server())]
    const popped = ask(waiter, 'BLPOP', 'wake', '0')
    await eventually(async () => /^1$/.test((await info(client, 'clients'))['blocked_clients']!), 'a blocked client')
    const script = "redis.call('lpush', 'wake', 'a', 'b') return redis.call('llen', 'wake')"
    expect(await ask(client, 'EVAL', script, '0')).toBe(':2\r\n')
    expect(await popped).toBe('*2\r\n$4\r\nwake\r\n$1\r\nb\r\n')
  })

  test('does not wait itself', async () => {
    const client = await connect(server())
    expect(await ask(client, 'EVAL', "return redis.call('blpop', 'nothing', 0)", '0')).toBe('$-1\r\n')
  })

  test('writes numbers with all their digits', async () => {
    const client = await connect(server())
    await ask(client, 'EVAL', "redis.call('set', 'sum', 0.1 + 0.2) redis.call('set', 'big', 2^53)", '0')
    expect(await ask(client, 'MGET', 'sum', 'big')).toBe(
      '*2\r\n$19\r\n0.30000000000000004\r\n$16\r\n9007199254740992\r\n',
    )
  })

  test('is refused what is not for scripts, unless a test asks for it', async () => {
    const client = await connect(server())
    const call = ['EVAL', "return redis.call('debug', 'sleep', '0')", '0'] as const
    expect(await ask(client, ...call)).toContain('This Redis command is not allowed from script')
    await ask(client, 'DEBUG', 'SET-DISABLE-DENY-SCRIPTS', '1')
    expect(await ask(client, ...call)).toBe(OK)
    await ask(client, 'DEBUG', 'SET-DISABLE-DENY-SCRIPTS', '0')
  })

  test('is shown to MONITOR before its commands, which are shown as lua', async () => {
    const [monitor, client] = [await connect(server()), await connect(server())]
    expect(await ask(monitor, 'MONITOR')).toBe(OK)
    await ask(client, 'EVAL', "return redis.call('incr', KEYS[1])", '1', 'shown')
    const lines = [String(await monitor.reply()), String(await monitor.reply())]
    expect(lines[0]).toMatch(
      /^\+\d+\.\d{6} \[0 127\.0\.0\.1:\d+\] "EVAL" "return redis\.call\('incr', KEYS\[1\]\)" "1"/,
    )
    expect(lines[1]).toMatch(/^\+\d+\.\d{6} \[0 lua\] "incr" "shown"\r\n$/)
  })

  test('is in the slow log behind its commands, which come from nowhere', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '0')
    await ask(client, 'SLOWLOG', 'RESET')
    await ask(client, 'EVAL', "return redis.call('get', 'x')", '0')
    const log = (await ask(client, 'SLOWLOG', 'GET', '2')).split('\r\n').filter((line) => /^[a-z?]/i.test(line))
    await ask(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '10000')
    expect(log).toEqual(['EVAL', "return redis.call('get', 'x')", 'get', 'x', '?:0'])
  })

  test('counts in INFO, and its commands count', async () => {
    const client = await connect(server())
    await ask(client, 'SCRIPT', 'FLUSH')
    await ask(client, 'FUNCTION', 'FLUSH')
    await ask(client, 'CONFIG', 'RESETSTAT')
    await ask(client, 'EVAL', "for i = 1, 20 do redis.call('get', 'x') end return redis.pcall('nosuch')", '0')
    await ask(client, 'FUNCTION', 'LOAD', "#!lua name=one\nredis.register_function('f', function() end)")
    const memory = await info(client, 'memory')
    expect(memory).toMatchObject({ number_of_cached_scripts: '1', number_of_functions: '1', number_of_libraries: '1' })
    for (const name of ['used_memory_vm_eval', 'used_memory_vm_functions', 'used_memory_scripts_eval']) {
      expect(Number(memory[name])).toBeGreaterThan(100)
    }
    const stats = await info(client, 'commandstats')
    expect(stats['cmdstat_get']).toMatch(/^calls=20,/)
    expect(stats['cmdstat_eval']).toMatch(/calls=1,.*failed_calls=1/)
    expect((await info(client, 'errorstats'))['errorstat_ERR']).toBe('count=1')
  })

  test('of those that only EVAL has brought, the latest are kept', async () => {
    const client = await connect(server())
    await ask(client, 'SCRIPT', 'FLUSH')
    const loaded = body(await ask(client, 'SCRIPT', 'LOAD', 'return "loaded"'))
    for (let number = 0; number < 600; number++) await ask(client, 'EVAL', `return ${number}`, '0')
    expect((await info(client, 'memory'))['number_of_cached_scripts']).toBe('501')
    expect(await ask(client, 'EVALSHA', loaded, '0')).toBe('$6\r\nloaded\r\n')
  })
})

describe('a script that runs too long', () => {
  const ENDLESS = 'while true do end'

  test('is reported to other clients, who may end it', async () => {
    const [runner, client] = [await connect(server()), await connect(server())]
    await ask(client, 'CONFIG', 'SET', 'busy-reply-threshold', '20')
    const ended = ask(runner, 'EVAL', ENDLESS, '0')
    await eventually(
      async () => (await ask(client, 'PING')).startsWith('-BUSY Redis is busy running a script.'),
      'BUSY',
    )
    expect(await ask(client, 'FUNCTION', 'KILL')).toMatch(/^-BUSY /)
    expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
    expect(await ended).toMatch(/^-ERR Script killed by user with SCRIPT KILL/)
    expect(await ask(client, 'PING')).toBe('+PONG\r\n')
    expect(await ask(client, 'SCRIPT', 'KILL')).toBe('-NOTBUSY No scripts in execution right now.\r\n')
  })

  test('cannot go on by catching the error', async () => {
    const [runner, client] = [await connect(server()), await connect(server())]
    await ask(client, 'PING')
    const ended = ask(runner, 'EVAL', 'while true do pcall(function() while true do end end) end', '0')
    await eventually(async () => (await ask(client, 'PING')).startsWith('-BUSY'), 'BUSY')
    expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
    expect(await ended).toMatch(/^-ERR /)
  })

  test('and has written, is not ended', async () => {
    const [runner, client] = [await connect(server()), await connect(server())]
    await ask(client, 'PING') // it has been accepted: what it sends now comes before others do
    const ended = ask(runner, 'EVAL', "redis.call('set', 'k', 'v') for i = 1, 3e8 do end", '0')
    await eventually(async () => (await ask(client, 'PING')).startsWith('-BUSY'), 'BUSY')
    expect(await ask(client, 'SCRIPT', 'KILL')).toMatch(/^-UNKILLABLE /)
    expect(await ask(client, 'SHUTDOWN')).toMatch(/^-BUSY /) // half of what it does is not to be saved
    expect(await ask(client, 'SHUTDOWN', 'SAVE', 'FORCE')).toMatch(/^-BUSY /)
    expect(await ended).toBe('$-1\r\n')
  })

  test('keeps what others send in order', async () => {
    const [runner, client, other] = [await connect(server()), await connect(server()), await connect(server())]
    for (const each of [client, other]) await ask(each, 'PING') // who has not been accepted has to wait
    const ended = ask(runner, 'EVAL', ENDLESS, '0')
    await eventually(async () => (await ask(client, 'PING')).startsWith('-BUSY'), 'BUSY')
    other.send('*2\r\n$4\r\nECHO\r\n$3\r\na')
    await sleep(50)
    other.send('bc\r\nPING\r\n*1\r\n$4\r\nPI')
    expect(String(await other.reply())).toMatch(/^-BUSY/)
    expect(String(await other.reply())).toMatch(/^-BUSY/)
    expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
    await ended
    other.send('NG\r\n')
    expect(String(await other.reply())).toBe('+PONG\r\n')
  })

  test('lets others go who say QUIT, or what is no request', async () => {
    const [runner, client] = [await connect(server()), await connect(server())]
    const [other, leaver] = [await connect(server()), await connect(server())]
    for (const each of [client, other, leaver]) await ask(each, 'PING')
    const ended = ask(runner, 'EVAL', ENDLESS, '0')
    await eventually(async () => (await ask(client, 'PING')).startsWith('-BUSY'), 'BUSY')
    other.send('*1\r\n!\r\n')
    expect(String(await other.reply())).toBe("-ERR Protocol error: expected '$', got '!'\r\n")
    expect(await ask(leaver, 'QUIT')).toBe(OK)
    expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
    await Promise.all([ended, other.closed, leaver.closed])
  })

  test('leaves a long argument whole that comes meanwhile', async () => {
    const [runner, client, other] = [await connect(server()), await connect(server()), await connect(server())]
    for (const each of [client, other]) await ask(each, 'PING')
    const value = Buffer.alloc(1_500_000, 'cinnabar ')
    const request = encode('SET', 'long', value)
    other.send(request.subarray(0, 600_000))
    await sleep(100)
    other.send(request.subarray(600_000, 700_000))
    await sleep(100)
    const ended = ask(runner, 'EVAL', ENDLESS, '0')
    await eventually(async () => (await ask(client, 'PING')).startsWith('-BUSY'), 'BUSY')
    other.send(request.subarray(700_000, 900_000))
    await sleep(100)
    expect(await ask(client, 'SCRIPT', 'KILL')).toBe(OK)
    await ended
    other.send(request.subarray(900_000))
    expect(String(await other.reply())).toBe(OK)
    expect(body(await ask(other, 'GET', 'long')) === value.toString('latin1')).toBe(true)
  })
})

describe('a script that tries to break out gets an error', () => {
  test.each([
    ['deep recursion', 'local function f(n) return 1 + f(n + 1) end return f(1)'],
    [
      'endless metamethods',
      'local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k] end return t.x',
    ],
    ['C calls inside one another', "local function f(s) return string.gsub('x', 'x', f) end return f('x')"],
    ['pcall inside pcall', 'local function f() return pcall(f) end return tostring(f())'],
    ['a deep pattern', "return string.find(string.rep('a', 300000), string.rep('a?', 200000) .. 'b')"],
    ['a huge string', "local s = 'x' for i = 1, 31 do s = s .. s end return #s"],
    ['unpack with a huge range', 'return unpack({}, 0, 2^31 - 1)'],
    ['unpack with a range that overflows', 'return unpack({}, -2^31, 2^31 - 1)'],
    ['concat of a huge range', 'return table.concat({}, "x", 1, 2^30)'],
    ['deep JSON', "return cjson.decode(string.rep('[', 100000))"],
    ['a table that holds itself, as JSON', 'local t = {} t[1] = t return cjson.encode(t)'],
    ['deep MessagePack', "return cmsgpack.unpack(string.rep('\\145', 1000000))"],
    ['MessagePack that promises too much', "return cmsgpack.unpack('\\221\\255\\255\\255\\255')"],
    ['struct with a huge size', "return struct.pack('>I2147483648', '10')"],
    ['struct with a position beyond', "return struct.unpack('s', 'abc', 2^31)"],
    ['tohex of the least number', 'return bit.tohex(65535, -2147483648) .. nil'],
    ['bytecode', 'return loadstring("\\27Lua")()'],
    ['a deep expression', `return ${'('.repeat(10_000)}1${')'.repeat(10_000)}`],
    ['many locals', Array.from({ length: 300 }, (_, at) => `local a${at} = 1`).join(' ')],
    ['a reply that holds itself', 'local t = {} t[1] = t return t'],
    ['an error that holds nothing', 'error({})'],
    ['an error whose fields raise errors', 'error(setmetatable({}, {__index = function() error(1) end}))'],
    ['an error that cannot be told', 'error(setmetatable({}, {__newindex = function() error(1) end}))'],
    ['the metatable of strings', "getmetatable('').__index = function() end"],
    ['the metatable of globals', 'setmetatable(_G, {__index = function() return 1 end})'],
    ['writing through rawset', "rawset(redis, 'call', 1)"],
    ['writing through table.insert', 'table.insert(KEYS, 1) table.insert(math, 1)'],
  ])('%s', async (_name, script) => {
    const client = await connect(server())
    const reply = await ask(client, 'EVAL', script, '0')
    expect(reply).toMatch(/-ERR|^\$4\r\ntrue/)
    expect(await ask(client, 'EVAL', 'return redis.call("ping")', '0')).toBe('+PONG\r\n')
    expect(await ask(client, 'EVAL', 'return type(string.rep)', '0')).toBe('$8\r\nfunction\r\n')
  })

  test('and the next one finds functions as they were', async () => {
    const client = await connect(server())
    await ask(client, 'FUNCTION', 'FLUSH')
    await ask(
      client,
      'FUNCTION',
      'LOAD',
      "#!lua name=kept\nredis.register_function('kept', function() return 'here' end)",
    )
    await ask(client, 'EVAL', "return string.find(string.rep('a', 300000), string.rep('a?', 200000) .. 'b')", '0')
    expect(await ask(client, 'FCALL', 'kept', '0')).toBe('$4\r\nhere\r\n')
  })
})

test('functions are in the RDB file, and come back', async () => {
  const client = await connect(server())
  await ask(client, 'FUNCTION', 'FLUSH')
  await ask(
    client,
    'FUNCTION',
    'LOAD',
    "#!lua name=saved\nredis.register_function('saved', function() return 'here' end)",
  )
  expect(await ask(client, 'DEBUG', 'RELOAD')).toBe(OK)
  expect(await ask(client, 'FCALL', 'saved', '0')).toBe('$4\r\nhere\r\n')
  expect(await ask(client, 'DEBUG', 'RELOAD', 'NOFLUSH', 'MERGE')).toBe(OK)
})

describe('a script that declares itself', () => {
  test('runs while writes are paused if it does not write', async () => {
    const [client, other] = [await connect(server()), await connect(server())]
    await ask(client, 'CLIENT', 'PAUSE', '60000', 'WRITE')
    expect(await ask(client, 'EVAL', '#!lua flags=no-writes\nreturn 1', '0')).toBe(':1\r\n')
    expect(await ask(client, 'EVAL_RO', 'return 2', '0')).toBe(':2\r\n')
    const paused = [ask(client, 'EVAL', 'return 3', '0'), ask(other, 'EVAL', '#!lua\nreturn 4', '0')]
    expect(await Promise.race([...paused, sleep(100)])).toBe(undefined)
    await ask(await connect(server()), 'CLIENT', 'UNPAUSE')
    expect(await Promise.all(paused)).toEqual([':3\r\n', ':4\r\n'])
  })

  test('runs when memory is used up if it says so; what others write then is refused', async () => {
    const client = await connect(server())
    await ask(client, 'SET', 'x', 'y')
    await ask(client, 'CONFIG', 'SET', 'maxmemory', '1')
    const oom = "-OOM command not allowed when used memory > 'maxmemory'."
    expect(await ask(client, 'EVAL', "return redis.call('set', 'x', '1')", '0')).toContain(oom)
    expect(await ask(client, 'EVAL', "return redis.call('get', 'x')", '0')).toBe('$1\r\ny\r\n')
    expect(await ask(client, 'EVAL', "redis.call('del', 'x') return redis.call('set', 'x', '2')", '0')).toBe(OK)
    expect(await ask(client, 'EVAL', '#!lua\nreturn 1', '0')).toBe(`${oom}\r\n`)
    expect(await ask(client, 'EVAL', '#!lua flags=no-writes\nreturn 1', '0')).toBe(':1\r\n')
    const allowed = "#!lua flags=allow-oom\nreturn redis.call('set', 'x', '3')"
    expect(await ask(client, 'EVAL', allowed, '0')).toBe(OK)
    await ask(client, 'CONFIG', 'SET', 'maxmemory', '0')
  })
})

test('what scripts do is in the append-only file, whole or not at all, and functions too', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-scripting-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const start = () => startCinnabar({ dir, args: ['--appendonly', 'yes'] })
  const writer = await start()
  const client = await writer.connect()
  await ask(client, 'FUNCTION', 'LOAD', "#!lua name=f\nredis.register_function('f', function() return 'here' end)")
  await ask(client, 'EVAL', "redis.call('set', 'a', 1) redis.call('incr', 'a') return redis.call('get', 'a')", '0')
  await ask(client, 'EVAL', "redis.call('set', 'b', 1) error('after')", '0')
  await ask(client, 'EVAL', "return redis.call('get', 'a')", '0')
  await ask(client, 'EVAL', "redis.set_repl(redis.REPL_NONE) return redis.call('set', 'here', 'only')", '0')
  await client.close()
  await writer.stop()
  const [file] = readdirSync(join(dir, 'appendonlydir')).filter((name) => name.endsWith('.incr.aof'))
  const text = readFileSync(join(dir, 'appendonlydir', file!), 'latin1')
  const words = text.split('\r\n').filter((line) => /^[a-z]+$/i.test(line))
  expect(words).toEqual(['SELECT', 'FUNCTION', 'LOAD', 'MULTI', 'set', 'a', 'incr', 'a', 'EXEC', 'set', 'b'])
  const reader = await start()
  onTestFinished(async () => {
    await reader.stop()
  })
  const again = await reader.connect()
  expect(await ask(again, 'MGET', 'a', 'b')).toBe('*2\r\n$1\r\n2\r\n$1\r\n1\r\n')
  expect(await ask(again, 'FCALL', 'f', '0')).toBe('$4\r\nhere\r\n')
  await again.close()
})
