/* INFO clients: who is connected. */
import type { Server } from '../../server.ts'
import { fields } from './fields.ts'

export function clientsSection(server: Server): string {
  const { clientBuffers } = server.vitals
  let blocked = 0
  for (const { session } of server.connections.values()) if (session.blocked) blocked++
  return fields({
    connected_clients: server.connections.size,
    cluster_connections: 0,
    maxclients: server.config.number('maxclients'),
    client_recent_max_input_buffer: clientBuffers.inputMax,
    client_recent_max_output_buffer: clientBuffers.outputMax,
    blocked_clients: blocked,
    tracking_clients: 0,
    clients_in_timeout_table: server.waiting.timedCount,
    total_blocking_keys: 0,
    total_blocking_keys_on_nokey: 0,
  })
}
