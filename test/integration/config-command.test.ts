import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startCinnabar } from '../helpers/servers.ts'
import { ask, connect, OK, useServer } from './support.ts'

describe('CONFIG', () => {
  const server = useServer({ config: '# a comment\nmaxmemory 1mb\n' })

  test('GET answers names with values, as a map in RESP3', async () => {
    const client = await connect(server())
    expect(await ask(client, 'CONFIG', 'GET', 'maxmemory')).toBe('*2\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n')
    expect(await ask(client, 'CONFIG', 'GET', 'nosuch')).toBe('*0\r\n')
    await ask(client, 'HELLO', '3')
    expect(await ask(client, 'CONFIG', 'GET', 'MaxMemory', 'databases')).toBe(
      '%2\r\n$9\r\nMaxMemory\r\n$7\r\n1048576\r\n$9\r\ndatabases\r\n$2\r\n16\r\n',
    )
    expect((await ask(client, 'CONFIG', 'GET', '*')).split('\r\n')[0]).toMatch(/^%[12]\d\d$/)
  })

  test('SET takes all or nothing', async () => {
    const client = await connect(server())
    expect(await ask(client, 'CONFIG', 'SET', 'maxmemory', '2mb', 'timeout', 'x')).toBe(
      "-ERR CONFIG SET failed (possibly related to argument 'timeout') - " +
        "argument couldn't be parsed into an integer\r\n",
    )
    expect(await ask(client, 'CONFIG', 'GET', 'maxmemory')).toMatch(/1048576\r\n$/)
    expect(await ask(client, 'CONFIG', 'SET', 'maxmemory', '3mb', 'timeout', '7')).toBe(OK)
    expect(await ask(client, 'CONFIG', 'GET', 'maxmemory')).toMatch(/3145728\r\n$/)
    expect(await ask(client, 'CONFIG', 'SET', 'timeout', '0')).toBe(OK)
  })

  test('SET refuses what it does not know, what cannot change, and what is protected', async () => {
    const client = await connect(server())
    const set = (...args: string[]) => ask(client, 'CONFIG', 'SET', ...args)
    expect(await set('nosuch', '1')).toBe("-ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'\r\n")
    expect(await set('a', 'b', 'c')).toBe('-ERR syntax error\r\n')
    expect(await set('databases', '3')).toMatch(/'databases'\) - can't set immutable config\r\n$/)
    expect(await set('dir', '/tmp')).toMatch(/'dir'\) - can't set protected config\r\n$/)
    expect(await set('timeout', '1', 'timeout', '2')).toMatch(/'timeout'\) - duplicate parameter\r\n$/)
    expect(await set('maxclients', '4000000')).toMatch(
      /'maxclients'\) - The operating system is not able to handle the specified number of clients, try with \d+\r\n$/,
    )
  })

  test.runIf(process.platform === 'linux')('SET changes how readily Linux ends the process', async () => {
    const client = await connect(server())
    const pid = /process_id:(\d+)/.exec(await ask(client, 'INFO', 'server'))![1]!
    const score = () => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'latin1'))
    const set = (...args: string[]) => ask(client, 'CONFIG', 'SET', ...args)
    const initial = score()
    expect(await set('oom-score-adj', 'yes', 'oom-score-adj-values', '200 0 0')).toBe(OK)
    expect(score()).toBe(Math.min(initial + 200, 1000))
    expect(await set('oom-score-adj-values', '2000 0 0')).toBe(OK)
    expect(score()).toBe(1000)
    expect(await set('oom-score-adj', 'absolute', 'oom-score-adj-values', '900 0 0')).toBe(OK)
    expect(score()).toBe(900)
    expect(await set('oom-score-adj', 'no')).toBe(OK)
    expect(score(), 'what it was before').toBe(initial)
  })

  test('carries any bytes', async () => {
    const client = await connect(server())
    const password = Buffer.from([0x61, 0xff, 0x80, 0x20, 0x62])
    expect(await ask(client, 'CONFIG', 'SET', 'masterauth', password)).toBe(OK)
    expect(await ask(client, 'CONFIG', 'GET', 'masterauth')).toMatch(/\$5\r\na\xff\x80 b\r\n$/)
    await ask(client, 'CONFIG', 'SET', 'masterauth', '')
  })

  test('REWRITE keeps the comments of the file', async () => {
    const client = await connect(server())
    await ask(client, 'CONFIG', 'SET', 'maxmemory', '5mb')
    expect(await ask(client, 'CONFIG', 'REWRITE')).toBe(OK)
    const text = readFileSync(join(server().dir, 'redis.conf'), 'latin1')
    expect(text).toMatch(/^# a comment\nmaxmemory 5mb\n/)
    expect(text).toContain(`port ${server().port}`)
    await server().waitForLog(/CONFIG REWRITE executed with success/)
  })

  test('REWRITE needs a file', async () => {
    const other = await startCinnabar()
    const client = await other.connect()
    expect(await ask(client, 'CONFIG', 'REWRITE')).toBe('-ERR The server is running without a config file\r\n')
    await other.stop()
  })

  test('RESETSTAT, and HELP', async () => {
    const client = await connect(server())
    expect(await ask(client, 'CONFIG', 'RESETSTAT')).toBe(OK)
    const help = await ask(client, 'CONFIG', 'HELP')
    expect(help).toMatch(/^\*\d+\r\n\+CONFIG <subcommand> \[<arg> \[value\] \[opt\] \.\.\.\]\. Subcommands are:\r\n/)
    expect(help).toMatch(/\+REWRITE\r\n/)
    expect(await ask(client, 'CONFIG')).toBe("-ERR wrong number of arguments for 'config' command\r\n")
    expect(await ask(client, 'CONFIG', 'x')).toBe("-ERR unknown subcommand 'x'. Try CONFIG HELP.\r\n")
  })

  test('SET port listens elsewhere, and says so when it cannot', async () => {
    const [first, second] = [await startCinnabar(), await startCinnabar()]
    const client = await first.connect()
    expect(await ask(client, 'CONFIG', 'SET', 'port', second.port)).toMatch(
      /'port'\) - Unable to listen on this port\. Check server logs\.\r\n$/,
    )
    expect(await ask(client, 'CONFIG', 'GET', 'port')).toContain(`\r\n${first.port}\r\n`)
    await (await first.connect()).close()
    const { port } = second
    await second.stop()
    expect(await ask(client, 'CONFIG', 'SET', 'port', port)).toBe(OK)
    const moved = await second.connect()
    expect(await ask(moved, 'PING')).toBe('+PONG\r\n')
    await expect(first.connect()).rejects.toThrow(/ECONNREFUSED/)
    await first.stop()
  })
})
