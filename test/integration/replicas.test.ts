/* A server without replicas that is told to wait for some: it takes no write. */
import { expect, onTestFinished, test } from 'vitest'
import { startCinnabar } from '../helpers/servers.ts'

const REFUSED = '-NOREPLICAS Not enough good replicas to write.\r\n'

test('writes are refused while there are fewer replicas than min-replicas-to-write', async () => {
  const server = await startCinnabar({ args: ['--min-replicas-to-write', '1'] })
  onTestFinished(async () => {
    await server.stop()
  })
  const client = await server.connect()
  const ask = async (...args: string[]): Promise<string> => (await client.command(...args)).toString()
  expect(await ask('SET', 'k', 'v')).toBe(REFUSED)
  expect(await ask('GET', 'k')).toBe('$-1\r\n')
  expect(await ask('PING')).toBe('+PONG\r\n')
  expect(await ask('EVAL', "return redis.call('get', 'k')", '0')).toBe('$-1\r\n')
  expect(await ask('EVAL', "return redis.call('set', 'k', 'v')", '0')).toMatch(/^-NOREPLICAS /)
  expect(await ask('EVAL', '#!lua\nreturn 1', '0')).toBe(REFUSED)
  expect(await ask('EVAL', '#!lua flags=no-writes\nreturn 1', '0')).toBe(':1\r\n')
  await ask('MULTI')
  expect(await ask('SET', 'k', 'v')).toBe(REFUSED)
  expect(await ask('EXEC')).toMatch(/^-EXECABORT /)
  expect(await ask('CONFIG', 'SET', 'min-replicas-max-lag', '0')).toBe('+OK\r\n')
  expect(await ask('SET', 'k', 'v')).toBe('+OK\r\n')
  await ask('MULTI')
  expect(await ask('SET', 'k', 'w')).toBe('+QUEUED\r\n')
  const other = await server.connect()
  expect((await other.command('CONFIG', 'SET', 'min-replicas-max-lag', '5')).toString()).toBe('+OK\r\n')
  expect(await ask('EXEC')).toMatch(/^-EXECABORT Transaction discarded because of: NOREPLICAS /)
  expect(await ask('GET', 'k')).toBe('$1\r\nv\r\n')
})
