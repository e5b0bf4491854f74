/* INFO keyspace: the databases that hold keys. */
import type { Server } from '../../server.ts'

export function keyspaceSection({ keyspace }: Server): string {
  let text = ''
  for (const { id, size, expiring, averageTtl } of keyspace.databases) {
    if (size > 0) text += `db${id}:keys=${size},expires=${expiring},avg_ttl=${averageTtl}\r\n`
  }
  return text
}
