/* INFO persistence: how far the data is on disk. Nothing is done in the background yet: the figures of that are those
 * of a server that never did. */
import { ServerGate } from '../../../commands/dispatcher.ts'
import type { Server } from '../../server.ts'
import { appendOnlyFields, appendOnlySizes } from './append-only-fields.ts'
import { fields, perhaps } from './fields.ts'

export function persistenceSection(server: Server): string {
  const { persistence } = server
  return fields({
    loading: perhaps((server.dispatcher.gates & ServerGate.LOADING) !== 0),
    async_loading: 0,
    current_cow_peak: 0,
    current_cow_size: 0,
    current_cow_size_age: 0,
    current_fork_perc: '0.00',
    current_save_keys_processed: 0,
    current_save_keys_total: 0,
    rdb_changes_since_last_save: server.keyspace.dirty,
    rdb_bgsave_in_progress: 0,
    rdb_last_save_time: persistence.lastSave,
    rdb_last_bgsave_status: 'ok',
    rdb_last_bgsave_time_sec: -1,
    rdb_current_bgsave_time_sec: -1,
    rdb_saves: persistence.saves,
    rdb_last_cow_size: 0,
    rdb_last_load_keys_expired: persistence.keysExpired,
    rdb_last_load_keys_loaded: persistence.keysLoaded,
    ...appendOnlyFields(server),
    module_fork_in_progress: 0,
    module_fork_last_cow_size: 0,
    ...appendOnlySizes(server),
  })
}
