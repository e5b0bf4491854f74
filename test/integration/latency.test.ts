import { describe, expect, test } from 'vitest'
import type { RawClient } from '../helpers/raw-client.ts'
import { sleep } from '../helpers/servers.ts'
import { ask, body, connect, OK, useServer } from './support.ts'

/** LATENCY LATEST: the events, each [time, latest, worst]. */
async function latest(client: RawClient): Promise<Record<string, number[]>> {
  const lines = (await ask(client, 'LATENCY', 'LATEST')).split('\r\n').filter((line) => !/^[*$]/.test(line))
  const found: Record<string, number[]> = {}
  for (let at = 0; at + 3 < lines.length; at += 4) {
    found[lines[at]!] = lines.slice(at + 1, at + 4).map((line) => Number(line.slice(1)))
  }
  return found
}

describe('LATENCY watches', () => {
  const server = useServer({ args: ['--enable-debug-command', 'yes'] })

  test('nothing until it is told to', async () => {
    const client = await connect(server())
    await ask(client, 'DEBUG', 'SLEEP', '0.03')
    expect(await ask(client, 'LATENCY', 'LATEST')).toBe('*0\r\n')
    expect(body(await ask(client, 'LATENCY', 'DOCTOR'))).toContain('CONFIG SET latency-monitor-threshold')
    expect(await ask(client, 'LATENCY', 'GRAPH', 'command')).toBe("-ERR No samples available for event 'command'\r\n")
    expect(await ask(client, 'LATENCY', 'HISTORY', 'command')).toBe('*0\r\n')
    expect(await ask(client, 'LATENCY', 'RESET')).toBe(':0\r\n')
  })

  test('commands that take as long as the threshold', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'SET', 'latency-monitor-threshold', '500')
    expect(body(await ask(client, 'LATENCY', 'DOCTOR'))).toMatch(/^No latency spike/)
    await ask(client, 'PING')
    await ask(client, 'DEBUG', 'SLEEP', '1')
    await sleep(1000)
    await ask(client, 'DEBUG', 'SLEEP', '0.6')
    const { command } = await latest(client)
    expect(command![1]).toBeGreaterThanOrEqual(600)
    expect(command![1]).toBeLessThan(1000)
    expect(command![2]).toBeGreaterThanOrEqual(1000)
    const history = await ask(client, 'LATENCY', 'HISTORY', 'command')
    expect(history).toMatch(/^\*2\r\n(\*2\r\n:\d{10}\r\n:\d+\r\n){2}$/)
    const graph = body(await ask(client, 'LATENCY', 'GRAPH', 'command'))
    expect(graph).toMatch(/^command - high \d+ ms, low \d+ ms \(all time high \d+ ms\)\n-{80}\n/)
    const report = body(await ask(client, 'LATENCY', 'DOCTOR'))
    expect(report).toMatch(/1\. command: 2 latency spikes \(average \d+ms, mean deviation \d+ms, period \d/)
    expect(report).toContain('SLOWLOG GET')
    expect(await ask(client, 'LATENCY', 'RESET', 'nosuch')).toBe(':0\r\n')
    expect(await ask(client, 'LATENCY', 'RESET', 'nosuch', 'COMMAND')).toBe(':1\r\n')
    expect(await ask(client, 'LATENCY', 'LATEST')).toBe('*0\r\n')
    expect(await ask(client, 'CONFIG', 'SET', 'latency-monitor-threshold', '0')).toBe(OK)
  })
})

describe('LATENCY HISTOGRAM', () => {
  const server = useServer()

  test('shows how often each command took how long, subcommands by their own names', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'RESETSTAT')
    for (let count = 0; count < 3; count++) await ask(client, 'SET', 'k', 'v')
    await ask(client, 'CLIENT', 'ID')
    await ask(client, 'CLIENT', 'GETNAME')
    await ask(client, 'HELLO', '3')
    const all = await ask(client, 'LATENCY', 'HISTOGRAM')
    expect(all.startsWith('%5\r\n')).toBe(true)
    for (const name of ['config|resetstat', 'set', 'client|id', 'client|getname', 'hello']) {
      expect(all).toContain(`\r\n${name}\r\n%2\r\n$5\r\ncalls\r\n:`)
    }
    const set = await ask(client, 'LATENCY', 'HISTOGRAM', 'nosuch', 'SET', 'get')
    expect(set).toMatch(
      /^%1\r\n\$3\r\nset\r\n%2\r\n\$5\r\ncalls\r\n:3\r\n\$14\r\nhistogram_usec\r\n%\d+\r\n(:\d+\r\n:\d+\r\n)+$/,
    )
    expect((await ask(client, 'LATENCY', 'HISTOGRAM', 'client')).startsWith('%2\r\n')).toBe(true)
    expect((await ask(client, 'LATENCY', 'HISTOGRAM', 'client|id')).startsWith('%1\r\n')).toBe(true)
    await ask(client, 'HELLO', '2')
    expect((await ask(client, 'LATENCY', 'HISTOGRAM', 'set')).startsWith('*2\r\n$3\r\nset\r\n*4\r\n')).toBe(true)
    expect(await ask(client, 'LATENCY', 'HISTOGRAM', 'get')).toBe('*0\r\n')
  })
})
