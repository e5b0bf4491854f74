/* The protocol on real sockets: requests and replies cut anywhere, very long, and very many. */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { describe, expect, test } from 'vitest'
import { Random } from '../../src/lib/random.ts'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'
import { ask, connect, eventually, OK, useServer } from './support.ts'

const MB = 1024 * 1024
const GB = 1024 * MB

/** VmRSS, or VmHWM: the most there has been of it. */
const memoryOf = (server: TestServer, field: 'VmRSS' | 'VmHWM'): number => {
  const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
    readFileSync(`/proc/${server.pid}/status`, 'latin1'),
  )?.[1]
  return Number(kilobytes) * 1024
}

/** Gives what was sent time to arrive for itself. */
const aWhile = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('requests', () => {
  const server = useServer()

  test('may be cut at any byte', async () => {
    const client = await connect(server())
    const text = `${encode('SET', 'cut', 'a\r\nb')}${encode('GET', 'cut')}ECHO "in line"\r\n${encode('PING')}`
    for (let cut = 1; cut < text.length; cut++) {
      client.send(text.slice(0, cut))
      await aWhile()
      client.send(text.slice(cut))
      const replies = await client.replies(4)
      expect(replies.join(''), `cut at ${cut}`).toBe(`${OK}$4\r\na\r\nb\r\n$7\r\nin line\r\n+PONG\r\n`)
    }
  })

  test('may come byte by byte', async () => {
    const client = await connect(server())
    for (const byte of `${encode('SET', 'slow', 'value')}${encode('GET', 'slow')}`) {
      client.send(byte)
      await aWhile()
    }
    expect((await client.replies(2)).join('')).toBe(`${OK}$5\r\nvalue\r\n`)
  })

  test('with long arguments may be cut anywhere, by several clients at once, and while they must wait', async () => {
    const other = await connect(server())
    const clients = await Promise.all(Array.from({ length: 4 }, () => connect(server())))
    const generator = new Random(7)
    const random = () => generator.fraction()
    await Promise.all(
      clients.map(async (client, id) => {
        for (let round = 0; round < 20; round++) {
          const value = randomBytes(1 + Math.floor(random() ** 3 * 600_000))
          const get = encode('GETDEL', `long:${id}`)
          const requests = Buffer.concat([encode('PING'), encode('SET', `long:${id}`, value), get, encode('PING')])
          for (let at = 0; at < requests.length; ) {
            const next = at + 1 + Math.floor(random() ** 2 * 200_000)
            client.send(requests.subarray(at, next))
            at = next
            if (random() < 0.5) await aWhile()
            if (random() < 0.05) await ask(other, 'CLIENT', 'PAUSE', '3')
          }
          const replies = await client.replies(4)
          const wanted = [Buffer.from(`+PONG\r\n${OK}$${value.length}\r\n`), value, Buffer.from('\r\n+PONG\r\n')]
          expect(Buffer.concat(replies).equals(Buffer.concat(wanted)), `${value.length} bytes`).toBe(true)
        }
      }),
    )
  })

  test('a client may go in the middle of a long argument', async () => {
    for (let round = 0; round < 30; round++) {
      const client = await connect(server())
      client.send('*3\r\n$3\r\nSET\r\n$4\r\ngone\r\n$400000\r\n')
      client.send(Buffer.alloc(30_000 + 10_000 * round))
      await aWhile()
      await client.close()
    }
    const client = await connect(server())
    expect(await ask(client, 'EXISTS', 'gone')).toBe(':0\r\n')
  })

  test('may come by the ten thousand, and are answered in their order', async () => {
    const client = await connect(server())
    const count = 10_000
    const requests = Array.from({ length: count }, (_, index) =>
      encode(index % 2 ? 'ECHO' : 'INCR', index % 2 ? index : 'n'),
    )
    client.send(Buffer.concat(requests))
    const replies = await client.replies(count)
    for (let index = 0; index < count; index++) {
      const wanted = index % 2 ? `$${String(index).length}\r\n${index}\r\n` : `:${index / 2 + 1}\r\n`
      expect(String(replies[index])).toBe(wanted)
    }
  })

  test('of both kinds may be mixed', async () => {
    const client = await connect(server())
    client.send(`PING\r\n${encode('ECHO', 'a')}\r\nECHO "b c"\n*0\r\n*-1\r\n${encode('PING')}ECHO 'd\\'e'\r\n`)
    expect((await client.replies(5)).join('')).toBe("+PONG\r\n$1\r\na\r\n$3\r\nb c\r\n+PONG\r\n$3\r\nd'e\r\n")
  })

  test('in line are unquoted', async () => {
    const client = await connect(server())
    client.send(
      `SET inline "a \\"b\\" \\x41\\n\\\\"\r\nGET inline\r\nSET inline ''\r\nGET inline\r\n  get   inline \r\n`,
    )
    expect((await client.replies(5)).join('')).toBe(`${OK}$9\r\na "b" A\n\\\r\n${OK}$0\r\n\r\n$0\r\n\r\n`)
  })

  test('of a million arguments', async () => {
    const client = await connect(server())
    const keys = Array.from({ length: 500_000 }, (_, index) => `many:${index}`)
    const send = (name: string, args: readonly string[]): Promise<Buffer> => {
      client.send(`*${args.length + 1}\r\n${[name, ...args].map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`)
      return client.reply()
    }
    const pairs = keys.flatMap((key) => [key, '1'])
    expect(String(await send('MSET', pairs))).toBe(OK)
    expect((await send('MGET', keys)).length).toBe('*500000\r\n'.length + keys.length * '$1\r\n1\r\n'.length)
    expect(String(await send('DEL', pairs))).toBe(':500000\r\n')
    expect(String(await send('DEL', pairs))).toBe(':0\r\n')
  })

  test('by many clients at once, all of them cut, do not mix', async () => {
    const clients = await Promise.all(Array.from({ length: 50 }, () => connect(server())))
    const texts = clients.map((_, index) => String(encode('SET', `own:${index}`, `${index}`.repeat(50))))
    for (let part = 0; part < 10; part++) {
      for (const [index, text] of texts.entries()) {
        const size = Math.ceil(text.length / 10)
        clients[index]!.send(text.slice(part * size, (part + 1) * size))
      }
      await aWhile()
    }
    for (const [index, client] of clients.entries()) {
      expect(String(await client.reply())).toBe(OK)
      expect(await ask(client, 'GET', `own:${index}`)).toContain(`\r\n${`${index}`.repeat(50)}\r\n`)
    }
  })
})

describe('replies', () => {
  const server = useServer()
  const LEN = 64 * MB

  test('longer than any buffer reach a slow reader whole', async () => {
    const [writer, reader] = [await connect(server()), await connect(server())]
    const value = Buffer.alloc(LEN)
    for (let pos = 0; pos < LEN; pos += 4) value.writeUInt32LE(pos, pos)
    expect(await ask(writer, 'SET', 'large', value)).toBe(OK)
    const wanted = encode('x', value).subarray('*2\r\n$1\r\nx\r\n'.length)
    reader.pause()
    reader.send(Buffer.concat(Array.from({ length: 4 }, () => encode('GET', 'large'))))
    reader.send(encode('PING'))
    const dribble = setInterval(() => {
      reader.resume()
      setTimeout(() => reader.pause(), 5)
    }, 10)
    await sleep(500)
    expect(await ask(writer, 'PING')).toBe('+PONG\r\n') // nobody else waits for the slow one
    clearInterval(dribble)
    await sleep(50)
    reader.resume()
    for (let count = 0; count < 4; count++) expect((await reader.reply()).equals(wanted)).toBe(true)
    expect(String(await reader.reply())).toBe('+PONG\r\n')
  })

  test('are not lost when the client says no more, but reads on', async () => {
    const client = await connect(server())
    client.send(Buffer.concat([encode('PING'), encode('ECHO', 'last')]))
    client.socket.end()
    expect((await client.replies(2)).join('')).toBe('+PONG\r\n$4\r\nlast\r\n')
    await client.closed
  })
})

describe('HELLO', () => {
  const server = useServer()
  const RESP2 = '*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n'
  const RESP3 = '%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n'

  test('switches the protocol for what follows in the same packet, forth and back', async () => {
    const client = await connect(server())
    const script = [
      ['GET', 'none'],
      ['HELLO', '3'],
      ['GET', 'none'],
      ['HELLO'],
      ['HELLO', '2'],
      ['GET', 'none'],
      ['HELLO', '4'],
      ['GET', 'none'],
    ]
    client.send(Buffer.concat(script.map((words) => encode(...words))))
    const replies = (await client.replies(script.length)).map(String)
    expect(replies.map((reply) => (reply.length > 60 ? reply.slice(0, RESP3.length) : reply))).toEqual([
      '$-1\r\n',
      RESP3,
      '_\r\n',
      RESP3,
      RESP2.slice(0, RESP3.length),
      '$-1\r\n',
      '-NOPROTO unsupported protocol version\r\n',
      '$-1\r\n',
    ])
  })

  test('holds for its connection only, until RESET', async () => {
    const [one, other] = [await connect(server()), await connect(server())]
    await ask(one, 'HELLO', '3')
    expect(await ask(one, 'CONFIG', 'GET', 'port')).toMatch(/^%1\r\n/)
    expect(await ask(other, 'CONFIG', 'GET', 'port')).toMatch(/^\*2\r\n/)
    await ask(one, 'RESET')
    expect(await ask(one, 'CONFIG', 'GET', 'port')).toMatch(/^\*2\r\n/)
  })
})

/** What the largest value may take besides: its copy on the way in, or out. */
const enoughMemory = freemem() > 4 * GB && totalmem() > 4 * GB
if (!enoughMemory) console.warn('LESS THAN 4 GB OF MEMORY: THE TEST OF A VALUE OF 512 MB IS SKIPPED')

describe.skipIf(!enoughMemory)('a value of 512 MB', () => {
  const LEN = 512 * MB
  const PART = 4 * MB

  /** Sends a long argument in parts, as fast as the server takes them. */
  async function sendLong(client: RawClient, part: Buffer): Promise<void> {
    for (let sent = 0; sent < LEN; sent += PART) {
      if (!client.socket.write(part)) await new Promise((resolve) => client.socket.once('drain', resolve))
    }
    client.send('\r\n')
  }

  /** Reads a bulk string without keeping it; checks that it repeats `part`. */
  async function receiveLong(server: TestServer, part: Buffer): Promise<void> {
    const client = await connect(server)
    client.socket.removeAllListeners('data')
    const header = `$${LEN}\r\n`
    let received = 0
    let wrong = 0
    const done = new Promise<void>((resolve) => {
      client.socket.on('data', (chunk: Buffer) => {
        const first = Math.max(0, header.length - received)
        for (let pos = first; pos < chunk.length; ) {
          const at = (received + pos - header.length) % PART
          const len = Math.min(chunk.length - pos, PART - at)
          const isValue = received + pos - header.length < LEN
          if (isValue && chunk.compare(part, at, at + len, pos, pos + len) !== 0) wrong++
          pos += len
        }
        received += chunk.length
        if (received >= LEN + header.length + 2) resolve()
      })
    })
    client.send(encode('GET', 'huge'))
    await done
    expect(received).toBe(LEN + header.length + 2)
    expect(wrong).toBeLessThanOrEqual(1) // the last chunk ends in CR LF
  }

  test('goes in and out in linear time and memory', async () => {
    const server = await startCinnabar()
    try {
      const client = await connect(server)
      const empty = memoryOf(server, 'VmRSS')
      const part = Buffer.alloc(PART)
      for (let pos = 0; pos < PART; pos += 4) part.writeUInt32LE(Math.imul(pos, 0x9e3779b1) >>> 0, pos)
      const started = performance.now()
      client.send(`*3\r\n$3\r\nSET\r\n$4\r\nhuge\r\n$${LEN}\r\n`)
      await sendLong(client, part)
      expect(String(await client.reply())).toBe(OK)
      expect(await ask(client, 'STRLEN', 'huge')).toBe(`:${LEN}\r\n`)
      expect(memoryOf(server, 'VmHWM') - empty, 'memory while it came').toBeLessThan(2.3 * LEN)
      await receiveLong(server, part)
      expect(memoryOf(server, 'VmHWM') - empty, 'memory while it went').toBeLessThan(2.3 * LEN)
      expect(await ask(client, 'GETRANGE', 'huge', LEN - 4, -1)).toBe(`$4\r\n${part.toString('latin1', PART - 4)}\r\n`)
      expect(performance.now() - started).toBeLessThan(90_000)
      expect(await ask(client, 'DEL', 'huge')).toBe(':1\r\n')
      await eventually(() => memoryOf(server, 'VmRSS') - empty < LEN / 4, 'the end of its memory')
    } finally {
      await server.stop()
    }
  }, 120_000)
})
