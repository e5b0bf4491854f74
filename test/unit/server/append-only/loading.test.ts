/* What is read at the start: every way in which a file can be cut, other damage, several files, files of old. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { encode } from '../../../helpers/raw-client.ts'
import { testSeed } from '../../../helpers/seed.ts'
import { start, temporaryDirectory } from './support.ts'

const MANIFEST = 'appendonlydir/appendonly.aof.manifest'

/** A directory with a manifest and files. */
function directoryWith(manifest: string, files: Readonly<Record<string, Uint8Array | string>>): string {
  const dir = temporaryDirectory()
  mkdirSync(join(dir, 'appendonlydir'))
  if (manifest !== '') writeFileSync(join(dir, MANIFEST), manifest)
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content)
  return dir
}

const ONE = 'file appendonly.aof.1.incr.aof seq 1 type i\n'
const INCREMENTAL = 'appendonlydir/appendonly.aof.1.incr.aof'

const COMMANDS = [
  encode('SELECT', '0'),
  encode('SET', 'n', '1'),
  Buffer.from('#TS:1700000000\r\n'),
  encode('SET', 'n', '2'),
  Buffer.concat([encode('MULTI'), encode('SET', 'n', '3'), encode('SET', 'n', '4'), encode('EXEC')]),
  encode('SET', 'n', '5'),
  encode('APPEND', 'n', 'x'.repeat(200)),
]
const VALUES = ['', '', '1', '1', '2', '4', '5', `5${'x'.repeat(200)}`]

/** Where each command ends, in bytes. */
const ENDS = [0]
for (const command of COMMANDS) ENDS.push(ENDS.at(-1)! + command.length)

describe('a file cut at any place', () => {
  const whole = Buffer.concat(COMMANDS)
  // Each place with FAULTS=all.
  const stride = process.env['FAULTS'] === 'all' ? 1 : 4
  const first = 1 + (Math.abs(testSeed()) % stride)
  const done = (len: number) => ENDS.findLastIndex((end) => end <= len)

  test('is loaded up to the last whole command, and cut there', async () => {
    for (let len = first; len <= whole.length; len += len > 200 ? 4 * stride : stride) {
      const dir = directoryWith(ONE, { [INCREMENTAL]: whole.subarray(0, len) })
      const { restored, ask, server, log } = await start(dir)
      expect(restored).toBe(true)
      expect(ask('GET', 'n').split('\r\n')[1] ?? '', `cut at ${len}`).toBe(VALUES[done(len)])
      const isCut = !ENDS.includes(len) && !(len > ENDS[2]! && len < ENDS[3]!) // a comment may end anywhere
      expect(log.text.includes('loaded anyway because aof-load-truncated is enabled'), `cut at ${len}`).toBe(isCut)
      server.close()
      if (isCut) expect(readFileSync(join(dir, INCREMENTAL)).length).toBeGreaterThanOrEqual(ENDS[done(len)]! - 16)
    }
  }, 60_000)

  test('is refused without aof-load-truncated, and left as it is', async () => {
    for (let len = first; len < whole.length; len += 5 * stride) {
      if (ENDS.includes(len) || (len > ENDS[2]! && len < ENDS[3]!)) continue
      const dir = directoryWith(ONE, { [INCREMENTAL]: whole.subarray(0, len) })
      const { restored, log, server } = await start(dir, { 'aof-load-truncated': 'no' })
      expect(restored, `cut at ${len}`).toBe(false)
      expect(log.text).toContain('Unexpected end of file reading the append only file appendonly.aof.1.incr.aof')
      expect(log.text).toMatch(/whole up to offset \d+, and was not changed/)
      server.close()
      expect(readFileSync(join(dir, INCREMENTAL)).equals(whole.subarray(0, len))).toBe(true)
    }
  }, 60_000)
})

test.each([
  ['no command', 'GARBAGE\r\n', 'Bad file format reading the append only file appendonly.aof.1.incr.aof'],
  ['a length that is none', '*3\r\n$x\r\nSET\r\n', 'Bad file format'],
  ['an empty command', '*0\r\n', 'Bad file format'],
  ['damage inside a transaction', `${encode('MULTI')}*x\r\n${encode('EXEC')}`, 'Bad file format'],
  ['an unknown command', String(encode('NOSUCH', 'a')), "Unknown command 'NOSUCH' reading the append only file"],
  ['too few arguments', String(encode('SET', 'a')), "Unknown command 'SET' reading the append only file"],
])('what is damaged is refused, with its place: %s', async (_, text, message) => {
  const content = Buffer.concat([encode('SET', 'a', '1'), Buffer.from(text, 'latin1'), encode('SET', 'a', '2')])
  const dir = directoryWith(ONE, { [INCREMENTAL]: content })
  const { restored, log } = await start(dir)
  expect(restored).toBe(false)
  expect(log.text).toContain(message)
  expect(log.text).toMatch(/offset (27|42)/) // a transaction is looked through before it begins
  expect(readFileSync(join(dir, INCREMENTAL)).equals(content)).toBe(true)
})

test.each([
  ['', 'Found an empty AOF manifest'],
  ['file a seq 1 type i', 'The AOF manifest file contains too long line'],
  ['\n', 'Invalid AOF manifest file format'],
  ['file a seq 1\n', 'Invalid AOF manifest file format'],
  ['file a/b seq 1 type i\n', "File can't be a path, just a filename"],
  ['file a seq 1 type b\nfile b seq 2 type b\n', 'Found duplicate base file information'],
  ['file a seq 2 type i\nfile b seq 1 type i\n', 'Found a non-monotonic sequence number'],
  ['file a seq 1 type x\n', 'Unknown AOF file type'],
  [`file ${'a'.repeat(1100)} seq 1 type i\n`, 'The AOF manifest file contains too long line'],
  ['file missing.aof seq 1 type i\n', 'Unable to obtain the AOF file missing.aof length'],
])('a manifest that cannot be is refused: %j', async (manifest, message) => {
  const dir = directoryWith('', { [MANIFEST]: manifest })
  const { restored, log } = await start(dir)
  expect(restored).toBe(false)
  expect(log.text).toContain(message)
  expect(readFileSync(join(dir, MANIFEST), 'utf8')).toBe(manifest)
})

test('all files are read in their order, comments and unknown words in the manifest passed over', async () => {
  const manifest =
    '#\nfile "b ase.aof" seq 1 type b extra word\nfile old.aof seq 1 type h\n' +
    'file x.aof seq 2 type i\nfile y.aof seq 5 type i\n'
  const dir = directoryWith(manifest, {
    'appendonlydir/b ase.aof': Buffer.concat([encode('RPUSH', 'l', 'a'), encode('SELECT', '1')]),
    'appendonlydir/old.aof': encode('RPUSH', 'l', 'never'),
    'appendonlydir/x.aof': encode('RPUSH', 'l', 'b'),
    'appendonlydir/y.aof': '',
  })
  const { restored, ask, server } = await start(dir)
  expect(restored).toBe(true)
  expect(ask('LRANGE', 'l', '0', '-1')).toBe('*2\r\n$1\r\na\r\n$1\r\nb\r\n')
  ask('RPUSH', 'l', 'c')
  server.close()
  expect(existsSync(join(dir, 'appendonlydir/old.aof'))).toBe(false)
  expect(readFileSync(join(dir, 'appendonlydir/y.aof')).length).toBeGreaterThan(20)
})

test('a file that is cut is refused where it is not the last', async () => {
  const dir = directoryWith(`${ONE}file y.aof seq 2 type i\n`, {
    [INCREMENTAL]: encode('SET', 'a', '1').subarray(0, 10),
    'appendonlydir/y.aof': encode('SET', 'a', '2'),
  })
  const { restored, log } = await start(dir)
  expect(restored).toBe(false)
  expect(log.text).toContain('the truncated file is not the last file')
})

describe('the one file of servers before 7.0', () => {
  test('becomes the base file', async () => {
    const dir = temporaryDirectory()
    writeFileSync(join(dir, 'appendonly.aof'), encode('SET', 'a', '1'))
    const { restored, ask, log, server } = await start(dir)
    expect(restored).toBe(true)
    expect(ask('GET', 'a')).toBe('$1\r\n1\r\n')
    expect(log.text).toContain('Successfully migrated an old-style AOF file (appendonly.aof) into the AOF directory')
    ask('SET', 'b', '2')
    server.close()
    expect(existsSync(join(dir, 'appendonly.aof'))).toBe(false)
    expect(readFileSync(join(dir, MANIFEST), 'utf8')).toBe(`file appendonly.aof seq 1 type b\n${ONE}`)
    expect((await start(dir)).ask('GET', 'b')).toBe('$1\r\n2\r\n')
  })

  test('may begin with an RDB file, and is moved on if that had been begun', async () => {
    const source = temporaryDirectory()
    const first = await start(source)
    first.ask('SET', 'a', '1')
    first.ask('SET', 'due', '1', 'PXAT', '1')
    first.ask('SAVE')
    first.server.close()
    const rdb = readFileSync(join(source, 'dump.rdb'))
    const dir = directoryWith('file appendonly.aof seq 1 type b\n', {
      'appendonly.aof': Buffer.concat([
        rdb,
        encode('APPEND', 'a', '2'),
        encode('APPEND', 'due', '2'),
        encode('DEL', 'due'),
      ]),
    })
    const { restored, ask, log } = await start(dir)
    expect(restored, log.text).toBe(true)
    expect(ask('GET', 'a')).toBe('$2\r\n12\r\n')
    expect(ask('DBSIZE')).toBe(':1\r\n')
    expect(log.text).toContain('Reading RDB preamble from AOF file...')
  })
})

test('what was done to a key while it was there is done again, though its time has passed since', async () => {
  const commands = [
    encode('SET', 'a', '1', 'PXAT', '1000'),
    encode('INCR', 'a'),
    encode('RENAME', 'a', 'b'),
    encode('SET', 'c', '1'),
    encode('PEXPIREAT', 'c', '1000'),
    encode('INCR', 'c'),
    encode('PERSIST', 'c'),
  ]
  const { ask } = await start(directoryWith(ONE, { [INCREMENTAL]: Buffer.concat(commands) }))
  expect(ask('EXISTS', 'a', 'b')).toBe(':0\r\n')
  expect(ask('GET', 'c')).toBe('$1\r\n2\r\n')
})

test('an error of a command is logged, and with propagation-error-behavior panic the end', async () => {
  const content = Buffer.concat([encode('SET', 'a', 'text'), encode('INCR', 'a'), encode('SET', 'b', '1')])
  const ignoring = await start(directoryWith(ONE, { [INCREMENTAL]: content }))
  expect(ignoring.restored).toBe(true)
  expect(ignoring.ask('GET', 'b')).toBe('$1\r\n1\r\n')
  expect(ignoring.log.text).toContain("Replaying 'incr' from the append-only file gave an error: -ERR value is not an")
  const panicking = await start(directoryWith(ONE, { [INCREMENTAL]: content }), {
    'propagation-error-behavior': 'panic',
  })
  expect(panicking.restored).toBe(false)
  expect(panicking.log.text).toContain('A command of the append only file appendonly.aof.1.incr.aof failed')
})
