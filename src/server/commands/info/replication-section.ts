/* INFO replication: a master without replicas, which is all that there is yet. */
import type { Server } from '../../server.ts'
import { fields } from './fields.ts'

export function replicationSection({ config, replicationId }: Server): string {
  const wantsReplicas = config.number('min-replicas-to-write') > 0 && config.number('min-replicas-max-lag') > 0
  return fields({
    role: 'master',
    connected_slaves: 0,
    ...(wantsReplicas ? { min_slaves_good_slaves: 0 } : {}),
    master_failover_state: 'no-failover',
    master_replid: replicationId,
    master_replid2: '0'.repeat(40),
    master_repl_offset: 0,
    second_repl_offset: -1,
    repl_backlog_active: 0,
    repl_backlog_size: config.number('repl-backlog-size'),
    repl_backlog_first_byte_offset: 0,
    repl_backlog_histlen: 0,
  })
}
