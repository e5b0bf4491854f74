/* Clients that wait: what many of them take while nothing happens, and how soon they are served when something does.
 *
 *   connect N clients ─► idle ─► each BLPOPs one of N/10 keys, for ever ─► idle ─► each key gets ten elements
 *
 * Idle times are measured one after the other, so that what the connections take by themselves can be told from what
 * waiting adds. Needs as many open files as clients, and some (`ulimit -n`). */
import { Connection } from './load.ts'
import { Server } from './servers.ts'
import { atMost, left, type Options, right, type Suite, type SuiteResult, significant } from './suite.ts'

const CLIENTS = 10_000
const CLIENTS_QUICK = 500
const IDLE_MS = 5000
const IDLE_QUICK_MS = 1000
const CONNECTS_AT_ONCE = 100
/** Clients to a key. */
const PER_KEY = 10
/** A hundredth of a processor: the server's clock ticks as often with nobody there. */
const CPU_SHARE_LIMIT = 0.01

interface Figures {
  server: string
  clients: number
  /** Share of a processor that is taken with so many connected, and waiting. */
  connectedShare: number
  waitingShare: number
  /** Resident bytes that a connection takes, and that waiting adds. */
  connectedBytes: number
  waitingBytes: number
  /** From the first element to the last reply. */
  servedMs: number
}

export const blockedSuite: Suite = {
  name: 'blocked',
  summary: 'ten thousand clients that wait for keys: processor time and memory while nothing happens',
  async run(options) {
    const figures: Figures[] = []
    for (const spec of options.specs) {
      const server = await Server.start(spec, options.portBase)
      try {
        figures.push(await measureServer(options, server))
      } finally {
        await server.stop()
      }
    }
    return resultOf(figures)
  },
}

async function measureServer(options: Options, server: Server): Promise<Figures> {
  const count = options.quick ? CLIENTS_QUICK : CLIENTS
  const idleMs = options.quick ? IDLE_QUICK_MS : IDLE_MS
  const pusher = await Connection.open(server.address)
  await pusher.call('CONFIG', 'SET', 'maxclients', count + 100)
  const clients: Connection[] = []
  try {
    const before = await server.rssBytes()
    while (clients.length < count) {
      options.progress(`blocked: ${server.name} ${clients.length} connections`)
      const some = Array.from({ length: CONNECTS_AT_ONCE }, () => Connection.open(server.address))
      clients.push(...(await Promise.all(some)))
    }
    const connectedShare = await idle(server, idleMs)
    const connected = await server.rssBytes()
    const replies = clients.map((client, number) => client.call('BLPOP', keyOf(number), 0))
    await untilBlocked(server, count)
    const waitingShare = await idle(server, idleMs)
    const waiting = await server.rssBytes()
    const beganMs = performance.now()
    const elements = Array<string>(PER_KEY).fill('x')
    for (let number = 0; number < count; number += PER_KEY) await pusher.call('RPUSH', keyOf(number), ...elements)
    await Promise.all(replies)
    return {
      server: server.name,
      clients: count,
      connectedShare,
      waitingShare,
      connectedBytes: (connected - before) / count,
      waitingBytes: (waiting - connected) / count,
      servedMs: performance.now() - beganMs,
    }
  } finally {
    for (const client of [pusher, ...clients]) client.close()
  }
}

const keyOf = (number: number): string => `queue:${Math.floor(number / PER_KEY)}`

async function untilBlocked(server: Server, count: number): Promise<void> {
  while (Number((await server.info()).get('blocked_clients')) < count) await pause(50)
}

/** The share of a processor that the server takes while nobody asks for anything. */
async function idle(server: Server, ms: number): Promise<number> {
  await pause(1000) // What came before has settled.
  const before = await server.usage()
  await pause(ms)
  return ((await server.usage()).cpuUs - before.cpuUs) / (ms * 1000)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function resultOf(figures: readonly Figures[]): SuiteResult {
  const percent = (share: number): string => `${(share * 100).toFixed(2)} %`
  const rows = figures.map((each) => [
    each.server,
    significant(each.clients),
    percent(each.connectedShare),
    percent(each.waitingShare),
    significant(each.connectedBytes),
    significant(each.waitingBytes),
    significant(each.servedMs),
  ])
  const titles = ['clients', 'CPU connected', 'CPU waiting', 'bytes a connection', 'bytes more waiting', 'served in ms']
  const table = {
    title: 'Clients that wait for keys',
    columns: [left('server'), ...titles.map(right)],
    rows,
    notes: [],
  }
  const added = figures[0]!.waitingShare - figures[0]!.connectedShare
  const bars = [atMost('processor time that waiting adds, share', Math.max(added, 0), CPU_SHARE_LIMIT)]
  return { tables: [table], bars, chart: null, data: figures }
}
