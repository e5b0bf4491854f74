import { describe, expect, test } from 'vitest'
import { parseCommandLine, versionText } from '../../../../src/server/config/command-line.ts'

/** The configuration text that the arguments become. */
function options(...args: string[]): string {
  const line = parseCommandLine('redis-server', args)
  if (line.action !== 'start') throw new Error(line.action)
  return line.options
}

function started(...args: string[]) {
  const line = parseCommandLine('redis-server', args)
  return line.action === 'start' ? { file: line.file, stdin: line.stdin, options: line.options } : line
}

describe('options become configuration text', () => {
  test.each([
    [['--port', '7000'], 'port "7000" '],
    [['--port', '7000', '--timeout', '3'], 'port "7000" \ntimeout "3" '],
    [['--save', '900', '1', '300', '10'], 'save "900" "1" "300" "10" '],
    [['--port 7000'], 'port 7000 '],
    [['--port 7000', '--timeout 3'], 'port 7000 \ntimeout 3 '],
    [['--maxmemory', '1 "gb"'], 'maxmemory "1 \\"gb\\"" '],
    [['--logfile', '--x', '--timeout', '3'], 'logfile "--x" \ntimeout "3" '],
    [['--port', '--timeout', '3'], 'port "--timeout" "3" '],
    [['--save', '--timeout', '3'], 'save ""\ntimeout "3" '],
    [['--timeout', '3', '--save'], 'timeout "3" \nsave ""'],
    [['--save', '', '--timeout', '3'], 'save "" \ntimeout "3" '],
    [['--save', '-x'], 'save "-x" '],
    [['--proc-title-template', '--save', '--save', ''], 'proc-title-template "--save" \nsave "" '],
    [["--save '900"], "save '900 "],
    [['-x', '--port', '1'], '"-x" \nport "1" '],
    [['--requirepass', 'é\xff'], 'requirepass "\\xc3\\xa9\\xc3\\xbf" '],
  ])('%j', (args, text) => {
    expect(options(...args)).toBe(text)
  })
})

describe('where the configuration is read from', () => {
  test.each([
    [[], { file: undefined, stdin: false, options: '' }],
    [['a.conf'], { file: 'a.conf', stdin: false, options: '' }],
    [['a.conf', '--port', '1'], { file: 'a.conf', stdin: false, options: 'port "1" ' }],
    [['a.conf', 'loglevel', 'debug'], { file: 'a.conf', stdin: false, options: '"loglevel" "debug" ' }],
    [['', '--port', '1'], { file: undefined, stdin: false, options: 'port "1" ' }],
    [['-'], { file: undefined, stdin: true, options: '' }],
    [['-', '--port', '1'], { file: undefined, stdin: true, options: 'port "1" ' }],
    [['a.conf', '--port', '1', '-'], { file: 'a.conf', stdin: true, options: 'port "1" ' }],
    [['a.conf', '-', '--port', '1'], { file: 'a.conf', stdin: false, options: '"-" \nport "1" ' }],
  ])('%j', (args, expected) => {
    expect(started(...args)).toEqual(expected)
  })
})

describe('what is not a start', () => {
  test.each([
    [['-v'], { action: 'version' }],
    [['--version', 'x'], { action: 'version' }],
    [['-h'], { action: 'help' }],
    [['--help'], { action: 'help' }],
    [['--check-system'], { action: 'check-system' }],
    [['--test-memory'], { action: 'test-memory', megabytes: undefined }],
    [['--test-memory', '64'], { action: 'test-memory', megabytes: '64' }],
    [['a.conf', '--sentinel'], { action: 'sentinel' }],
  ])('%j', (args, expected) => {
    expect(started(...args)).toEqual(expected)
  })

  test('a program named redis-sentinel', () => {
    expect(parseCommandLine('redis-sentinel', [])).toEqual({ action: 'sentinel' })
  })

  test('the version is in the form that scripts read', () => {
    expect(versionText('7.2.4', '1.2.3')).toMatch(
      /^Redis server v=7\.2\.4 sha=\S+ malloc=\S+ bits=64 build=\S*1\.2\.3\n$/,
    )
  })
})
