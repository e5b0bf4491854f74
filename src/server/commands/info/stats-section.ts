/* INFO stats: what went through the server since it started, or since CONFIG RESETSTAT. */
import type { Keyspace } from '../../../keyspace/keyspace.ts'
import type { Server } from '../../server.ts'
import { type Fields, fields } from './fields.ts'

/** As INFO tells speeds: units of 1024 bytes. */
const kilobytes = (bytes: number): string => (bytes / 1024).toFixed(2)

/** What features that are not there yet would count. */
function compaction({ compaction }: Server): Fields {
  const { hits, misses } = compaction.compactor.stats
  return {
    active_defrag_hits: hits,
    active_defrag_misses: misses,
    active_defrag_key_hits: hits,
    active_defrag_key_misses: misses,
    total_active_defrag_time: Math.trunc(compaction.totalMs),
    current_active_defrag_time: Math.trunc(compaction.currentMs),
  }
}

function traffic({ stats, vitals, dispatcher }: Server): Fields {
  const { rates } = vitals
  return {
    total_connections_received: stats.connectionsReceived,
    total_commands_processed: dispatcher.statistics.totalCalls,
    instantaneous_ops_per_sec: rates.commandsPerSecond,
    total_net_input_bytes: stats.bytesRead,
    total_net_output_bytes: stats.bytesWritten,
    total_net_repl_input_bytes: 0,
    total_net_repl_output_bytes: 0,
    instantaneous_input_kbps: kilobytes(rates.inputBytesPerSecond),
    instantaneous_output_kbps: kilobytes(rates.outputBytesPerSecond),
    instantaneous_input_repl_kbps: kilobytes(0),
    instantaneous_output_repl_kbps: kilobytes(0),
    rejected_connections: stats.rejectedConnections,
    sync_full: 0,
    sync_partial_ok: 0,
    sync_partial_err: 0,
  }
}

/** About how many percent of the keys with an expiry are past their time, and not taken away yet. */
function stalePercent({ databases }: Keyspace): number {
  let expiring = 0
  let stale = 0
  for (const db of databases) {
    if (db.expiring === 0) continue
    expiring += db.expiring
    stale += db.expiring * db.staleShare()
  }
  return expiring === 0 ? 0 : (stale * 100) / expiring
}

function keys({ keyspace, eviction, clientMemory }: Server): Fields {
  const { stats } = keyspace
  return {
    expired_subkeys: stats.expiredFields,
    expired_keys: stats.expired,
    expired_stale_perc: stalePercent(keyspace).toFixed(2),
    expired_time_cap_reached_count: stats.expireTimeCapReached,
    expire_cycle_cpu_milliseconds: Math.trunc(stats.expireCycleMs),
    evicted_keys: stats.evicted,
    evicted_clients: clientMemory.evicted,
    total_eviction_exceeded_time: Math.trunc(eviction.exceededMs),
    current_eviction_exceeded_time: Math.trunc(eviction.exceedingMs),
    keyspace_hits: stats.hits,
    keyspace_misses: stats.misses,
  }
}

function subscriptions({ pubsub }: Server): Fields {
  return {
    pubsub_channels: pubsub.channelCount,
    pubsub_patterns: pubsub.patternCount,
    pubsubshard_channels: pubsub.shardChannelCount,
  }
}

function loop({ stats, vitals, dispatcher, access, payloads }: Server): Fields {
  return {
    unexpected_error_replies: 0,
    total_error_replies: dispatcher.statistics.totalErrors,
    dump_payload_sanitizations: payloads.examined,
    total_reads_processed: stats.reads,
    total_writes_processed: stats.writes,
    io_threaded_reads_processed: 0,
    io_threaded_writes_processed: 0,
    reply_buffer_shrinks: 0,
    reply_buffer_expands: 0,
    eventloop_cycles: vitals.loop.cycles,
    eventloop_duration_sum: vitals.loop.activeUs,
    eventloop_duration_cmd_sum: Math.trunc(dispatcher.commandsUs),
    instantaneous_eventloop_cycles_per_sec: vitals.rates.loopCyclesPerSecond,
    instantaneous_eventloop_duration_usec: vitals.rates.loopCycleUs,
    acl_access_denied_auth: access.log.counts.auth,
    acl_access_denied_cmd: access.log.counts.command,
    acl_access_denied_key: access.log.counts.key,
    acl_access_denied_channel: access.log.counts.channel,
    cinnabar_loop_stall_max_us: vitals.loop.stallMaxUs,
    cinnabar_loop_stall_own_us: vitals.loop.stallOwnMaxUs,
  }
}

export function statsSection(server: Server): string {
  return fields({
    ...traffic(server),
    ...keys(server),
    ...subscriptions(server),
    latest_fork_usec: 0,
    total_forks: 0,
    migrate_cached_sockets: server.migration.kept,
    slave_expires_tracked_keys: 0,
    ...compaction(server),
    tracking_total_keys: server.tracking.nameCount,
    tracking_total_items: server.tracking.itemCount,
    tracking_total_prefixes: server.tracking.prefixCount,
    ...loop(server),
  })
}
