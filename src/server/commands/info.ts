/* INFO: facts and figures, a section a topic. What a section tells is its own file's matter, in info/. */
import type { Call } from '../../commands/call.ts'
import {
  Category,
  type Command,
  type CommandGroup,
  Flag,
  group,
  many,
  optional,
  string,
} from '../../commands/definition.ts'
import type { Server } from '../server.ts'
import { clientsSection } from './info/clients-section.ts'
import { commandStatsSection, errorStatsSection, latencyStatsSection } from './info/command-sections.ts'
import { cpuSection } from './info/cpu-section.ts'
import { fields } from './info/fields.ts'
import { keyspaceSection } from './info/keyspace-section.ts'
import { memorySection } from './info/memory-section.ts'
import { persistenceSection } from './info/persistence-section.ts'
import { replicationSection } from './info/replication-section.ts'
import { serverSection } from './info/server-section.ts'
import { statsSection } from './info/stats-section.ts'

/** When a section is shown although nobody named it. */
const Shown = { DEFAULT: 0, ALL: 1, NAMED: 2 } as const

interface Section {
  readonly name: string
  readonly title: string
  readonly shown: (typeof Shown)[keyof typeof Shown]
  readonly text: (server: Server) => string
}

function debugSection({ vitals, dispatcher }: Server): string {
  return fields({
    eventloop_duration_aof_sum: 0,
    eventloop_duration_cron_sum: vitals.loop.cronUs,
    eventloop_duration_max: vitals.loop.stallMaxUs,
    eventloop_cmd_per_cycle_max: dispatcher.runMaxCommands,
  })
}

/** In the order in which they are shown. */
const SECTIONS: readonly Section[] = [
  { name: 'server', title: 'Server', shown: Shown.DEFAULT, text: serverSection },
  { name: 'clients', title: 'Clients', shown: Shown.DEFAULT, text: clientsSection },
  { name: 'memory', title: 'Memory', shown: Shown.DEFAULT, text: memorySection },
  { name: 'persistence', title: 'Persistence', shown: Shown.DEFAULT, text: persistenceSection },
  { name: 'stats', title: 'Stats', shown: Shown.DEFAULT, text: statsSection },
  { name: 'replication', title: 'Replication', shown: Shown.DEFAULT, text: replicationSection },
  { name: 'cpu', title: 'CPU', shown: Shown.DEFAULT, text: cpuSection },
  { name: 'modules', title: 'Modules', shown: Shown.DEFAULT, text: () => '' },
  { name: 'commandstats', title: 'Commandstats', shown: Shown.ALL, text: commandStatsSection },
  { name: 'errorstats', title: 'Errorstats', shown: Shown.DEFAULT, text: errorStatsSection },
  { name: 'latencystats', title: 'Latencystats', shown: Shown.ALL, text: latencyStatsSection },
  { name: 'cluster', title: 'Cluster', shown: Shown.DEFAULT, text: () => fields({ cluster_enabled: 0 }) },
  { name: 'keyspace', title: 'Keyspace', shown: Shown.DEFAULT, text: keyspaceSection },
  { name: 'debug', title: 'Debug', shown: Shown.NAMED, text: debugSection },
]

/** The sections that these words ask for, each once; unknown words ask for nothing. */
function sectionsOf(words: readonly string[]): readonly Section[] {
  const names = words.map((word) => (word === 'module_list' ? 'modules' : word))
  const all = names.includes('all') || names.includes('everything')
  const defaults = words.length === 0 || names.includes('default')
  return SECTIONS.filter(
    ({ name, shown }) => names.includes(name) || (all && shown <= Shown.ALL) || (defaults && shown === Shown.DEFAULT),
  )
}

function info(call: Call, server: Server): void {
  const words: string[] = []
  for (let at = 1; at < call.argc; at++) words.push(call.string(at).toLowerCase())
  const texts = sectionsOf(words).map(({ title, text }) => `# ${title}\r\n${text(server)}`)
  call.reply.verbatim('txt', texts.join('\r\n'))
}

export function infoCommands(server: Server): readonly Command[] {
  return group('server', {
    INFO: {
      summary: 'Gives facts and statistics about the server.',
      since: '1.0.0',
      complexity: 'O(1)',
      flags: Flag.LOADING | Flag.STALE,
      categories: Category.DANGEROUS,
      args: [optional(many(string('section')))],
      history: [['7.0.0', 'Several sections in one call.']],
      tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
      run: (call) => info(call, server),
    },
  } satisfies CommandGroup)
}
