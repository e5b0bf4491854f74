/* kill -9 at random moments, under load from many clients, while the append-only file is rewritten and the RDB file
 * saved over and over: what was acknowledged is there after the next start, and transactions are there whole or not at
 * all.
 *
 * A killed process loses nothing that it has written, synced or not: `everysec` may lose what waited for a sync to end,
 * two seconds' worth at most. CRASH_ROUNDS=300 makes it hundreds of rounds. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encode, type RawClient } from '../helpers/raw-client.ts'
import { sleep, startCinnabar, type TestServer } from '../helpers/servers.ts'

const ROUNDS = Number(process.env['CRASH_ROUNDS'] ?? 4)
const CLIENTS = 20
const LOST_MS_MAX = 2000

/** A client that raises two counters together, again and again, and notes when it was told so. */
class Raiser {
  readonly name: string
  /** Raises sent, and those acknowledged with their times. */
  sent = 0
  acknowledged = 0
  private readonly times: number[] = []
  private loaded = 0

  constructor(index: number) {
    this.name = `{${index}}`
  }

  async run(client: RawClient): Promise<void> {
    for (;;) {
      this.sent++
      const value = String(this.sent)
      client.send(
        Buffer.concat([
          encode('SET', `single${this.name}`, value),
          encode('MULTI'),
          encode('SET', `a${this.name}`, value),
          encode('SET', `b${this.name}`, value, 'EX', '1000'),
          encode('EXEC'),
        ]),
      )
      const replies = await client.replies(5)
      expect(String(replies.at(-1))).toBe('*2\r\n+OK\r\n+OK\r\n')
      this.acknowledged = this.sent
      this.times[this.acknowledged] = performance.now()
    }
  }

  /** The last one acknowledged before a moment. */
  acknowledgedBefore(ms: number): number {
    const last = this.times.findLastIndex((time) => time !== undefined && time < ms)
    return Math.max(this.loaded, last)
  }

  /** A server has begun with so much: that is in its file. */
  beginAt(loaded: number, sent: number): void {
    this.loaded = this.acknowledged = loaded
    this.sent = sent
    this.times.length = 0
  }
}

async function numberAt(client: RawClient, key: string): Promise<number> {
  return Number(String(await client.command('GET', key)).split('\r\n')[1] ?? 0)
}

async function loadAndKill(server: TestServer, raisers: readonly Raiser[]): Promise<number> {
  const clients = await Promise.all(raisers.map(() => server.connect()))
  const runs = raisers.map((raiser, index) => raiser.run(clients[index]!).catch(() => undefined)) // until it is killed
  const rewriter = await server.connect()
  const rewrites = (async () => {
    for (;;) {
      // As often as possible something is under way: a file being written, renamed, listed in the manifest, deleted.
      await rewriter.command(Math.random() < 0.8 ? 'BGREWRITEAOF' : 'BGSAVE')
      await sleep(Math.random() * Math.random() * 60)
    }
  })().catch(() => undefined)
  await sleep(50 + Math.random() * 400)
  const killedAt = performance.now()
  await server.stop('SIGKILL')
  await Promise.all([...runs, rewrites])
  return killedAt
}

describe.each(['always', 'everysec'])('killed under load with appendfsync %s', (appendfsync) => {
  test(
    `${ROUNDS} times, it has what it acknowledged`,
    async () => {
      const dir = mkdtempSync(join(tmpdir(), 'cinnabar-crash-'))
      onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
      const raisers = Array.from({ length: CLIENTS }, (_, index) => new Raiser(index))
      const args = (round: number) => [
        ...['--appendonly', 'yes', '--appendfsync', appendfsync],
        ...['--aof-use-rdb-preamble', round % 2 === 0 ? 'yes' : 'no'],
      ]
      for (let round = 0; round < ROUNDS; round++) {
        const killedAt = await loadAndKill(await startCinnabar({ dir, args: args(round) }), raisers)
        const again = await startCinnabar({ dir, args: args(round) })
        const client = await again.connect()
        for (const raiser of raisers) {
          const single = await numberAt(client, `single${raiser.name}`)
          const a = await numberAt(client, `a${raiser.name}`)
          expect(await numberAt(client, `b${raiser.name}`), 'a transaction is whole').toBe(a)
          const kept =
            appendfsync === 'always' ? raiser.acknowledged : raiser.acknowledgedBefore(killedAt - LOST_MS_MAX)
          expect(single, `round ${round}`).toBeGreaterThanOrEqual(kept)
          expect(a, `round ${round}`).toBeGreaterThanOrEqual(kept)
          expect(single).toBeLessThanOrEqual(raiser.sent)
          raiser.beginAt(Math.min(single, a), Math.max(single, a))
        }
        await client.close()
        await again.stop('SIGKILL')
      }
    },
    120_000 + ROUNDS * 20_000,
  )
})
