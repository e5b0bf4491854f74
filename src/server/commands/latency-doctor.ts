/* What LATENCY DOCTOR says: the events seen, each with its figures, and what can be done about them. */
import type { LatencyMonitor, LatencySeries } from '../latency-monitor.ts'
import type { Server } from '../server.ts'

const DISABLED =
  'Latency monitoring is off, and nothing has been recorded. Switch it on with "CONFIG SET latency-monitor-threshold ' +
  '<milliseconds>", wait until the trouble shows, and ask again.\n'
const HEALTHY = 'No latency spike has been recorded: nothing took as long as latency-monitor-threshold.\n'

const SLOWLOG_OFF =
  'The slow log is off, so that nobody can tell which commands were slow. Switch it on: CONFIG SET ' +
  'slowlog-log-slower-than'
const SLOWLOG_HIGH =
  'The slow log misses commands that the latency monitor counts. Lower its threshold: CONFIG SET ' +
  'slowlog-log-slower-than'
const READ_SLOWLOG = 'Look with SLOWLOG GET which commands are slow, and avoid them or split them up.'
const LARGE_KEYS =
  'Commands on very large values take long. Find those (redis-cli --bigkeys, MEMORY USAGE) and split them into ' +
  'several keys.'
const BUSY_MACHINE =
  'Commands that do little took long: the process did not get the processor. Lower the load of the machine, look for ' +
  'greedy neighbours on the same host, and measure its own share with redis-cli --intrinsic-latency 100.'
const MUCH_EXPIRED = 'Many keys, or large ones, fell due at one time. Spread their times to live.'
const MUCH_EVICTED =
  'Much had to be evicted at once. Lower maxmemory in small steps, and avoid single commands that store very much.'
const SLOW_DISK =
  'Writing to the disk took long. Use local, fast disks for persistence, and keep other heavy writers away from them.'

function adviceFor(event: string, server: Server): readonly string[] {
  const { config } = server
  const threshold = config.number('latency-monitor-threshold') * 1000
  const slower = config.number('slowlog-log-slower-than')
  if (event === 'command') {
    const tuning =
      slower < 0 ? [`${SLOWLOG_OFF} ${threshold}.`] : slower > threshold ? [`${SLOWLOG_HIGH} ${threshold}.`] : []
    return [...tuning, READ_SLOWLOG, LARGE_KEYS]
  }
  if (event === 'fast-command') return [BUSY_MACHINE]
  if (event === 'expire-cycle') return [MUCH_EXPIRED, LARGE_KEYS]
  if (event === 'eviction-del') return [LARGE_KEYS]
  if (event === 'eviction-cycle') return [MUCH_EVICTED]
  return /^(aof|rdb)-/.test(event) ? [SLOW_DISK] : []
}

function eventLine(number: number, event: string, series: LatencySeries, now: number): string {
  const { count, mean, deviation, span } = series.summary(now)
  const period = (span / count).toFixed(2)
  return (
    `${number}. ${event}: ${count} latency spikes (average ${mean}ms, mean deviation ${deviation}ms, ` +
    `period ${period} sec). Worst all time event ${series.worst}ms.\n`
  )
}

export function latencyReport(monitor: LatencyMonitor, server: Server, now: number): string {
  if (monitor.events.size === 0) return monitor.threshold === 0 ? DISABLED : HEALTHY
  let text = 'Latency spikes have been recorded:\n\n'
  let number = 0
  const advice = new Set<string>()
  for (const [event, series] of monitor.events) {
    text += eventLine(++number, event, series, now)
    for (const each of adviceFor(event, server)) advice.add(each)
  }
  if (advice.size === 0) return `${text}\nThere is no advice for these.\n`
  text += '\nWhat can be done:\n\n'
  for (const each of advice) text += `- ${each}\n`
  return text
}
