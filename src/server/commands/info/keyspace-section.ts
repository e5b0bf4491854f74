/* INFO keyspace: the databases that hold keys. */
import type { Server } from '../../server.ts'

export function keyspaceSection({ keyspace }: Server): string {
  let text = ''
  for (const { id, size, expiring, averageTtl, expiringHashes } of keyspace.databases) {
    if (size === 0) continue
    // Redis 7.2 has no such fields and no such figure; 7.4 has both.
    const subexpiry = expiringHashes === 0 ? '' : `,subexpiry=${expiringHashes}`
    text += `db${id}:keys=${size},expires=${expiring},avg_ttl=${averageTtl}${subexpiry}\r\n`
  }
  return text
}
