/* Runs redis-benchmark once and reads its figures.
 *
 * Its long output is read, not --csv, because only that has the distribution from which p99.9 can be taken. Formats of
 * 6.2 up to 7.2 and of Valkey's fork agree in what is used here:
 *
 *   ====== SET ======
 *   Latency by percentile distribution:
 *   99.902% <= 0.447 milliseconds (cumulative count 19984)
 *   Summary:
 *     throughput summary: 1538461.50 requests per second
 *     latency summary (msec):
 *             avg       min       p50       p95       p99       max
 *           0.308     0.080     0.239     0.567     1.895     2.071
 *
 * redis-benchmark ends with 1 on the first error reply, so a server cannot look fast by refusing. It times itself with
 * a clock of 1 ms (hence runs of a second or so), draws its random keys from a seed of its own that cannot be set, and
 * takes a latency per pipeline, not per command. */
import { execFileSync } from 'node:child_process'
import { start } from './children.ts'
import type { Address } from './load.ts'

export interface BenchmarkRun {
  address: Address
  clients: number
  pipeline: number
  requests: number
  keyspace: number
  valueSize: number
  /** A name for -t, or the words of a command in which __rand_int__ stands for a random number. */
  test: string | readonly string[]
}

export interface Figures {
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  p999Ms: number
  maxMs: number
}

const PATIENCE_MS = 180_000

export function redisBenchmarkVersion(): string | null {
  try {
    return execFileSync('redis-benchmark', ['--version'], { encoding: 'latin1' }).trim()
  } catch {
    return null // Not installed: the caller says so.
  }
}

export function runRedisBenchmark(run: BenchmarkRun): Promise<Figures> {
  const child = start(['redis-benchmark', ...argumentsOf(run)], { stdio: ['ignore', 'pipe', 'pipe'] })
  const output: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr?.on('data', (chunk: Buffer) => errors.push(chunk))
  return new Promise((resolve, reject) => {
    const giveUp = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`redis-benchmark had no result after ${PATIENCE_MS / 1000} s`))
    }, PATIENCE_MS)
    child.once('error', reject)
    child.once('close', (code) => {
      clearTimeout(giveUp)
      if (code !== 0) {
        const lines = Buffer.concat(errors).toString('latin1').trim().split('\n')
        return reject(new Error(lines.findLast((line) => line !== '') || `redis-benchmark ended with ${code}`))
      }
      try {
        resolve(parseFigures(Buffer.concat(output).toString('latin1')))
      } catch (error) {
        reject(error as Error)
      }
    })
  })
}

function argumentsOf(run: BenchmarkRun): string[] {
  const options: [string, string | number][] = [
    ['-h', run.address.host],
    ['-p', run.address.port],
    ['-c', run.clients],
    ['-n', run.requests],
    ['-P', run.pipeline],
    ['-r', run.keyspace],
    ['-d', run.valueSize],
  ]
  const words = options.flat().map(String)
  return typeof run.test === 'string' ? [...words, '-t', run.test] : [...words, ...run.test]
}

/** Reads the last report in the text: progress lines, which end in \r, stand before it. */
export function parseFigures(text: string): Figures {
  const report = text.slice(text.lastIndexOf('======\n'))
  const throughput = /throughput summary: ([\d.]+) requests per second/.exec(report)
  const summary = /latency summary \(msec\):\s*\n\s*avg\s+min\s+p50\s+p95\s+p99\s+max\s*\n([\d.\s]+)/.exec(report)
  if (throughput === null || summary === null) {
    throw new Error('redis-benchmark printed no summary (6.2 or later is needed)')
  }
  const [, , p50Ms, , p99Ms, maxMs] = summary[1]!.trim().split(/\s+/).map(Number)
  if (p50Ms === undefined || p99Ms === undefined || maxMs === undefined) throw new Error('latency summary cut short')
  return {
    requestsPerSecond: Number(throughput[1]),
    p50Ms,
    p99Ms,
    p999Ms: latencyAt(report, 99.9) ?? maxMs,
    maxMs,
  }
}

/** The latency at the first listed percentile at or above the one asked for. */
function latencyAt(report: string, percentile: number): number | null {
  const section = /Latency by percentile distribution:\n([\s\S]*?)\n\n/.exec(report)
  for (const match of (section?.[1] ?? '').matchAll(/^\s*([\d.]+)% <= ([\d.]+) milliseconds/gm)) {
    if (Number(match[1]) >= percentile) return Number(match[2])
  }
  return null
}
