/* INFO memory: what is used, what it is used for, and what the process takes of the machine (memory-figures.ts). */
import { totalmem } from 'node:os'
import { bytesToHuman } from '../../../lib/units.ts'
import { largeBuffers } from '../../../memory/large-buffers.ts'
import {
  allocatorOverhead,
  fragmentation,
  memoryFigures,
  processOverhead,
  totalOverhead,
} from '../../memory-figures.ts'
import type { Server } from '../../server.ts'
import { type Fields, fields, percent, ratio } from './fields.ts'

function scriptingFields({ scripting }: Server): Fields {
  const { engine, scripts, libraries } = scripting
  const vm = engine.scriptBytes + engine.functionBytes
  return {
    used_memory_lua: engine.scriptBytes,
    used_memory_vm_eval: engine.scriptBytes,
    used_memory_lua_human: bytesToHuman(engine.scriptBytes),
    used_memory_scripts_eval: scripts.memoryBytes,
    number_of_cached_scripts: scripts.count,
    number_of_functions: libraries.functionCount,
    number_of_libraries: libraries.libraryCount,
    used_memory_vm_functions: engine.functionBytes,
    used_memory_vm_total: vm,
    used_memory_vm_total_human: bytesToHuman(vm),
    used_memory_functions: libraries.memoryBytes,
    used_memory_scripts: scripting.cacheBytes,
    used_memory_scripts_human: bytesToHuman(scripting.cacheBytes),
  }
}

export function memorySection(server: Server): string {
  const { config, keyspace } = server
  const figures = memoryFigures(server)
  const maxmemory = config.number('maxmemory')
  const total = totalOverhead(figures)
  return fields({
    used_memory: figures.used,
    used_memory_human: bytesToHuman(figures.used),
    used_memory_rss: figures.resident,
    used_memory_rss_human: bytesToHuman(figures.resident),
    used_memory_peak: figures.peak,
    used_memory_peak_human: bytesToHuman(figures.peak),
    used_memory_peak_perc: percent(figures.peakPercent),
    used_memory_overhead: figures.overhead,
    used_memory_startup: figures.startup,
    used_memory_dataset: figures.dataset,
    used_memory_dataset_perc: percent(figures.datasetPercent),
    allocator_allocated: figures.allocated,
    allocator_active: figures.active,
    allocator_resident: figures.reserved,
    total_system_memory: totalmem(),
    total_system_memory_human: bytesToHuman(totalmem()),
    ...scriptingFields(server),
    maxmemory,
    maxmemory_human: bytesToHuman(maxmemory),
    maxmemory_policy: config.choice('maxmemory-policy'),
    allocator_frag_ratio: ratio(fragmentation(figures).ratio),
    allocator_frag_bytes: fragmentation(figures).bytes,
    allocator_rss_ratio: ratio(allocatorOverhead(figures).ratio),
    allocator_rss_bytes: allocatorOverhead(figures).bytes,
    rss_overhead_ratio: ratio(processOverhead(figures).ratio),
    rss_overhead_bytes: processOverhead(figures).bytes,
    mem_fragmentation_ratio: ratio(total.ratio),
    mem_fragmentation_bytes: total.bytes,
    mem_not_counted_for_evict: server.vitals.uncountedBytes,
    mem_replication_backlog: 0,
    mem_total_replication_buffers: 0,
    mem_clients_slaves: 0,
    mem_clients_normal: figures.clients,
    mem_cluster_links: 0,
    mem_aof_buffer: server.appendOnly.bufferBytes,
    mem_allocator: 'arena',
    active_defrag_running: server.compaction.isRunning ? 1 : 0,
    lazyfree_pending_objects: keyspace.pendingFrees,
    lazyfreed_objects: keyspace.stats.lazyFreed,
    cinnabar_js_heap_used: process.memoryUsage().heapUsed,
    cinnabar_large_buffers: largeBuffers.residentBytes,
  })
}
