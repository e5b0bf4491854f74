/* LATENCY: what the latency monitor has seen, and the latency histograms of commands. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group, many, optional, string } from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { noLatencySamples } from '../../protocol/errors.ts'
import type { LatencyMonitor } from '../latency-monitor.ts'
import type { Server } from '../server.ts'
import { latencyReport } from './latency-doctor.ts'
import { latencyGraph } from './latency-graph.ts'

const nowSeconds = (): number => Math.floor(Date.now() / 1000)

function graph(call: Call, monitor: LatencyMonitor): void {
  const event = call.string(2)
  const series = monitor.events.get(event)
  if (series === undefined) call.reply.error(noLatencySamples(event))
  else call.reply.verbatim('txt', latencyGraph(event, series, nowSeconds()))
}

function history(call: Call, monitor: LatencyMonitor): void {
  const { reply } = call
  const samples = monitor.events.get(call.string(2))?.samples ?? []
  reply.array(samples.length)
  for (const { time, ms } of samples) {
    reply.array(2)
    reply.integer(time)
    reply.integer(ms)
  }
}

function latest({ reply }: Call, monitor: LatencyMonitor): void {
  reply.array(monitor.events.size)
  for (const [event, series] of monitor.events) {
    reply.array(4)
    reply.bulkString(event)
    reply.integer(series.latest?.time ?? 0)
    reply.integer(series.latest?.ms ?? 0)
    reply.integer(series.worst)
  }
}

function reset(call: Call, monitor: LatencyMonitor): void {
  let count = 0
  if (call.argc === 2) count = monitor.reset()
  for (let at = 2; at < call.argc; at++) count += monitor.reset(call.string(at))
  call.reply.integer(count)
}

/** The commands that have been called of those named (a container means its subcommands too), or of all. */
function measured(call: Call, server: Server): Command[] {
  const { table, dispatcher } = server
  const wanted: Command[] = []
  if (call.argc === 2) wanted.push(...table.commands)
  for (let at = 2; at < call.argc; at++) {
    const command = table.get(call.string(at).toLowerCase())
    if (command !== undefined) wanted.push(command)
  }
  return wanted
    .flatMap((command) => [command, ...command.subcommands])
    .filter((command) => dispatcher.statistics.hasHistogram(command.id))
}

function histogram(call: Call, server: Server): void {
  const { reply } = call
  const commands = measured(call, server)
  reply.map(commands.length)
  for (const command of commands) {
    const rows = server.dispatcher.statistics.cumulative(command.id)
    reply.bulkString(command.fullName)
    reply.map(2)
    reply.bulkString('calls')
    reply.integer(rows.at(-1)?.[1] ?? 0)
    reply.bulkString('histogram_usec')
    reply.map(rows.length)
    for (const [us, count] of rows) {
      reply.integer(us)
      reply.integer(count)
    }
  }
}

const ADMIN = { flags: Flag.ADMIN | Flag.NOSCRIPT | Flag.LOADING | Flag.STALE, since: '2.8.13' } as const
const TOLD_BY_NODES = {
  tips: ['nondeterministic_output', 'request_policy:all_nodes', 'response_policy:special'],
} as const

function subcommands(server: Server): CommandGroup {
  return {
    DOCTOR: {
      ...ADMIN,
      ...TOLD_BY_NODES,
      summary: 'Explains the latency seen, in plain words.',
      complexity: 'O(1)',
      run: (call) => call.reply.verbatim('txt', latencyReport(server.slow.latency, server, nowSeconds())),
    },
    GRAPH: {
      ...ADMIN,
      ...TOLD_BY_NODES,
      summary: 'Draws the latency of an event.',
      complexity: 'O(1)',
      args: [string('event')],
      run: (call) => graph(call, server.slow.latency),
    },
    HELP: helpCommand('2.8.13'),
    HISTOGRAM: {
      ...ADMIN,
      ...TOLD_BY_NODES,
      summary: 'Gives the distribution of latencies of commands.',
      since: '7.0.0',
      complexity: 'O(N), N commands asked for',
      args: [optional(many(string('command')))],
      run: (call) => histogram(call, server),
    },
    HISTORY: {
      ...ADMIN,
      ...TOLD_BY_NODES,
      summary: 'Lists the samples of an event with their times.',
      complexity: 'O(1)',
      args: [string('event')],
      run: (call) => history(call, server.slow.latency),
    },
    LATEST: {
      ...ADMIN,
      ...TOLD_BY_NODES,
      summary: 'Gives the latest sample of every event.',
      complexity: 'O(1)',
      run: (call) => latest(call, server.slow.latency),
    },
    RESET: {
      ...ADMIN,
      summary: 'Forgets the samples of some or all events.',
      complexity: 'O(1)',
      args: [optional(many(string('event')))],
      tips: ['request_policy:all_nodes', 'response_policy:agg_sum'],
      run: (call) => reset(call, server.slow.latency),
    },
  }
}

export function latencyCommands(server: Server): readonly Command[] {
  return group('server', {
    LATENCY: {
      summary: 'Looks after the measurements of latency.',
      since: '2.8.13',
      subcommands: subcommands(server),
    },
  })
}
