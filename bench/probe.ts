/* A process that PINGs a server in a loop and keeps the latencies: what a client beside the load sees.
 *
 * It is a process of its own, so that the writer's work does not delay its clock, and every PING waits for its reply,
 * so that it hardly takes a processor from a busy server. Started as `probe.ts HOST PORT`; it answers each IPC message
 * 'read' with the figures since the last one. Latencies go into buckets of 10 us, so nothing grows while it runs. */
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startModule, stop } from './children.ts'
import type { Address } from './load.ts'

const BUCKET_US = 10
const BUCKETS = 200_000 // Up to 2 s; what is longer counts in the last bucket, the greatest is kept exactly.

export interface ProbeFigures {
  pings: number
  p50Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
}

/** The probe as its parent sees it. */
export class Probe {
  private readonly child: ReturnType<typeof startModule>

  constructor(address: Address) {
    this.child = startModule(fileURLToPath(import.meta.url), [address.host, String(address.port)])
  }

  /** The figures since the last reading. */
  read(): Promise<ProbeFigures> {
    return new Promise((resolve, reject) => {
      const ended = (): void => reject(new Error('the latency probe ended'))
      this.child.once('exit', ended)
      this.child.once('message', (figures) => {
        this.child.off('exit', ended)
        resolve(figures as ProbeFigures)
      })
      this.child.send('read')
    })
  }

  stop(): Promise<void> {
    return stop(this.child)
  }
}

function probe(host: string, port: number): void {
  const counts = new Uint32Array(BUCKETS)
  let pings = 0
  let maxUs = 0
  let sentAtMs = 0
  const socket = connect({ host, port, noDelay: true })
  const ping = (): void => {
    sentAtMs = performance.now()
    socket.write('PING\r\n')
  }
  socket.on('connect', ping)
  socket.on('data', () => {
    const latencyUs = (performance.now() - sentAtMs) * 1000
    const bucket = Math.min(BUCKETS - 1, Math.floor(latencyUs / BUCKET_US))
    counts[bucket]!++
    pings++
    if (latencyUs > maxUs) maxUs = latencyUs
    ping()
  })
  const endOn = (event: string): void => {
    socket.on(event, () => process.exit(1))
  }
  endOn('error')
  endOn('close')
  const latencyAt = (share: number): number => {
    let seen = 0
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += counts[bucket]!
      if (seen > pings * share) return ((bucket + 1) * BUCKET_US) / 1000
    }
    return maxUs / 1000
  }
  process.on('disconnect', () => process.exit(0))
  process.on('message', () => {
    const [p50Ms, p99Ms, p999Ms] = [latencyAt(0.5), latencyAt(0.99), latencyAt(0.999)]
    process.send?.({ pings, p50Ms, p99Ms, p999Ms, maxMs: maxUs / 1000 })
    counts.fill(0)
    pings = 0
    maxUs = 0
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) probe(process.argv[2]!, Number(process.argv[3]))
