/* MEMORY: what keys and the server take up, and what the arena does with it. */
import type { Call } from '../../commands/call.ts'
import { type Command, type CommandGroup, Flag, group, integer, key, optional } from '../../commands/definition.ts'
import { helpCommand } from '../../commands/introspection/help.ts'
import { compareInt64 } from '../../lib/int64.ts'
import { hashBytes } from '../../lib/siphash.ts'
import { bytesToHuman } from '../../lib/units.ts'
import { NONE } from '../../memory/memory.ts'
import { NOT_INTEGER, SYNTAX } from '../../protocol/errors.ts'
import { allocatorOverhead, fragmentation, memoryFigures, processOverhead, totalOverhead } from '../memory-figures.ts'
import type { Server } from '../server.ts'
import { memoryReport } from './memory-doctor.ts'

/** The entry's block, the blocks of its value, and its share of what the table has grown by. Exact, so that there is
 *  nothing to sample: SAMPLES is checked and makes no difference. */
function usage(call: Call): void {
  for (let at = 3; at < call.argc; at += 2) {
    if (!call.is(at, 'SAMPLES') || at + 1 === call.argc) return call.reply.error(SYNTAX)
    const samples = call.integer(at + 1)
    if (samples === undefined) return call.reply.error(NOT_INTEGER)
    if (compareInt64(samples, 0) < 0) return call.reply.error(SYNTAX)
  }
  const { keyspace, db } = call
  const { table, memory } = keyspace
  const hash = hashBytes(call.bytes, call.posOf(2), call.lenOf(2))
  const entry = table.find(db.root, call.bytes, call.posOf(2), call.lenOf(2), hash)
  if (entry === NONE) return call.reply.nullBulk()
  const share = Math.round((db.tableBytes - table.emptyBytes) / db.size)
  call.reply.integer(memory.capacity(entry) + keyspace.kindOf(entry).valueBytes(entry) + share)
}

/** Names and whole numbers, or ratios. */
function stats({ reply }: Call, server: Server): void {
  const figures = memoryFigures(server)
  const counts = (entries: readonly (readonly [string, number])[]) => {
    for (const [name, value] of entries) {
      reply.bulkString(name)
      reply.integer(value)
    }
  }
  const double = (name: string, value: number) => {
    reply.bulkString(name)
    reply.double(Number.isFinite(value) ? value : 0)
  }
  reply.map(27 + figures.databases.length)
  counts([
    ['peak.allocated', figures.peak],
    ['total.allocated', figures.used],
    ['startup.allocated', figures.startup],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', figures.clients],
    ['cluster.links', 0],
    ['aof.buffer', server.appendOnly.bufferBytes],
    ['lua.caches', server.scripting.scripts.memoryBytes],
    ['functions.caches', server.scripting.libraries.memoryBytes],
  ])
  for (const { id, tableBytes, expiryBytes } of figures.databases) {
    reply.bulkString(`db.${id}`)
    reply.map(3)
    counts([
      ['overhead.hashtable.main', tableBytes],
      ['overhead.hashtable.expires', expiryBytes],
      ['overhead.hashtable.slot-to-keys', 0],
    ])
  }
  counts([
    ['overhead.total', figures.overhead],
    ['keys.count', figures.keys],
    ['keys.bytes-per-key', figures.bytesPerKey],
    ['dataset.bytes', figures.dataset],
  ])
  double('dataset.percentage', figures.datasetPercent)
  double('peak.percentage', figures.peakPercent)
  counts([
    ['allocator.allocated', figures.allocated],
    ['allocator.active', figures.active],
    ['allocator.resident', figures.reserved],
  ])
  const excesses = [
    ['allocator-fragmentation.ratio', 'allocator-fragmentation.bytes', fragmentation(figures)],
    ['allocator-rss.ratio', 'allocator-rss.bytes', allocatorOverhead(figures)],
    ['rss-overhead.ratio', 'rss-overhead.bytes', processOverhead(figures)],
    ['fragmentation', 'fragmentation.bytes', totalOverhead(figures)],
  ] as const
  for (const [ratioName, bytesName, { ratio, bytes }] of excesses) {
    double(ratioName, ratio)
    counts([[bytesName, bytes]])
  }
}

/** The arena's size classes, those that hold something. */
function mallocStats({ keyspace }: Server): string {
  const { memory } = keyspace
  let text = `Arena: ${bytesToHuman(memory.reservedBytes)} reserved, ${bytesToHuman(memory.activeBytes)} in pages, `
  text += `${bytesToHuman(memory.usedBytes)} in ${memory.blockCount} blocks\n\n`
  text += `${['block', 'blocks', 'bytes', 'pages'].map((title) => title.padStart(14)).join('')}\n`
  for (const { blockSize, blocks, pages } of memory.usage()) {
    if (pages === 0) continue
    const cells = blockSize === 0 ? ['larger', blocks, '', pages] : [blockSize, blocks, blockSize * blocks, pages]
    text += `${cells.map((cell) => String(cell).padStart(14)).join('')}\n`
  }
  return text
}

function purge(call: Call): void {
  call.keyspace.memory.purge()
  call.reply.ok()
}

const TOLD_BY_SHARDS = {
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
} as const

function subcommands(server: Server): CommandGroup {
  return {
    DOCTOR: {
      ...TOLD_BY_SHARDS,
      summary: 'Explains troubles with memory, in plain words.',
      since: '4.0.0',
      complexity: 'O(1)',
      run: (call) => call.reply.verbatim('txt', memoryReport(memoryFigures(server), server.connections.size)),
    },
    HELP: helpCommand('4.0.0'),
    'MALLOC-STATS': {
      ...TOLD_BY_SHARDS,
      summary: 'Gives the statistics of the allocator.',
      since: '4.0.0',
      complexity: 'Depends on the memory allocated, may be slow',
      run: (call) => call.reply.verbatim('txt', mallocStats(server)),
    },
    PURGE: {
      summary: 'Gives unused memory back to the system.',
      since: '4.0.0',
      complexity: 'Depends on the memory allocated, may be slow',
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      run: purge,
    },
    STATS: {
      ...TOLD_BY_SHARDS,
      summary: 'Tells what memory is used for.',
      since: '4.0.0',
      complexity: 'O(1)',
      run: (call) => stats(call, server),
    },
    USAGE: {
      summary: 'Estimates how much memory a key takes up.',
      since: '4.0.0',
      complexity: 'O(N), N samples',
      flags: Flag.READONLY,
      args: [key('RO'), optional(integer('SAMPLES count'))],
      run: usage,
    },
  }
}

export function memoryCommands(server: Server): readonly Command[] {
  return group('server', {
    MEMORY: { summary: 'Looks after the use of memory.', since: '4.0.0', subcommands: subcommands(server) },
  })
}
