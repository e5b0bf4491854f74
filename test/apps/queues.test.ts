/* Programs that live on scripts: job queues with real workers, locks and rate limiters, as their users run them. */
import { once } from 'node:events'
import { createRequire } from 'node:module'
import BeeQueue from 'bee-queue'
import Bull from 'bull'
import { Queue, QueueEvents, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { describe, expect, onTestFinished, test } from 'vitest'
import { sleep } from '../helpers/servers.ts'
import { eventually, useServer } from '../integration/support.ts'

const server = useServer()

function connected(): Redis {
  const redis = new Redis({ port: server().port, maxRetriesPerRequest: 0 })
  onTestFinished(() => redis.disconnect())
  return redis
}

describe('Bull', () => {
  const queueOf = (name: string): Bull.Queue => {
    const queue = new Bull(name, { redis: { port: server().port }, settings: { retryProcessDelay: 10 } })
    onTestFinished(() => queue.close(true))
    return queue
  }

  test('runs jobs by priority, and tells of each', async () => {
    const queue = queueOf('priorities')
    for (const priority of [5, 1, 3, 2, 4]) await queue.add({ priority }, { priority })
    expect((await queue.getJobCounts()).waiting).toBe(5)
    const done: number[] = []
    void queue.process(async (job) => {
      done.push(job.data.priority)
      return job.data.priority * 10
    })
    await eventually(async () => (await queue.getJobCounts()).completed === 5, 'five completed jobs')
    expect(done).toEqual([1, 2, 3, 4, 5])
    expect((await queue.getCompleted()).map((job) => job.returnvalue).sort()).toEqual([10, 20, 30, 40, 50])
  })

  test('tries a failed job again, and keeps what failed for good', async () => {
    const queue = queueOf('retries')
    const attempts: Record<string, number> = {}
    void queue.process('flaky', async (job) => {
      attempts[job.data.name] = (attempts[job.data.name] ?? 0) + 1
      if (attempts[job.data.name]! <= job.data.failures) throw new Error(`attempt ${attempts[job.data.name]}`)
      return 'at last'
    })
    const saved = await queue.add('flaky', { name: 'saved', failures: 2 }, { attempts: 3, backoff: 10 })
    const lost = await queue.add('flaky', { name: 'lost', failures: 9 }, { attempts: 2 })
    expect(await saved.finished()).toBe('at last')
    await expect(lost.finished()).rejects.toThrow('attempt 2')
    expect(attempts).toEqual({ saved: 3, lost: 2 })
    expect((await queue.getFailed()).map((job) => job.failedReason)).toEqual(['attempt 2'])
  })

  test('keeps delayed jobs back, and many workers share the work', async () => {
    const [producer, ...workers] = ['shared', 'shared', 'shared'].map(queueOf)
    const done: number[] = []
    for (const worker of workers) void worker.process(5, async (job) => void done.push(job.data.number))
    const delayed = await producer!.add({ number: -1 }, { delay: 300 })
    await producer!.addBulk(Array.from({ length: 200 }, (_, number) => ({ data: { number } })))
    await eventually(() => done.length >= 200, 'two hundred jobs')
    await delayed.finished()
    const { timestamp, processedOn } = (await producer!.getJob(delayed.id))!
    expect(processedOn! - timestamp).toBeGreaterThanOrEqual(300)
    expect(done.sort((a, b) => a - b)).toEqual([-1, ...Array.from({ length: 200 }, (_, number) => number)])
  })
})

describe('BullMQ', () => {
  test('runs jobs, tries again, keeps delayed ones back', async () => {
    const connection = () => new Redis({ port: server().port, maxRetriesPerRequest: null })
    const options = { connection: connection() as never }
    const queue = new Queue('mq', options)
    const events = new QueueEvents('mq', { connection: connection() as never })
    const done: number[] = []
    let failures = 1
    const work = async ({ data }: { data: { number: number; fails?: boolean } }): Promise<number> => {
      if (data.fails === true && failures-- > 0) throw new Error('once')
      done.push(data.number)
      return data.number * 2
    }
    const worker = new Worker('mq', work, options)
    onTestFinished(async () => {
      await Promise.all([worker.close(), queue.close(), events.close()])
    })
    await events.waitUntilReady()
    const flaky = await queue.add('work', { number: 21, fails: true }, { attempts: 2, backoff: 10 })
    const late = await queue.add('work', { number: 2 }, { delay: 200, priority: 1 })
    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'work', data: { number: 1 } })))
    expect(await flaky.waitUntilFinished(events)).toBe(42)
    expect(await late.waitUntilFinished(events)).toBe(4)
    await eventually(() => done.length === 22, 'all jobs')
  })
})

describe('Bee-Queue', () => {
  const queueOf = (name: string, isWorker: boolean): BeeQueue => {
    const queue = new BeeQueue(name, { redis: { port: server().port }, isWorker, activateDelayedJobs: true })
    onTestFinished(() => queue.close(0))
    return queue
  }

  test('runs jobs, tries again, and reports progress', async () => {
    const [producer, worker] = [queueOf('bees', false), queueOf('bees', true)]
    await Promise.all([producer.ready(), worker.ready()])
    let failures = 1
    worker.process(async (job: BeeQueue.Job<{ x: number; fails?: boolean }>) => {
      job.reportProgress({ half: true })
      if (job.data.fails === true && failures-- > 0) throw new Error('once')
      return job.data.x * 2
    })
    const flaky = producer.createJob({ x: 21, fails: true }).retries(1)
    const progressed = once(flaky, 'progress')
    const succeeded = once(flaky, 'succeeded')
    await flaky.save()
    expect((await progressed)[0]).toEqual({ half: true })
    expect((await succeeded)[0]).toBe(42)
    const late = producer.createJob({ x: 1 }).delayUntil(new Date(Date.now() + 100))
    const arrived = once(late, 'succeeded')
    await late.save()
    expect((await arrived)[0]).toBe(2)
    expect((await producer.checkHealth()).succeeded).toBe(2)
  })
})

describe('rate-limiter-flexible', () => {
  test('lets through so many, then says how long to wait', async () => {
    const storeClient = connected()
    const limiter = new RateLimiterRedis({ storeClient, points: 5, duration: 60, keyPrefix: 'limit' })
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => limiter.consume('somebody')))
    expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(5)
    const refused = outcomes.find((outcome) => outcome.status === 'rejected')!
    expect(refused.reason).toBeInstanceOf(RateLimiterRes)
    expect(refused.reason.msBeforeNext).toBeGreaterThan(50_000)
    expect((await limiter.get('somebody'))!.consumedPoints).toBe(8)
    await limiter.reward('somebody', 5)
    expect((await limiter.consume('somebody', 2)).remainingPoints).toBe(0)
    await limiter.block('other', 30)
    await expect(limiter.consume('other')).rejects.toBeInstanceOf(RateLimiterRes)
  })
})

interface Lock {
  readonly value: string
  unlock(): Promise<void>
  extend(ms: number): Promise<Lock>
}
const Redlock = createRequire(import.meta.url)('redlock') as new (
  clients: readonly Redis[],
  options: object,
) => { lock(resource: string, ms: number): Promise<Lock> }

test('redlock lets one hold a lock at a time', async () => {
  const redlock = new Redlock([connected()], { retryCount: 5000, retryDelay: 5, retryJitter: 5 })
  let held = 0
  let entered = 0
  const work = async (): Promise<void> => {
    const lock = await redlock.lock('locks:resource', 60_000)
    expect(++held).toBe(1)
    entered++
    await sleep(2)
    held--
    await lock.unlock()
  }
  await Promise.all(Array.from({ length: 10 }, work))
  expect(entered).toBe(10)
  const lock = await redlock.lock('locks:other', 30_000)
  const extended = await lock.extend(60_000)
  expect(await connected().pttl('locks:other')).toBeGreaterThan(50_000)
  await extended.unlock()
  await expect(lock.unlock()).rejects.toThrow()
})
