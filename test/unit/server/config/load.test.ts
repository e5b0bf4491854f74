import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { refusal, shown, start, started, temporaryDirectory, temporaryFile } from './support.ts'

const HEADING = '\n*** FATAL CONFIG FILE ERROR (Redis 7.2.4) ***\n'

const atLine = (number: number, line: string, reason: string, place: string) =>
  `${HEADING}Reading the configuration file, at line ${number}\n>>> '${line}'\n${reason}\n(${place})\n`

const stdin = (text: string) => ({ readStdin: () => Buffer.from(text) })

describe('a configuration file', () => {
  test('holds directives in any case, comments, blank lines, blanks and quotes', () => {
    const file = temporaryFile('# a comment\n\n  TIMEOUT\t 5 \r\nrequirepass "a b\\x41\\n"\nlogfile \'\'\nport 0 \n')
    const config = started([file])
    expect(config.number('timeout')).toBe(5)
    expect(config.bytes('requirepass')).toBe('a bA\n')
    expect(config.number('port')).toBe(0)
  })

  test('is remembered by its absolute path', () => {
    const file = temporaryFile('port 0')
    const loaded = start([file])
    expect(loaded.action === 'start' && loaded.file).toBe(file)
    const none = start([])
    expect(none.action === 'start' && none.file).toBeUndefined()
  })

  test('gives way to standard input, and that to the arguments', () => {
    const file = temporaryFile('timeout 1\ntcp-keepalive 1\nhz 1')
    const config = started([file, '--timeout', '3', '-'], stdin('timeout 2\ntcp-keepalive 2\n'))
    expect(config.get(['timeout', 'tcp-keepalive', 'hz']).map(([, value]) => value)).toEqual(['3', '2', '1'])
  })

  test('replaces the default save points by its own, which add up', () => {
    expect(shown(started([temporaryFile('port 0')]), 'save')).toBe('3600 1 300 100 60 10000')
    const file = temporaryFile('save 900 1\nsave 300 10')
    expect(shown(started([file]), 'save')).toBe('900 1 300 10')
    expect(shown(started([file, '--save', '60', '1']), 'save')).toBe('900 1 300 10 60 1')
    expect(shown(started([file, '--save', '']), 'save')).toBe('')
    expect(shown(started([file, '--save']), 'save')).toBe('')
    expect(shown(started([file, '--save', '', '--save 5 1']), 'save')).toBe('5 1')
  })

  test('takes several arguments in one', () => {
    const config = started(['--save', '900 1 300 10', '--bind "127.0.0.1 ::1"', '--shutdown-on-sigterm', 'now force'])
    expect(shown(config, 'save')).toBe('900 1 300 10')
    expect(shown(config, 'bind')).toBe('127.0.0.1 ::1')
    expect(shown(config, 'shutdown-on-sigterm')).toBe('now force')
  })

  test('may hold directives that Redis has forgotten', () => {
    expect(start([temporaryFile('lua-replicate-commands yes\nlist-max-ziplist-entries 5')]).action).toBe('start')
    expect(refusal([temporaryFile('lua-replicate-commands')])).toContain('Bad directive or wrong number of arguments')
  })

  test('may rename commands and declare users, as the layers above allow', () => {
    const seen: (readonly string[])[] = []
    const instructions = {
      renameCommand(from: string, to: string) {
        seen.push([from, to])
        return from === 'nosuch' ? 'No such command' : undefined
      },
      user(args: readonly string[]) {
        seen.push(args)
        return undefined
      },
    }
    started(['--rename-command', 'CONFIG', '', '--user', 'a', 'on', '+@all'], instructions)
    expect(seen).toEqual([
      ['CONFIG', ''],
      ['a', 'on', '+@all'],
    ])
    expect(refusal(['--rename-command', 'nosuch', 'x'], instructions)).toContain('No such command')
    expect(refusal(['--rename-command', 'GET', 'x'])).toContain('renaming commands is not available')
    expect(refusal(['--user', 'a'])).toContain("Error in user declaration 'a'")
  })

  test('warns of values that are allowed and unwise', () => {
    const warnings: string[] = []
    started(['--oom-score-adj-values', '5', '4', '3'], { warn: (message) => warnings.push(message) })
    expect(warnings).toEqual([expect.stringContaining('oom-score-adj-values')])
  })
})

describe('include', () => {
  test('reads another file in its place', () => {
    const included = temporaryFile('timeout 2\nsave 300 10\n')
    const config = started([temporaryFile(`timeout 1\nsave 900 1\ninclude ${included}\ntcp-keepalive 7\nsave 60 1`)])
    expect(config.get(['timeout', 'tcp-keepalive']).map(([, value]) => value)).toEqual(['2', '7'])
    expect(shown(config, 'save')).toBe('900 1 300 10 60 1')
  })

  test('reads the files that a pattern names in alphabetical order, hidden ones and others excepted', () => {
    const path = temporaryDirectory()
    mkdirSync(join(path, 'conf.d'))
    const write = (name: string, text: string) => writeFileSync(join(path, 'conf.d', name), text)
    write('b.conf', 'timeout 2\nhz 20')
    write('a.conf', 'timeout 1')
    write('.hidden.conf', 'port x')
    write('c.CONF', 'port x')
    const config = started([temporaryFile(`include ${path}/conf.d/*.conf`)])
    expect(config.get(['timeout', 'hz']).map(([, value]) => value)).toEqual(['2', '20'])
    expect(started([temporaryFile(`include ${path}/c[!x]nf.?/[ab].conf`)]).number('timeout')).toBe(2)
  })

  test('does not mind a pattern that names nothing', () => {
    expect(start([temporaryFile('include /nosuch/*.conf')]).action).toBe('start')
  })

  test('finds relative files in the working directory of the moment', () => {
    const path = temporaryDirectory()
    writeFileSync(join(path, 'x.conf'), 'timeout 8')
    expect(started([temporaryFile(`dir ${path}\ninclude x.conf`)]).number('timeout')).toBe(8)
  })

  test('names the file and line of an error within', () => {
    const included = temporaryFile('\ntimeout x')
    expect(refusal([temporaryFile(`include ${included}`)])).toBe(
      atLine(2, 'timeout x', "argument couldn't be parsed into an integer", `${included}, line 2`),
    )
  })

  test('stops when a file includes itself', () => {
    const path = temporaryDirectory()
    writeFileSync(join(path, 'x.conf'), `include ${path}/x.conf`)
    expect(refusal([join(path, 'x.conf')])).toContain('Too many nested includes')
  })

  test('stops when a file is missing', () => {
    expect(refusal(['--include', '/nosuch.conf'])).toBe(
      "Fatal error, can't open config file '/nosuch.conf': No such file or directory\n",
    )
  })
})

describe('what stops the start', () => {
  test('a file that cannot be read', () => {
    expect(refusal(['/nosuch.conf'])).toBe(
      "Fatal error, can't open config file '/nosuch.conf': No such file or directory\n",
    )
    expect(refusal(['/tmp'])).toBe("Fatal error, can't open config file '/tmp': Is a directory\n")
  })

  test.each([
    [['--invalid'], 'invalid', 'Bad directive or wrong number of arguments'],
    [['--port'], 'port', 'wrong number of arguments'],
    [['--port', '6380', '6381'], 'port "6380" "6381"', 'wrong number of arguments'],
    [['--port', '--bla', '--loglevel', 'x'], 'port "--bla"', "argument couldn't be parsed into an integer"],
    [["--save '900"], "save '900", 'Unbalanced quotes in configuration line'],
    [['--save', "'"], 'save "\'"', 'Unbalanced quotes in configuration line'],
    [['--save', '1'], 'save "1"', 'Invalid save parameters'],
    [['--dir', '/nosuch'], 'dir "/nosuch"', 'No such file or directory'],
    [['--a.b'], 'a.b', 'Module config specified without value'],
    [['--sentinel x'], 'sentinel x', 'sentinel directive while not in sentinel mode'],
    [['--rename-command', 'GET'], 'rename-command "GET"', 'Bad directive or wrong number of arguments'],
    [['--user'], 'user', 'Bad directive or wrong number of arguments'],
    [['--include'], 'include', 'Bad directive or wrong number of arguments'],
    [['--replicaof', '127.0.0.1', 'abc'], 'replicaof "127.0.0.1" "abc"', 'Invalid master port'],
    [['--replicaof', 'a', '1'], 'replicaof "a" "1"', 'replication is not built yet'],
    [['--loadmodule', '/x.so'], 'loadmodule "/x.so"', 'modules are native code for Redis itself and cannot be loaded'],
  ])('%j', (args, line, reason) => {
    expect(refusal(args)).toBe(atLine(2, line, reason, 'the command line'))
  })

  test('is told with the place: file, standard input or command line, and the line as Redis counts it', () => {
    const file = temporaryFile('port 0\n\nhz x\n')
    const reason = "argument couldn't be parsed into an integer"
    expect(refusal([file])).toBe(atLine(3, 'hz x', reason, `${file}, line 3`))
    const good = temporaryFile('port 0\n')
    expect(refusal([good, '-'], stdin('port 0\nhz x\n'))).toBe(atLine(3, 'hz x', reason, 'standard input, line 2'))
    expect(refusal([good, '--hz', 'x'])).toBe(atLine(3, 'hz "x"', reason, 'the command line'))
  })

  test('a log file that cannot be written', () => {
    expect(refusal(['--logfile', '/nosuch/x'])).toBe(
      `${HEADING}Can't open the log file: No such file or directory\n(/nosuch/x)\n`,
    )
  })

  test('sentinel mode, and what only Redis itself can do', () => {
    expect(refusal(['--sentinel'])).toMatch(/Sentinel mode is not available/)
    expect(refusal(['--test-memory'])).toMatch(/^Please specify the amount of memory/)
    expect(refusal(['--test-memory', '64'])).toMatch(/not available/)
    expect(start(['--check-system'])).toMatchObject({ action: 'exit', code: 0 })
    expect(start(['--version'])).toMatchObject({ action: 'exit', code: 0, stderr: '' })
    expect(start(['--help'])).toMatchObject({ action: 'exit', code: 1, stdout: '' })
  })
})
