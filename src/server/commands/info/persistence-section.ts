/* INFO persistence: how far the data is on disk. Nothing is forked: what Redis says of the child's progress is said of
 * the snapshot under way, and the memory copied on write is what is held for it because data has changed. */
import { ServerGate } from '../../../commands/dispatcher.ts'
import type { Server } from '../../server.ts'
import { appendOnlyFields, appendOnlySizes } from './append-only-fields.ts'
import { fields, perhaps } from './fields.ts'

export function persistenceSection(server: Server): string {
  const { persistence, snapshots } = server
  const { background } = persistence
  const share = snapshots.keyCount === 0 ? 0 : (snapshots.shownCount / snapshots.keyCount) * 100
  return fields({
    loading: perhaps((server.dispatcher.gates & ServerGate.LOADING) !== 0),
    async_loading: 0,
    current_cow_peak: background.inProgress ? background.heldMax : 0,
    current_cow_size: snapshots.heldBytes,
    current_cow_size_age: 0,
    current_fork_perc: share.toFixed(2),
    current_save_keys_processed: snapshots.shownCount,
    current_save_keys_total: snapshots.keyCount,
    rdb_changes_since_last_save: server.keyspace.dirty,
    rdb_bgsave_in_progress: perhaps(background.inProgress),
    rdb_last_save_time: persistence.lastSave,
    rdb_last_bgsave_status: background.ok ? 'ok' : 'err',
    rdb_last_bgsave_time_sec: background.lastSeconds,
    rdb_current_bgsave_time_sec: background.currentSeconds,
    rdb_saves: persistence.saves,
    rdb_last_cow_size: background.inProgress ? 0 : background.heldMax,
    rdb_last_load_keys_expired: persistence.keysExpired,
    rdb_last_load_keys_loaded: persistence.keysLoaded,
    ...appendOnlyFields(server),
    module_fork_in_progress: 0,
    module_fork_last_cow_size: 0,
    ...appendOnlySizes(server),
    ...server.loading.fields,
  })
}
