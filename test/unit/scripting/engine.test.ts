/* The engine without a server: its host answers every command with what a test puts there. */
import { expect, onTestFinished, test, vi } from 'vitest'
import { Call } from '../../../src/commands/call.ts'
import { Session } from '../../../src/commands/session.ts'
import { Keyspace } from '../../../src/keyspace/keyspace.ts'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { Reply } from '../../../src/protocol/reply.ts'
import { ScriptEngine } from '../../../src/scripting/engine.ts'
import type { ScriptHost } from '../../../src/scripting/host.ts'
import { Libraries } from '../../../src/scripting/libraries.ts'
import { ScriptCache } from '../../../src/scripting/script-cache.ts'

class Host implements ScriptHost {
  readonly keyspace = new Keyspace(1)
  readonly call = new Call(this.keyspace, new Session(0), new Reply())
  readonly logLevel = 0
  givesDeprecated = false
  readonly seen: string[][] = []
  answer = '+OK\r\n'
  version = 2
  killed = false
  failures = 0
  runCommand(): string | null {
    this.seen.push(Array.from({ length: this.call.argc }, (_, index) => this.call.string(index)))
    this.call.reply.raw(fromLatin1(this.answer))
    return null
  }
  mayRun(): boolean {
    return true
  }
  countFailure(): void {
    this.failures++
  }
  setVersion(version: number): void {
    this.version = version
  }
  setPropagation(): void {}
  log(): void {}
  isKilled(): boolean {
    return this.killed
  }
}

function start() {
  const host = new Host()
  const engine = new ScriptEngine(host)
  const call = new Call(host.keyspace, new Session(1), new Reply())
  const run = (text: string, ...args: string[]): string => {
    const words = ['EVAL', text, '0', ...args]
    call.bytes = fromLatin1(words.join(''))
    call.argc = words.length
    let pos = 0
    for (const [index, word] of words.entries()) {
      call.pos[index] = pos
      call.len[index] = word.length
      pos += word.length
    }
    const reference = engine.compile(fromLatin1(text))
    if (typeof reference === 'string') return reference
    engine.run(reference, false, 'test', call, 0, () => host.version)
    engine.release(reference, engine.generation, false)
    const bytes = new Uint8Array(call.reply.length)
    call.reply.moveTo(bytes, 0)
    return latin1(bytes, 0, bytes.length)
  }
  return { host, engine, run }
}

test('arguments of commands come as they were, numbers in full', () => {
  const { host, run } = start()
  run("redis.call('set', 'a\\0b', 0.1, 1e21, -0.5, 2^53, 100, 1/0)")
  expect(host.seen).toEqual([['set', 'a\0b', '0.1', '1e+21', '-0.5', '9007199254740992', '100', 'inf']])
  const many = Array.from({ length: 300 }, (_, index) => `${index}.5`)
  run("local t = {} for i = 1, 300 do t[i] = i - 0.5 end redis.call('x', unpack(t))")
  expect(host.seen[1]).toEqual(['x', ...many])
})

test.each([
  ['*2\r\n:1\r\n$2\r\nab\r\n', 'return r[1] .. r[2]', '$3\r\n1ab\r\n'],
  ['$-1\r\n', 'return tostring(r)', '$5\r\nfalse\r\n'],
  ['*-1\r\n', 'return tostring(r)', '$5\r\nfalse\r\n'],
  ['_\r\n', 'return tostring(r)', '$3\r\nnil\r\n'],
  ['#t\r\n', 'return tostring(r)', '$4\r\ntrue\r\n'],
  [',1.5\r\n', 'return r.double * 2', ':3\r\n'],
  ['(123456789012345678901\r\n', 'return r.big_number', '$21\r\n123456789012345678901\r\n'],
  ['=8\r\nmkd:text\r\n', 'return r.verbatim_string.format .. r.verbatim_string.string', '$7\r\nmkdtext\r\n'],
  ['%1\r\n+k\r\n:5\r\n', 'for k, v in pairs(r.map) do return k.ok .. v end', '$2\r\nk5\r\n'],
  ['~2\r\n:1\r\n:2\r\n', 'return {r.set[1], r.set[2]}', '*2\r\n:1\r\n:1\r\n'],
  ['|1\r\n+a\r\n+b\r\n:7\r\n', 'return r', ':7\r\n'],
  [':-9007199254740993\r\n', 'return r', ':-9007199254740992\r\n'],
])('a reply %j is a Lua value', (answer, code, wanted) => {
  const { host, run } = start()
  host.answer = answer
  expect(run(`local r = redis.call('x') ${code}`)).toBe(wanted)
})

test('large replies and strings make the memory grow', () => {
  const { host, run } = start()
  host.answer = `$5000000\r\n${'x'.repeat(5_000_000)}\r\n`
  expect(run("local t = {} for i = 1, 20 do t[i] = redis.call('x') .. i end return #t[20]")).toBe(':5000002\r\n')
})

test('a script that is killed cannot go on', () => {
  const { host, run } = start()
  host.killed = true
  expect(run('while true do pcall(function() while true do end end) end')).toContain('Script killed by user')
  host.killed = false
  expect(run('for i = 1, 1e6 do end return 1')).toBe(':1\r\n')
})

test('an interpreter that has broken is replaced, and libraries and scripts come back', () => {
  const { host, engine, run } = start()
  const libraries = new Libraries(engine)
  const scripts = new ScriptCache(engine)
  expect(libraries.load(fromLatin1("#!lua name=a\nredis.register_function('f', function() end)"), false)).toMatchObject(
    {
      name: 'a',
    },
  )
  const body = fromLatin1('return 1')
  const script = scripts.add(body, 0, body.length, true)
  const generation = engine.generation
  expect(run("return string.find(string.rep('a', 300000), string.rep('a?', 200000) .. 'b')")).toContain(
    'stack overflow',
  )
  expect(engine.generation).toBe(generation + 1)
  expect(libraries.find('F')).toMatchObject({ name: 'f' })
  if (typeof script === 'string') throw new Error(script)
  expect(scripts.prepare(script)).toBeNull()
  expect(script.generation).toBe(engine.generation)
  expect(run('return 1')).toBe(':1\r\n')
  expect(host.failures).toBe(0)
})

test('a library comes back however slow the moment is', () => {
  const { engine, run } = start()
  const libraries = new Libraries(engine)
  const code = "#!lua name=a\nfor i = 1, 300000 do end redis.register_function('f', function() end)"
  expect(libraries.load(fromLatin1(code), false)).toMatchObject({ name: 'a' })
  run("return string.find(string.rep('a', 300000), string.rep('a?', 200000) .. 'b')")
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000))
  onTestFinished(() => {
    vi.restoreAllMocks()
  })
  expect(libraries.find('f')).toMatchObject({ name: 'f' })
  expect(libraries.load(fromLatin1(code), true)).toContain('FUNCTION LOAD timeout')
})

test("what a command throws is not taken for the interpreter's", () => {
  const { host, run } = start()
  host.runCommand = () => {
    throw new RangeError('ours')
  }
  expect(() => run("redis.call('x')")).toThrow('ours')
})

test('an error of a command that a script returns is counted once', () => {
  const { host, run } = start()
  host.answer = '-CODE no\r\n'
  expect(run("return redis.pcall('x')")).toBe('-CODE no\r\n')
  expect(run("return redis.call('x')")).toBe('-CODE no script: test, on @user_script:1.\r\n')
  expect(run("return {redis.pcall('x')}")).toBe('*1\r\n-CODE no\r\n')
  expect(host.failures).toBe(3)
})

test('deprecated functions are there if they are wanted', () => {
  const { host, run } = start()
  const code =
    'local f = function() return x end setfenv(f, {x = 5}) return {f(), type(getfenv(1)), type(newproxy(true))}'
  host.givesDeprecated = true
  expect(run(code)).toBe('*3\r\n:5\r\n$5\r\ntable\r\n$8\r\nuserdata\r\n')
  const { run: runStrictly } = start()
  expect(runStrictly(code)).toContain("nonexistent global variable 'setfenv'")
})
