/* INFO commandstats, errorstats and latencystats: the dispatcher's statistics, a line a command or error. */
import type { Command } from '../../../commands/definition.ts'
import type { Server } from '../../server.ts'
import { safeName } from './fields.ts'

/** Every command, each followed by its subcommands. */
const allOf = ({ table }: Server): Command[] => table.commands.flatMap((command) => [command, ...command.subcommands])

export function commandStatsSection(server: Server): string {
  const { statistics } = server.dispatcher
  let text = ''
  for (const { id, fullName } of allOf(server)) {
    const calls = statistics.calls[id]!
    const usec = statistics.duration[id]!
    const rejected = statistics.rejected[id]!
    const failed = statistics.failed[id]!
    if (calls + rejected + failed === 0) continue
    const each = calls === 0 ? 0 : usec / calls
    text += `cmdstat_${safeName(fullName)}:calls=${calls},usec=${Math.trunc(usec)},usec_per_call=${each.toFixed(2)}`
    text += `,rejected_calls=${rejected},failed_calls=${failed}\r\n`
  }
  return text
}

export function errorStatsSection({ dispatcher }: Server): string {
  let text = ''
  for (const [code, count] of [...dispatcher.statistics.errors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    text += `errorstat_${safeName(code)}:count=${count}\r\n`
  }
  return text
}

export function latencyStatsSection(server: Server): string {
  const { statistics } = server.dispatcher
  if (!statistics.tracking) return ''
  const percentiles = server.config.value('latency-tracking-info-percentiles')
  let text = ''
  for (const { id, fullName } of allOf(server)) {
    if (!statistics.hasHistogram(id)) continue
    const values = percentiles.map(
      (each) => `p${Number(each.toFixed(6))}=${statistics.percentile(id, each).toFixed(3)}`,
    )
    text += `latency_percentiles_usec_${safeName(fullName)}:${values.join(',')}\r\n`
  }
  return text
}
