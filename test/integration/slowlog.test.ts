import { describe, expect, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { ask, connect, OK, useServer } from './support.ts'

type Value = string | Value[]

/** Reads arrays, bulk strings and integers, all of it. */
function parse(reply: string): Value {
  let pos = 0
  const read = (): Value => {
    const end = reply.indexOf('\r\n', pos)
    const [type, count] = [reply[pos], Number(reply.slice(pos + 1, end))]
    pos = end + 2
    if (type === '*') return Array.from({ length: count }, read)
    if (type !== '$') return String(count)
    pos += count + 2
    return reply.slice(pos - count - 2, pos - 2)
  }
  return read()
}

interface Entry {
  readonly id: number
  readonly time: number
  readonly us: number
  readonly args: string[]
  readonly peer: string
  readonly name: string
}

async function entries(client: RawClient, ...count: readonly string[]): Promise<Entry[]> {
  const list = parse(await ask(client, 'SLOWLOG', 'GET', ...count)) as [
    string,
    string,
    string,
    string[],
    string,
    string,
  ][]
  return list.map(([id, time, us, args, peer, name]) => ({
    id: Number(id),
    time: Number(time),
    us: Number(us),
    args,
    peer,
    name,
  }))
}

/** The commands that were logged of those that `run` sends. */
async function logged(client: RawClient, run: () => Promise<unknown>): Promise<string[]> {
  await ask(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '0')
  await ask(client, 'SLOWLOG', 'RESET')
  await run()
  await ask(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '-1')
  const found = (await entries(client, '-1')).reverse().map(({ args }) => args.join(' '))
  return found[0] === 'SLOWLOG RESET' ? found.slice(1) : found
}

describe('SLOWLOG', () => {
  const server = useServer({ args: ['--enable-debug-command', 'yes'] })

  test('has the commands that took too long, by whom and when', async () => {
    const client = await connect(server())
    await ask(client, 'CLIENT', 'SETNAME', 'slow-one')
    await ask(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '1000000')
    await ask(client, 'SLOWLOG', 'RESET')
    await ask(client, 'PING')
    expect(await ask(client, 'SLOWLOG', 'LEN')).toBe(':0\r\n')
    await ask(client, 'DEBUG', 'SLEEP', '1.01')
    expect(await ask(client, 'SLOWLOG', 'LEN')).toBe(':1\r\n')
    const [entry] = await entries(client)
    const port = (client.socket.address() as { port: number }).port
    expect(entry).toMatchObject({
      args: ['DEBUG', 'SLEEP', '1.01'],
      peer: `127.0.0.1:${port}`,
      name: 'slow-one',
    })
    expect(entry!.us).toBeGreaterThanOrEqual(1_010_000)
    expect(Math.abs(entry!.time - Date.now() / 1000)).toBeLessThan(60)
  })

  test('gives as many as are wanted, ten if nothing is said, the latest first', async () => {
    const client = await connect(server())
    await logged(client, async () => {
      for (let number = 0; number < 20; number++) await ask(client, 'PING', String(number))
    })
    expect(await entries(client)).toHaveLength(10)
    expect(await entries(client, '0')).toHaveLength(0)
    expect(await entries(client, '3')).toHaveLength(3)
    expect(await entries(client, '-1')).toHaveLength(21)
    expect(await entries(client, '9223372036854775807')).toHaveLength(21)
    const ids = (await entries(client, '-1')).map(({ id }) => id)
    expect(ids).toEqual([...ids].sort((a, b) => b - a))
  })

  test('refuses counts that are none', async () => {
    const client = await connect(server())
    const refusal = '-ERR count should be greater than or equal to -1\r\n'
    for (const count of ['-2', 'x', '9223372036854775808']) {
      expect(await ask(client, 'SLOWLOG', 'GET', count)).toBe(refusal)
    }
    expect(await ask(client, 'SLOWLOG', 'GET', '1', '2')).toBe(
      "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.\r\n",
    )
  })

  test('keeps slowlog-max-len entries', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'SET', 'slowlog-max-len', '5')
    const words = await logged(client, async () => {
      for (let number = 0; number < 9; number++) await ask(client, 'PING', String(number))
    })
    expect(words).toEqual(['PING 4', 'PING 5', 'PING 6', 'PING 7', 'PING 8'])
    await ask(client, 'CONFIG', 'SET', 'slowlog-max-len', '2')
    expect(await ask(client, 'SLOWLOG', 'LEN')).toBe(':2\r\n')
    await ask(client, 'CONFIG', 'SET', 'slowlog-max-len', '128')
  })

  test('trims long commands and long arguments', async () => {
    const client = await connect(server())
    const many = Array.from({ length: 40 }, (_, at) => `k${at}`)
    const words = await logged(client, async () => {
      await ask(client, 'DEL', ...many)
      await ask(client, 'SET', 'k', 'A'.repeat(200))
    })
    expect(words).toEqual([
      `DEL ${many.slice(0, 30).join(' ')} ... (10 more arguments)`,
      `SET k ${'A'.repeat(128)}... (72 more bytes)`,
    ])
  })

  test('keeps passwords to itself', async () => {
    const client = await connect(server())
    const words = await logged(client, async () => {
      await ask(client, 'CONFIG', 'SET', 'masterauth', 'secret', 'maxmemory-samples', '5')
      await ask(client, 'AUTH', 'me', 'secret')
      await ask(client, 'HELLO', '2', 'AUTH', 'default', 'secret', 'SETNAME', 'x')
    })
    expect(words).toEqual([
      'CONFIG SET masterauth (redacted) maxmemory-samples 5',
      'AUTH (redacted) (redacted)',
      'HELLO 2 AUTH (redacted) (redacted) SETNAME x',
    ])
  })

  test('has what never got to run neither', async () => {
    const client = await connect(server())
    const words = await logged(client, async () => {
      await ask(client, 'NOSUCH')
      await ask(client, 'GET')
      await ask(client, 'INCR', 'k', 'x')
    })
    expect(words).toEqual([])
  })

  test('is off below zero, and empty after a reset', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'SET', 'slowlog-log-slower-than', '-1')
    expect(await ask(client, 'SLOWLOG', 'RESET')).toBe(OK)
    await ask(client, 'DEBUG', 'SLEEP', '0.02')
    expect(await ask(client, 'SLOWLOG', 'GET')).toBe('*0\r\n')
  })
})
