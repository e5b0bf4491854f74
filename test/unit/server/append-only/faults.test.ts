/* The append-only file when the disk fails: killed at each step (all that comes after it never gets there), and with
 * each step failing. What a client was told is there afterwards, and each key is as some prefix of the commands left
 * it. */
import { fstatSync, ftruncateSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { AofFileSystem } from '../../../../src/server/append-only/directory.ts'
import { AofState } from '../../../../src/server/append-only/state.ts'
import type { Server } from '../../../../src/server/server.ts'
import { RawClient } from '../../../helpers/raw-client.ts'
import { testSeed } from '../../../helpers/seed.ts'
import {
  type Changing,
  FaultyDisk,
  type Outcome,
  type Running,
  start,
  systemError,
  temporaryDirectory,
} from './support.ts'

/** A disk that loses what a sync of the log could not write, and says so once: what was written since the last good one
 *  is zeros then, though the file has its length, and the next sync succeeds. */
class LosingDisk {
  broken = false
  syncs = 0
  private readonly syncedSizes = new Map<number, number>()
  readonly fs: AofFileSystem

  constructor() {
    const { fs } = new FaultyDisk(() => undefined)
    this.fs = {
      ...fs,
      fdatasync: (fd: number, answer: (error: NodeJS.ErrnoException | null) => void) =>
        void setImmediate(() => answer(this.sync(fd))),
    } as unknown as AofFileSystem
  }

  private sync(fd: number): NodeJS.ErrnoException | null {
    const { size, ino } = fstatSync(fd)
    if (!this.broken) {
      this.syncs++
      this.syncedSizes.set(ino, size)
      return null
    }
    ftruncateSync(fd, this.syncedSizes.get(ino) ?? 0)
    ftruncateSync(fd, size)
    return systemError('EIO', 'fdatasync')
  }
}

/** Waits until a condition holds, for 10 s at most. */
async function until(holds: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !holds() && Date.now() < end; ) await sleep(1)
}

/** Commands, and rewrites. Answers how often a counter was raised, as the client was told. */
async function scenario(running: Running, disk: FaultyDisk): Promise<number> {
  let acknowledged = 0
  const step = () => {
    const reply = running.ask('INCR', 'n')
    if (reply.startsWith(':') && !disk.frozen) acknowledged = Number(reply.slice(1))
  }
  const { rewrite, writer } = running.server.appendOnly
  const settled = () => until(() => disk.frozen || (!rewrite.inProgress && writer.pendingSyncs === 0))
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

/** Runs the scenario with a fault at each `stride`th step (each one with FAULTS=all), each time on a new disk, and then
 *  looks what is there. */
async function atEachStep(
  settings: Readonly<Record<string, string>>,
  usualStride: number,
  fault: (call: Changing) => Outcome,
  check: (value: number, acknowledged: number, place: string) => void,
): Promise<void> {
  const stride = process.env['FAULTS'] === 'all' ? 1 : usualStride
  const whole = new FaultyDisk(() => undefined)
  await scenario(await start(temporaryDirectory(), settings, whole.fs), whole)
  expect(whole.steps).toBeGreaterThan(30)
  for (let at = 1 + (Math.abs(testSeed()) % stride); at <= whole.steps; at += stride) {
    const dir = temporaryDirectory()
    const disk = new FaultyDisk((call, step) => (step === at ? fault(call) : undefined))
    const running = await start(dir, settings, disk.fs)
    const acknowledged = running.restored && !disk.frozen ? await scenario(running, disk) : 0
    if (!disk.frozen && running.exits.length === 0) running.server.close()
    const value = await valueIn(dir, settings)
    const place = `step ${at}, ${disk.calls[at - 1]}`
    expect(value, place).toBeGreaterThanOrEqual(acknowledged)
    expect(value, place).toBeLessThanOrEqual(acknowledged + 1)
    check(value, acknowledged, place)
  }
}

const failing = (call: Changing) => systemError('EIO', call)

test('killed at any step under always, nothing that was acknowledged is lost', async () => {
  await atEachStep(
    { appendfsync: 'always' },
    1,
    () => 'frozen',
    () => {},
  )
}, 60_000)

test('with any step failing under always, nothing that was acknowledged is lost', async () => {
  await atEachStep({ appendfsync: 'always', 'aof-use-rdb-preamble': 'no' }, 6, failing, () => {})
}, 60_000)

test('with any step failing under everysec, what was acknowledged is there when the server has ended', async () => {
  const check = (value: number, acknowledged: number, place: string) => expect(value, place).toBe(acknowledged)
  await atEachStep({ appendfsync: 'everysec' }, 6, failing, check)
}, 60_000)

/** Waits for syncs that are under way, for which writes are put off. */
const synced = ({ appendOnly }: Server) => until(() => appendOnly.writer.pendingSyncs === 0)

describe('with a disk that fails under always, no reply leaves', () => {
  test.each<[string, (client: RawClient) => void]>([
    ['to a client that quits', (client) => client.send('SET k v\r\nQUIT\r\n')],
    ['to a client whose next request is malformed', (client) => client.send('SET k v\r\n*1\r\nx\r\n')],
    ['to a client that sends no more', (client) => void client.socket.end('SET k v\r\n')],
    ['to a client that closes itself', (client) => client.send('SET k v\r\nCLIENT KILL ID 1 SKIPME no\r\n')],
    ['to a client that waits for the end of the turn', (client) => client.send('SET k v\r\n')],
  ])('%s', async (_name, act) => {
    let fails = false
    const fault = (call: Changing) => (fails && call === 'fdatasyncSync' ? systemError('EIO', call) : undefined)
    const { server, exits } = await start(temporaryDirectory(), { appendfsync: 'always' }, new FaultyDisk(fault).fs)
    expect(server.start({ anyPort: true, load: false })).toBe(true)
    const client = await RawClient.connect(server.listener.port)
    const other = await RawClient.connect(server.listener.port)
    await other.command('PING') // so that replies wait for the end of the turn
    fails = true
    act(client)
    await client.closed
    expect(client.received).toBe(0)
    expect(exits).toEqual([1])
  })
})

test('turned on beside older files and killed at any step, it has all of these or all of the new', async () => {
  const found = new Set<number>()
  for (let at = 1, isOver = false; !isOver; at++) {
    const dir = temporaryDirectory()
    const before = await start(dir)
    for (let count = 0; count < 3; count++) before.ask('INCR', 'n')
    before.server.close()
    const disk = new FaultyDisk((_call, step) => (step === at ? 'frozen' : undefined))
    const { server, ask } = await start(dir, { appendonly: 'no' }, disk.fs)
    ask('SET', 'n', '100')
    ask('CONFIG', 'SET', 'appendonly', 'yes')
    ask('INCR', 'n')
    await until(() => disk.frozen || server.appendOnly.state === AofState.ON)
    isOver = !disk.frozen
    if (isOver) server.close()
    const value = await valueIn(dir)
    expect([3, 100, 101], `killed at step ${at}, ${disk.calls[at - 1]}`).toContain(value)
    found.add(value)
  }
  expect([...found]).toEqual([3, 101])
})

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

  test.each([[0], [1]])('is cut off where a part of it got into the file, after %i rewrites', async (rewrites) => {
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
    if (rewrites > 0) ask('BGREWRITEAOF')
    await until(() => !server.appendOnly.rewrite.inProgress)
    ask('SET', 'other', 'value')
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

  test('of a sync in the background refuses writes until all data has been rewritten', async () => {
    const dir = temporaryDirectory()
    const disk = new LosingDisk()
    const { ask, server, log } = await start(dir, settings, disk.fs)
    server.cron.start()
    ask('INCR', 'n')
    await until(() => disk.syncs > 0 && server.appendOnly.writer.pendingSyncs === 0)
    disk.broken = true
    ask('INCR', 'n')
    ask('INCR', 'n')
    await until(() => server.appendOnly.writer.trouble !== null)
    const syncs = disk.syncs
    disk.broken = false
    expect(ask('INCR', 'n')).toBe('-MISCONF Errors writing to the AOF file: Input/output error\r\n')
    expect(server.appendOnly.hasSynced(server.appendOnly.position)).toBe(false)
    await until(() => server.appendOnly.writer.trouble === null)
    expect(disk.syncs).toBeGreaterThan(syncs)
    expect(server.appendOnly.rewrite.count).toBe(1)
    expect(ask('INCR', 'n')).toBe(':4\r\n')
    await until(() => server.appendOnly.hasSynced(server.appendOnly.position))
    expect(log.text).toContain('all data has been written anew')
    expect(await valueIn(dir, settings)).toBe(4)
  }, 20_000)

  test('of a sync while data is rewritten, of what follows that, takes another rewrite', async () => {
    const dir = temporaryDirectory()
    const disk = new LosingDisk()
    const { ask, server } = await start(dir, { ...settings, 'rdb-key-save-delay': '1500000' }, disk.fs)
    const { rewrite, writer } = server.appendOnly
    server.cron.start()
    ask('INCR', 'n')
    ask('SET', 'another', 'key') // after which the rewrite pauses
    expect(ask('BGREWRITEAOF')).toContain('started')
    ask('CONFIG', 'SET', 'rdb-key-save-delay', '0')
    disk.broken = true
    ask('INCR', 'n')
    await until(() => writer.trouble !== null)
    disk.broken = false
    expect(rewrite.inProgress).toBe(true)
    await until(() => rewrite.count === 2)
    expect(writer.trouble).not.toBe(null)
    await until(() => writer.trouble === null)
    expect(rewrite.count).toBe(2)
    expect(await valueIn(dir, settings)).toBe(2)
  }, 20_000)
})

test('rewrites that fail are tried again, after three failures later', async () => {
  let broken = true
  const disk = new FaultyDisk((call) => (broken && call === 'rename' ? systemError('EIO', call) : undefined))
  const { ask, server, log } = await start(temporaryDirectory(), {}, disk.fs)
  const { rewrite } = server.appendOnly
  const ended = () => until(() => !rewrite.inProgress)
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
