/* The append-only file when the disk fails: killed at each step (all that comes after it never gets there), and with
 * each step failing. What a client was told is there afterwards, and each key is as some prefix of the commands left it. */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Server } from '../../../../src/server/server.ts'
import { FaultyDisk, type Running, start, systemError, temporaryDirectory } from './support.ts'

const ENDLESS = 10_000

/** Commands, and rewrites. Answers how often a counter was raised, as the client was told. */
async function scenario(running: Running, disk: FaultyDisk): Promise<number> {
  let acknowledged = 0
  const step = () => {
    const reply = running.ask('INCR', 'n')
    if (reply.startsWith(':') && !disk.frozen) acknowledged = Number(reply.slice(1))
  }
  const settled = async () => {
    const { rewrite } = running.server.appendOnly
    for (let turns = 0; rewrite.inProgress && !disk.frozen && turns < ENDLESS; turns++) await turn()
    if (!disk.frozen) for (let turns = 0; turns < 4; turns++) await turn()
  }
  step()
  step()
  running.ask('BGREWRITEAOF')
  step()
  await settled()
  step()
  running.ask('BGREWRITEAOF')
  await settled()
  step()
  step()
  await settled()
  return acknowledged
}

async function valueIn(dir: string, settings = {}): Promise<number> {
  const { restored, log, ask, server } = await start(dir, settings)
  expect(restored, log.text).toBe(true)
  const value = Number(ask('GET', 'n').split('\r\n')[1] ?? 0)
  server.close()
  return value
}

describe.each([
  ['a base of commands', { 'aof-use-rdb-preamble': 'no' }],
  ['an RDB base', {}],
])('with %s', (_, base) => {
  const settings = { appendfsync: 'always', ...base }

  test('killed at any step, nothing that was acknowledged is lost', async () => {
    const whole = new FaultyDisk(() => undefined)
    await scenario(await start(temporaryDirectory(), settings, whole.fs), whole)
    expect(whole.steps).toBeGreaterThan(30)
    for (let at = 1; at <= whole.steps; at++) {
      const dir = temporaryDirectory()
      const disk = new FaultyDisk((_call, step) => (step === at ? 'frozen' : undefined))
      const running = await start(dir, settings, disk.fs)
      const acknowledged = running.restored && !disk.frozen ? await scenario(running, disk) : 0
      const value = await valueIn(dir, settings)
      expect(value, `killed at step ${at}, ${disk.calls.at(-1)}`).toBeGreaterThanOrEqual(acknowledged)
      expect(value).toBeLessThanOrEqual(acknowledged + 1)
    }
  })

  test.each(['always', 'everysec'])('with any step failing and appendfsync %s, either', async (appendfsync) => {
    const whole = new FaultyDisk(() => undefined)
    await scenario(await start(temporaryDirectory(), { ...settings, appendfsync }, whole.fs), whole)
    for (let at = 1; at <= whole.steps; at++) {
      const dir = temporaryDirectory()
      const disk = new FaultyDisk((call, step) => (step === at ? systemError('EIO', call) : undefined))
      const running = await start(dir, { ...settings, appendfsync }, disk.fs)
      const acknowledged = running.restored ? await scenario(running, disk) : 0
      if (running.exits.length === 0) running.server.close()
      const value = await valueIn(dir, settings)
      const place = `failed at step ${at}, ${disk.calls[at - 1]}`
      expect(value, place).toBeGreaterThanOrEqual(acknowledged)
      expect(value, place).toBeLessThanOrEqual(acknowledged + 1)
      if (appendfsync === 'everysec') expect(value, place).toBe(acknowledged)
    }
  })
})

/** Waits for syncs that are under way, for which writes are put off. */
async function synced({ appendOnly }: Server): Promise<void> {
  for (let turns = 0; appendOnly.writer.pendingSyncs > 0 && turns < ENDLESS; turns++) await turn()
}

describe('a write that fails', () => {
  const settings = { appendfsync: 'everysec' }

  test('has writes refused until it succeeds, and loses nothing', async () => {
    const dir = temporaryDirectory()
    let full = false
    const disk = new FaultyDisk((call) => (full && call === 'writeSync' ? systemError('ENOSPC', 'write') : undefined))
    const { ask, server, log } = await start(dir, settings, disk.fs)
    expect(ask('INCR', 'n')).toBe(':1\r\n')
    await synced(server)
    full = true
    expect(ask('INCR', 'n')).toBe(':2\r\n') // as Redis: only the next one is told
    expect(ask('INCR', 'n')).toBe('-MISCONF Errors writing to the AOF file: No space left on device\r\n')
    expect(ask('PING')).toMatch(/^-MISCONF/)
    expect(ask('GET', 'n')).toBe('$1\r\n2\r\n')
    expect(ask('INFO', 'persistence')).toContain('aof_last_write_status:err')
    expect(log.text).toContain('Error writing to the AOF file: No space left on device')
    full = false
    server.appendOnly.flush(false)
    expect(log.text).toContain('AOF write error looks solved, Redis can write again.')
    expect(ask('INCR', 'n')).toBe(':3\r\n')
    expect(ask('INFO', 'persistence')).toContain('aof_last_write_status:ok')
    server.close()
    expect(await valueIn(dir)).toBe(3)
  })

  test('is cut off where a part of it got into the file', async () => {
    const dir = temporaryDirectory()
    let state = 'good'
    const disk = new FaultyDisk((call) => {
      if (call !== 'writeSync' || state === 'good') return undefined
      if (state === 'failing') return systemError('ENOSPC', 'write')
      state = 'failing'
      return 'half'
    })
    const { ask, server, log } = await start(dir, settings, disk.fs)
    ask('INCR', 'n')
    await synced(server)
    state = 'halving'
    ask('INCR', 'n')
    expect(log.text).toMatch(/Short write while writing to the AOF file: \(nwritten=\d+, expected=\d+\)/)
    expect(await valueIn(dir)).toBe(1)
    state = 'good'
    server.appendOnly.flush(false)
    server.close()
    expect(await valueIn(dir)).toBe(2)
  })

  test.each([
    ['writeSync', "Can't recover from AOF write error when the AOF fsync policy is 'always'"],
    ['fdatasyncSync', "Can't persist AOF for fsync error when the AOF fsync policy is 'always'"],
  ])('ends the server under always, and no reply leaves (%s)', async (failing, message) => {
    const dir = temporaryDirectory()
    let broken = false
    const disk = new FaultyDisk((call) => (broken && call === failing ? systemError('EIO', call) : undefined))
    const { ask, exits, log } = await start(dir, { appendfsync: 'always' }, disk.fs)
    expect(ask('INCR', 'n')).toBe(':1\r\n')
    broken = true
    expect(ask('INCR', 'n')).toBe('')
    expect(exits).toEqual([1])
    expect(log.text).toContain(message)
  })

  test('of a sync in the background refuses writes until one succeeds', async () => {
    let broken = true
    const disk = new FaultyDisk((call) => (broken && call === 'fdatasync' ? systemError('EIO', call) : undefined))
    const { ask, server } = await start(temporaryDirectory(), settings, disk.fs)
    ask('INCR', 'n')
    for (let turns = 0; server.appendOnly.writer.trouble === null && turns < ENDLESS; turns++) await turn()
    expect(ask('INCR', 'n')).toBe('-MISCONF Errors writing to the AOF file: Input/output error\r\n')
    broken = false
  })
})

test('rewrites that fail are tried again, after three failures later', async () => {
  let broken = true
  const disk = new FaultyDisk((call) => (broken && call === 'rename' ? systemError('EIO', call) : undefined))
  const { ask, server, log } = await start(temporaryDirectory(), {}, disk.fs)
  const { rewrite } = server.appendOnly
  const ended = async () => {
    for (let turns = 0; rewrite.inProgress && turns < ENDLESS; turns++) await turn()
  }
  for (let round = 1; round <= 3; round++) {
    expect(ask('BGREWRITEAOF')).toContain('started')
    await ended()
    expect(ask('INFO', 'persistence')).toContain(`aof_rewrites_consecutive_failures:${round}`)
  }
  expect(server.appendOnly.manifest.incremental.map(({ seq }) => seq)).toEqual([1, 2, 3, 4])
  rewrite.scheduled = true
  rewrite.tick()
  expect(rewrite.inProgress).toBe(false)
  expect(log.text).toContain('has repeatedly failed and triggered the limit, will retry in 1 minutes')
  broken = false
  expect(ask('BGREWRITEAOF')).toContain('started') // whoever asks need not wait
  await ended()
  expect(ask('INFO', 'persistence')).toContain('aof_rewrites_consecutive_failures:0')
  expect(server.appendOnly.manifest.toString()).toBe(
    'file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.5.incr.aof seq 5 type i\n',
  )
})
