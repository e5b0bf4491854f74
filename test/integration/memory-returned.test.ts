/* Memory that comes back: when most of the keys have been deleted one by one, compaction brings what the arena takes
 * near to what is used, and the process's resident memory with it. */
import { describe, expect, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { ask, body, connect, eventually, OK, useServer } from './support.ts'

const MB = 1024 * 1024
const KEYS = 50_000
const BATCH = 2000
const POLL_MS = 100

async function info(client: RawClient, field: string): Promise<number> {
  const text = body(await ask(client, 'INFO', 'memory'))
  return Number(new RegExp(`^${field}:(.*)\r$`, 'm').exec(text)?.[1])
}

async function run(client: RawClient, command: (index: number) => string[]): Promise<void> {
  for (let done = 0; done < KEYS; done += BATCH) {
    client.send(Buffer.concat(Array.from({ length: BATCH }, (_, index) => encode(...command(done + index)))))
    await client.replies(BATCH)
  }
}

describe('after nine keys of ten were deleted at random', () => {
  const server = useServer({ args: ['--enable-debug-command', 'yes'] })

  test('the arena shrinks to little more than what is left, and the rest is what it was', async () => {
    const client = await connect(server())
    const usedAtStart = await info(client, 'used_memory')
    await run(client, (index) => ['SET', `key:${index}`, String(index).padStart(100 + ((index * 7) % 1300), 'x')])
    const full = await info(client, 'allocator_resident')
    const fullRss = await info(client, 'used_memory_rss')
    expect(full).toBeGreaterThan(35 * MB)
    const digest = async (): Promise<string> => body(await ask(client, 'DEBUG', 'DIGEST'))
    await run(client, (index) => (index % 10 === 3 ? ['PING'] : ['DEL', `key:${index}`]))
    const before = await digest()
    const most = (await info(client, 'used_memory')) * 1.15 + 3 * MB
    // However long it takes on a busy machine: the test's own limit ends it.
    while ((await info(client, 'allocator_resident')) > most) await new Promise((done) => setTimeout(done, POLL_MS))
    expect(await digest()).toBe(before)
    expect(await ask(client, 'DEBUG', 'VERIFY')).toBe(OK)
    const gone = full - (await info(client, 'allocator_resident'))
    await eventually(async () => fullRss - (await info(client, 'used_memory_rss')) > gone / 2, 'less resident memory')
    await ask(client, 'FLUSHALL')
    // A chunk is given back a turn.
    await eventually(async () => (await info(client, 'allocator_resident')) < 3 * MB, 'an arena of little size')
    await eventually(async () => (await info(client, 'used_memory')) - usedAtStart < MB / 4, 'little memory used')
  })
})
