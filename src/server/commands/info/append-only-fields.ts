/* INFO persistence, the append-only file's part. */
import type { Server } from '../../server.ts'
import { perhaps } from './fields.ts'

export function appendOnlyFields({ appendOnly }: Server): Record<string, string | number> {
  const { writer, rewrite } = appendOnly
  return {
    aof_enabled: perhaps(appendOnly.isOn),
    aof_rewrite_in_progress: perhaps(rewrite.inProgress),
    aof_rewrite_scheduled: perhaps(rewrite.scheduled),
    aof_last_rewrite_time_sec: rewrite.lastSeconds,
    aof_current_rewrite_time_sec: rewrite.currentSeconds,
    aof_last_bgrewrite_status: rewrite.ok ? 'ok' : 'err',
    aof_rewrites: rewrite.count,
    aof_rewrites_consecutive_failures: rewrite.failures,
    aof_last_write_status: writer.trouble === null ? 'ok' : 'err',
    aof_last_cow_size: 0,
  }
}

/** What is told while it is on. */
export function appendOnlySizes({ appendOnly }: Server): Record<string, number> {
  if (!appendOnly.isOn) return {}
  const { writer } = appendOnly
  return {
    aof_current_size: appendOnly.size,
    aof_base_size: appendOnly.baseSize,
    aof_pending_rewrite: perhaps(appendOnly.rewrite.scheduled),
    aof_buffer_length: writer.buffer.length,
    aof_pending_bio_fsync: writer.pendingSyncs,
    aof_delayed_fsync: writer.delayedCount,
  }
}
