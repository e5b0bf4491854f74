/* INFO clients: who is connected. */
import type { Server } from '../../server.ts'
import { fields } from './fields.ts'

export function clientsSection(server: Server): string {
  const { clientBuffers } = server.vitals
  const { blocking, waiting, pause, transactions } = server
  return fields({
    connected_clients: server.connections.size,
    cluster_connections: 0,
    maxclients: server.config.number('maxclients'),
    client_recent_max_input_buffer: clientBuffers.inputMax,
    client_recent_max_output_buffer: clientBuffers.outputMax,
    blocked_clients: blocking.count + waiting.count + pause.waitingCount,
    tracking_clients: server.tracking.clientCount,
    pubsub_clients: server.pubsub.subscriberCount,
    watching_clients: transactions.watched.watcherCount,
    clients_in_timeout_table: blocking.timedCount + waiting.timedCount,
    total_watched_keys: transactions.watched.keyCount,
    total_blocking_keys: blocking.keyCount,
    total_blocking_keys_on_nokey: blocking.whenGoneKeyCount,
  })
}
