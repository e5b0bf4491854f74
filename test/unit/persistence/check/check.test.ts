/* `cinnabar check`: what it says of files, sound and damaged, and what it cuts off. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { check, checkArguments } from '../../../../src/persistence/check/check.ts'
import { fileOf, listpackOf, short } from '../rdb/support.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cinnabar-check-'))
  const made = dir
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
})

/** Runs a check of the file of this name, or of others; answers the exit code and what was printed. */
function run(args: readonly string[], answer = ''): { code: number; text: string; asked: number } {
  let text = ''
  let asked = 0
  const ask = (question: string): string => {
    text += question
    asked++
    return answer
  }
  const code = check(args, { print: (line) => (text += line), ask })
  return { code, text, asked }
}

function file(name: string, content: string | Uint8Array): string {
  const path = join(dir, name)
  writeFileSync(path, content, 'latin1')
  return path
}

const command = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`
const SET = command('SET', 'key', 'value')
const KEY = `\x00${short('key')}${short('value')}`

describe('an RDB file', () => {
  test('that is sound is told with what is in it', () => {
    const expiring = `\xfc\x01\x00\x00\x00\x00\x00\x00\x00\x00${short('past')}\x01v`
    const module = `\x07${short('m')}\x81\0\0\0\0\0\0\x04\x01\x02\x05\x05${short('text')}\x04${'\0'.repeat(8)}\x00`
    const library = `\xf5${short('#!lua name=lib')}`
    const aux = `\xf7\x81\0\0\0\0\0\0\x04\x01\x02\x02\x01\x07\x00`
    const path = file(
      'dump.rdb',
      fileOf([`\xfa${short('redis-ver')}${short('7.0.15')}`, library, aux, '\xfe\x07', KEY, expiring, module]),
    )
    const { code, text } = run([path])
    expect(text).toMatch(/AUX FIELD redis-ver = '7\.0\.15'/)
    expect(text).toMatch(/MODULE AUX for: A{8}B/)
    expect(text).toMatch(/Selecting DB ID 7/)
    expect(text).toMatch(/Checksum OK\n.*RDB looks OK/)
    expect(text).toMatch(/3 keys read\n.* 1 expires\n.* 1 already expired\n$/)
    expect(code).toBe(0)
  })

  test('without a checksum is sound, one with a wrong one is not', () => {
    const sound = fileOf([KEY])
    const without = sound.slice()
    without.fill(0, without.length - 8)
    expect(run([file('none.rdb', without)])).toMatchObject({
      code: 0,
      text: expect.stringContaining('checksum disabled'),
    })
    sound[12]! ^= 1
    expect(run([file('wrong.rdb', sound)])).toMatchObject({ code: 1, text: expect.stringContaining('RDB CRC error') })
  })

  test('that is damaged is told with the place, and left as it is', () => {
    const bytes = fileOf(['\xfe\x00', KEY, `\x10${short('my hash')}${short(listpackOf(['\x81a']))}`])
    const path = file('dump.rdb', bytes)
    const { code, text } = run(['--fix', path])
    expect(text).toContain('--- RDB ERROR DETECTED ---')
    expect(text).toMatch(/\[offset 42\] Hash listpack integrity check failed/)
    expect(text).toContain('While doing: read-object-value')
    expect(text).toContain('Reading key "my hash"')
    expect(text).toContain('Reading type 16 (hash (listpack))')
    expect(text).toContain('2 keys read')
    expect(code).toBe(1)
    expect(new Uint8Array(readFileSync(path))).toEqual(bytes)
  })

  test('is told to be damaged wherever it is cut', () => {
    const whole = fileOf(['\xfe\x00', KEY, `\x10${short('h')}${short(listpackOf(['\x81a', '\x81b']))}`])
    for (let len = 0; len < whole.length; len++) {
      const { code, text } = run([file('dump.rdb', whole.slice(0, len))])
      expect(code, `${len} bytes`).toBe(1)
      expect(text).toContain('Unexpected EOF')
    }
    expect(run([file('dump.rdb', whole)]).code).toBe(0)
  })
})

describe('an append-only file', () => {
  const log = `${SET}${command('MULTI')}${SET}${command('EXEC')}`

  test('that is sound is valid', () => {
    const { code, text } = run([file('appendonly.aof', `#TS:1700000000\r\n${log}`)])
    expect(text).toMatch(/AOF analyzed: filename=.*, size=\d+, ok_up_to=\d+, diff=0\n/)
    expect(text).toMatch(/AOF .*appendonly\.aof is valid\n$/)
    expect(code).toBe(0)
  })

  test.each([
    ['a command cut off', SET.slice(0, -3), SET.length],
    ['a length that is none', '*3\r\n$x\r\n', SET.length],
    ['something else', 'hello\r\n', SET.length],
    ['a transaction without an end', `${command('MULTI')}${SET}`, SET.length],
    ['a MULTI in a transaction', `${command('MULTI')}${command('MULTI')}`, SET.length],
    ['an EXEC without a MULTI', command('exec'), SET.length],
  ])('with %s at its end is cut there, if that is confirmed', (_, rest, soundTo) => {
    const path = file('appendonly.aof', SET + rest)
    const unfixed = run([path])
    expect(unfixed.code).toBe(1)
    expect(unfixed.text).toContain(`ok_up_to=${soundTo}, diff=${rest.length}`)
    expect(unfixed.text).toContain('Use the --fix option')
    expect(run(['--fix', path], 'n\n').text).toContain('Aborting...')
    expect(readFileSync(path, 'latin1')).toBe(SET + rest)
    expect(run(['--fix', path], 'y\n')).toMatchObject({ code: 0, asked: 1 })
    expect(readFileSync(path, 'latin1')).toBe(SET)
    expect(run([path]).code).toBe(0)
  })

  test('wherever it is cut, is sound up to the last thing that is whole', () => {
    const ends = [0, SET.length, log.length]
    for (let len = 1; len < log.length; len++) {
      const { code, text } = run([file('appendonly.aof', log.slice(0, len))])
      const soundTo = Math.max(...ends.filter((end) => end <= len))
      expect(text, `${len} bytes`).toContain(`ok_up_to=${soundTo},`)
      expect(code).toBe(soundTo === len ? 0 : 1)
    }
  })

  test('that begins with an RDB file is read to its end', () => {
    const preamble = Buffer.from(fileOf([KEY])).toString('latin1')
    expect(run([file('appendonly.aof', preamble + log)])).toMatchObject({ code: 0 })
    const damaged = run([file('appendonly.aof', preamble + SET.slice(1))])
    expect(damaged.text).toContain(`ok_up_to=${preamble.length},`)
    expect(damaged.code).toBe(1)
  })

  test('is cut before a moment', () => {
    const timed = `#TS:1000\r\n${SET}#TS:2000\r\n${command('SET', 'key', '#TS:9000\r\n')}#TS:3000\r\n${SET}`
    const path = file('appendonly.aof', timed)
    expect(run(['--truncate-to-timestamp', '3000', path])).toMatchObject({ code: 0 })
    expect(readFileSync(path, 'latin1')).toBe(timed)
    expect(run(['--truncate-to-timestamp', '999', path]).text).toContain('has nothing before timestamp 999')
    expect(run(['--truncate-to-timestamp', '2000', path])).toMatchObject({ code: 0 })
    expect(readFileSync(path, 'latin1')).toBe(timed.slice(0, timed.indexOf('#TS:3000')))
  })
})

describe('a directory', () => {
  const manifest = 'file a.1.base.rdb seq 1 type b\nfile a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n'

  function fill(files: Readonly<Record<string, string | Uint8Array>>): void {
    mkdirSync(join(dir, 'appendonlydir'))
    for (const [name, content] of Object.entries(files)) file(join('appendonlydir', name), content)
  }

  test('is checked with all that a server would read', () => {
    file('dump.rdb', fileOf([KEY]))
    fill({ 'a.manifest': manifest, 'a.1.base.rdb': fileOf([KEY]), 'a.1.incr.aof': SET, 'a.2.incr.aof': '' })
    const { code, text } = run([dir])
    expect(text).toMatch(/Checking RDB file .*dump\.rdb/)
    expect(text).toContain('Start to check BASE AOF (RDB format).')
    expect(text).toContain('INCR AOF a.1.incr.aof is valid')
    expect(text).toContain('INCR AOF a.2.incr.aof is empty')
    expect(text).toContain('All AOF files and manifest are valid')
    expect(code).toBe(0)
  })

  test('of whose files only the last can be cut', () => {
    fill({
      'a.manifest': manifest,
      'a.1.base.rdb': fileOf([KEY]),
      'a.1.incr.aof': `${SET}x`,
      'a.2.incr.aof': `${SET}y`,
    })
    const found = run(['--fix', dir], 'y')
    expect(found.text).toContain('Failed to truncate AOF a.1.incr.aof because it is not the last file')
    expect(found.code).toBe(1)
    file(join('appendonlydir', 'a.1.incr.aof'), SET)
    expect(run(['--fix', dir], 'y').code).toBe(0)
    expect(readFileSync(join(dir, 'appendonlydir', 'a.2.incr.aof'), 'latin1')).toBe(SET)
  })

  test('with a manifest that is wrong, or names what is not there, is not sound', () => {
    fill({ 'a.manifest': manifest, 'a.1.base.rdb': fileOf([KEY]) })
    expect(run([dir])).toMatchObject({ code: 1, text: expect.stringContaining('names a.1.incr.aof, and there is no') })
    file(join('appendonlydir', 'a.manifest'), 'file a.1.incr.aof seq 1 type x\n')
    expect(run([dir])).toMatchObject({ code: 1, text: expect.stringContaining('line 1: Unknown AOF file type') })
  })

  test('of nothing is not sound', () => {
    expect(run([dir])).toMatchObject({ code: 1, text: expect.stringContaining('nothing to check') })
    expect(run([join(dir, 'nowhere')])).toMatchObject({ code: 1, text: expect.stringContaining('ENOENT') })
    expect(existsSync(dir)).toBe(true)
  })
})

test('the command line is told from that of a server', () => {
  expect(checkArguments(['node', '/bin/cinnabar', 'check', '--fix', 'x'])).toEqual(['--fix', 'x'])
  expect(checkArguments(['node', '/bin/redis-check-aof', 'x'])).toEqual(['x'])
  expect(checkArguments(['node', '/bin/redis-check-rdb'])).toEqual([])
  expect(checkArguments(['node', '/bin/cinnabar', 'redis.conf'])).toBe(undefined)
  expect(run([]).code).toBe(1)
  expect(run(['--what', 'x'])).toMatchObject({ code: 1, text: expect.stringContaining('Usage') })
})
