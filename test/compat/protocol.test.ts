/* Requests that break the protocol, sent as bytes to Cinnabar and to redis-server: the same bytes must come back, and
 * the connection must stay open, or be closed, alike. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { encode, RawClient } from '../helpers/raw-client.ts'
import { redisAvailable, sleep, startCinnabar, startRedis, type TestServer } from '../helpers/servers.ts'

/** What is sent, in pieces with a pause between them; a string's characters are bytes. */
type Script = readonly string[]

const PING = '*1\r\n$4\r\nPING\r\n'
const LINE_MAX = 64 * 1024
/** So long nothing may come for an exchange to be over. */
const QUIET_MS = 150

const COUNTS = [
  '',
  '-',
  '0',
  '-1',
  '-10',
  '+1',
  ' 1',
  '1 ',
  '01',
  '00',
  '-0',
  '-01',
  'a',
  '1a',
  '0x1',
  '\0',
  '1\0',
  '\x80',
]
const LARGE = [
  ...['2147483647', '2147483648', '4294967297', '9223372036854775807', '9223372036854775808'],
  ...['-9223372036854775808', '-9223372036854775809', '-99999999999999999999', '18446744073709551617', '9'.repeat(50)],
]

const SCRIPTS: Readonly<Record<string, readonly Script[]>> = {
  'the number of arguments': [...COUNTS, ...LARGE].map((count) => [`*${count}\r\n${PING}`]),
  'the length of an argument': [...COUNTS, ...LARGE, '536870912', '536870913'].map((len) => [
    `*2\r\n$4\r\nECHO\r\n$${len}\r\n${PING}`,
  ]),
  'what should be a length': ['x', '\r', '\n', '\0', '\x80', '*', ' $', '+OK', ':1', PING].flatMap((text) => [
    [`*1\r\n${text}`],
    [`*1\r\n${text}\r\n`],
    [`*2\r\n$4\r\nPING\r\n${text}\r\n${PING}`],
  ]),
  'line ends': [
    [`*1\rx$4\rxPINGxx${PING}`],
    [`*1\n$4\nPING\n${PING}`],
    ['*1\r', 'x$4\r', 'xPING\r', '\n', PING],
    ['*1\r\n$4\r\nPINGPING', '\r\n'],
    ['*1\r\n\r\n$4\r\nPING\r\n'],
    ['\r\n\r\n\n', PING],
    ['*0\r\n*-1\r\n', PING],
    [PING.slice(0, -1), '\n'],
    [PING.slice(0, -2), 'xx', PING],
  ],
  'inline requests': [
    ...['PING', 'PING\r', ' \t PING \t', 'ping x y', 'ECHO', 'ECHO ""', "ECHO ''", 'ECHO "a b"', 'ECHO a"b c"'],
    ...[`ECHO "\\x41\\x4\\xgg\\n\\r\\t\\b\\a\\\\\\""`, `ECHO 'a\\'b\\n'`, 'ECHO a\\x41', 'ECHO \x0bx\x0c', 'ECHO\x0bx'],
    ...['ECHO "a"b', "ECHO 'a'b", 'ECHO "a', "ECHO 'a", 'ECHO "a\\', 'ECHO "a\\"', '"', 'ECHO "a" \'', 'ECHO \xff\x80'],
    ...['ECHO a\0b', '\0', 'ECHO "\0"', 'ECHO a', '$4', ':1', '+OK', 'GET / HTTP/1.1'],
  ].map((line) => [`${line}\r\n`, '\n', PING]),
  'lines that are too long': ['', 'x', '*', '*1', '*1\r\n', '*1\r\n$', '*1\r\n$1', '*2\r\n$1\r\nx\r\n$'].flatMap(
    (start) => {
      const line = start.slice(start.lastIndexOf('\n') + 1)
      const full = start + 'x'.repeat(LINE_MAX - line.length)
      return [[full], [full, 'x'], [full.slice(0, -1), '\r\n'], [full, '\r', '\n'], [full, '\n']]
    },
  ),
  'unknown commands': [
    ...[
      ['x', ...Array.from({ length: 60 }, () => '')],
      ['\0', '\0', 'a\0b'],
      ['x'.repeat(300), 'y'.repeat(300), 'z'],
    ],
    ...[
      ['CONFIG', '\0'],
      ['CLIENT', 'a\0b'],
      ['a\nb', '\r\n\r\n'],
      ['HELLO', '3', 'a\0b'],
      ['EXPIRE', 'k', '1', 'a\0b'],
    ],
  ].map((words) => [String(encode(...words))]),
  'mixed pipelines': [
    [`${PING}PING\r\n${PING}*0\r\nECHO "a b"\r\n${PING}`],
    [`${PING}*1\r\n$4\r\nPIN`, `G\r\nPI`, 'NG\r\n'],
    [`${PING}*1\r\nx\r\n${PING}`],
    [`PING\r\nECHO "\r\nPING\r\n`],
    [`${PING}*-99\r\n*1\r\n$0\r\n\r\n${PING}`],
    [`*1\r\n$0\r\n\r\n*2\r\n$0\r\n\r\n$0\r\n\r\n`],
    [`*1\r\n$1\r\n\0\r\n*1\r\n$3\r\na\r\n\r\n*2\r\n$6\r\nCLIENT\r\n$2\r\n\r\n\r\n`],
  ],
}

const STRANGERS: readonly Script[] = [
  [`*10\r\n${'$1\r\nx\r\n'.repeat(10)}`],
  ['*11\r\n'],
  [`*2\r\n$4\r\nECHO\r\n$16384\r\n${'x'.repeat(16384)}\r\n`],
  ['*2\r\n$4\r\nECHO\r\n$16385\r\n'],
  ['*2\r\n$4\r\nECHO\r\n$536870913\r\n'],
  ['*2147483648\r\n'],
  [`${PING}*11\r\n`],
  [`${String(encode('AUTH', 'wrong'))}*11\r\n`],
  [`${String(encode('AUTH', 'secret'))}*11\r\n${'$1\r\nx\r\n'.repeat(11)}`],
  [`${String(encode('AUTH', 'secret'))}${String(encode('RESET'))}*11\r\n`],
  [`${String(encode('AUTH', 'secret'))}*2\r\n$4\r\nECHO\r\n$16385\r\n${'x'.repeat(16385)}\r\n`],
  [`ECHO ${'x '.repeat(20)}\r\n`],
  [`ECHO ${'x'.repeat(20_000)}\r\n`],
]

/** What came back, and whether the server closed the connection. */
async function exchange(port: number, script: Script): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let active = Date.now()
  let closed = false
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    active = Date.now()
  })
  socket.on('close', () => (closed = true))
  socket.on('error', () => {}) // told by 'close'
  await new Promise((resolve) => socket.once('connect', resolve))
  for (const piece of script) {
    if (!closed) socket.write(Buffer.from(piece, 'latin1'))
    await sleep(30)
  }
  // However slow the machine is: when the server has answered twice, it has dealt with what was sent before.
  const witness = await RawClient.connect(port)
  for (let rounds = 0; rounds < 2; rounds++) await witness.command('PING')
  await witness.close()
  active = Date.now()
  while (!closed && Date.now() - active < QUIET_MS) await sleep(10)
  socket.destroy()
  return `${received}${closed ? '(closed)' : '(open)'}`
}

const shown = (script: Script): string => {
  const text = JSON.stringify(script.join(' | '))
  return text.length > 120 ? `${text.slice(0, 60)} … ${text.slice(-50)}` : text
}

async function transcript(server: TestServer, scripts: readonly Script[]): Promise<string[]> {
  const answers = await Promise.all(scripts.map((script) => exchange(server.port, script)))
  return answers.map((answer, index) => `${shown(scripts[index]!)} -> ${JSON.stringify(answer)}`)
}

describe.skipIf(!redisAvailable())('what breaks the protocol is answered as redis-server answers it', () => {
  let ours: TestServer
  let redis: TestServer

  beforeAll(async () => {
    ;[ours, redis] = [await startCinnabar(), await startRedis()]
  })
  afterAll(async () => {
    await ours.stop()
    await redis.stop()
  })

  test.each(Object.keys(SCRIPTS))('%s', async (name) => {
    const scripts = SCRIPTS[name]!
    expect(await transcript(ours, scripts)).toEqual(await transcript(redis, scripts))
  })

  test('proto-max-bulk-len', async () => {
    const scripts = [['*2\r\n$4\r\nECHO\r\n$1048576\r\n'], ['*2\r\n$4\r\nECHO\r\n$1048577\r\n']]
    for (const server of [ours, redis]) await exchange(server.port, ['CONFIG SET proto-max-bulk-len 1mb\r\n'])
    expect(await transcript(ours, scripts)).toEqual(await transcript(redis, scripts))
    for (const server of [ours, redis]) await exchange(server.port, ['CONFIG SET proto-max-bulk-len 512mb\r\n'])
  })

  test('client-query-buffer-limit', async () => {
    const half = 'x'.repeat(512 * 1024)
    const start = '*2\r\n$4\r\nECHO\r\n$4194304\r\n'
    const scripts = [
      [start, half, half.slice(100)],
      [start, half, half, 'x'.repeat(1000)],
    ]
    for (const server of [ours, redis]) await exchange(server.port, ['CONFIG SET client-query-buffer-limit 1mb\r\n'])
    expect(await transcript(ours, scripts)).toEqual(await transcript(redis, scripts))
    for (const server of [ours, redis]) await exchange(server.port, ['CONFIG SET client-query-buffer-limit 1gb\r\n'])
  })

  test('before authentication', async () => {
    for (const server of [ours, redis]) await exchange(server.port, ['CONFIG SET requirepass secret\r\n'])
    expect(await transcript(ours, STRANGERS)).toEqual(await transcript(redis, STRANGERS))
  })
})
