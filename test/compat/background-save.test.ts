/* What a background save writes, values in slices and keys out of their order included, is what redis-server reads. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { encode } from '../helpers/raw-client.ts'
import { redisAvailable, startCinnabar, startRedis } from '../helpers/servers.ts'
import { ask, body, connect, eventually } from '../integration/support.ts'

const ELEMENTS = 3000
const DEBUG = ['--save', '', '--enable-debug-command', 'yes', '--enable-protected-configs', 'yes']

test.skipIf(!redisAvailable())('redis-server loads what was saved while it changed', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'cinnabar-compat-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const ours = await startCinnabar({ dir, args: DEBUG })
  onTestFinished(async () => void (await ours.stop('SIGKILL')))
  const client = await connect(ours)
  const elements = Array.from({ length: ELEMENTS }, (_, index) => `element ${index}`)
  await ask(client, 'SADD', 'set', ...elements)
  await ask(client, 'RPUSH', 'list', ...elements, ...elements, ...elements)
  await ask(client, 'HSET', 'hash', ...elements.flatMap((element) => [element, `value of ${element}`]))
  await ask(client, 'ZADD', 'zset', ...elements.flatMap((element, index) => [String((index * 7) % 1000), element]))
  await ask(client, 'SETRANGE', 'string', '600000', 'x')
  await ask(client, 'PEXPIRE', 'set', '10000000')
  await ask(client, 'DEBUG', 'POPULATE', '3000', 'key', '10')
  await ask(client, 'SELECT', '3')
  await ask(client, 'SET', 'key', 'value')
  const digest = await ask(client, 'DEBUG', 'DIGEST')
  await ask(client, 'CONFIG', 'SET', 'rdb-key-save-delay', '1000')
  await ask(client, 'BGSAVE')
  await ask(client, 'APPEND', 'key', 'changed')
  await ask(client, 'SELECT', '0')
  for (let index = 0; index < 300; index++) {
    const changes = [
      ['HSET', 'hash', `element ${index}`, 'changed'],
      ['ZINCRBY', 'zset', '5', `element ${index}`],
      ['SREM', 'set', `element ${index}`],
      ['LSET', 'list', String(index * 20), 'changed'],
      ['LPOP', 'list'],
      ['SET', `key:${index * 9}`, 'changed'],
    ]
    client.send(Buffer.concat(changes.map((words) => encode(...words))))
    if (index % 10 === 9) await client.replies(10 * changes.length)
  }
  await ask(client, 'SETRANGE', 'string', '1000', 'changed')
  expect(body(await ask(client, 'INFO', 'persistence'))).toContain('rdb_bgsave_in_progress:1')
  await ask(client, 'DEL', 'zset', 'list')
  await eventually(async () => body(await ask(client, 'INFO', 'persistence')).includes('rdb_bgsave_in_progress:0'))
  const redis = await startRedis({ dir, args: DEBUG })
  onTestFinished(async () => void (await redis.stop('SIGKILL')))
  expect(await ask(await connect(redis), 'DEBUG', 'DIGEST')).toBe(digest)
})
