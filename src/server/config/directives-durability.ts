/* Directives about files, replication and the cluster. Defaults and limits are those of Redis 7.2.4. */
import { INT64_MAX, UINT64_MAX } from '../../lib/int64.ts'
import { bool, choice, Flag, integer, memory, secret, special, text } from './directive.ts'
import { ACTED, CLUSTER, CLUSTER_MODE, REPLICATION, REPLICATION_LINK } from './effects.ts'

const { IMMUTABLE, HIDDEN, PROTECTED, DENY_LOADING, MULTI_ARG } = Flag

const INT_MAX = 2147483647
const INT_MIN = -2147483648
const COUNT = [0, INT_MAX] as const
const LONG = [0, INT64_MAX] as const
const PORT = [0, 65535] as const
const MB = 1024 * 1024
const HOSTNAME_SIZE = 256

const isBaseName = (name: string): boolean => !/[/\\]/.test(name)

function checkDumpName(name: string | null): string | undefined {
  return isBaseName(name ?? '') ? undefined : "dbfilename can't be a path, just a filename"
}

function checkAppendName(name: string | null): string | undefined {
  if (!name) return "appendfilename can't be empty"
  return isBaseName(name) ? undefined : "appendfilename can't be a path, just a filename"
}

function checkAppendDir(name: string | null): string | undefined {
  if (!name) return "appenddirname can't be empty"
  return isBaseName(name) ? undefined : "appenddirname can't be a path, just a dirname"
}

function checkHostname(name: string | null): string | undefined {
  if ((name ?? '').length >= HOSTNAME_SIZE) return `Hostnames must be less than ${HOSTNAME_SIZE} characters`
  if (/^[A-Za-z0-9.-]*$/.test(name ?? '')) return undefined
  return 'Hostnames may only contain alphanumeric characters, hyphens or dots'
}

function checkNodeName(name: string | null): string | undefined {
  return /[!#$%&()*+:;<>?@[\]^{|}~]/.test(name ?? '')
    ? 'Announced human node name contained invalid character'
    : undefined
}

export const SNAPSHOTS = [
  special(
    'save',
    'save',
    [
      { seconds: 3600, changes: 1 },
      { seconds: 300, changes: 100 },
      { seconds: 60, changes: 10000 },
    ],
    ACTED,
    { flags: MULTI_ARG },
  ),
  bool('stop-writes-on-bgsave-error', true, ACTED),
  bool('rdbcompression', true, ACTED),
  bool('rdbchecksum', true, ACTED, { flags: IMMUTABLE }),
  text('dbfilename', 'dump.rdb', ACTED, { flags: PROTECTED, check: checkDumpName }),
  bool('rdb-del-sync-files', false, REPLICATION),
  bool('rdb-save-incremental-fsync', true, ACTED),
  integer('rdb-key-save-delay', [INT_MIN, INT_MAX], 0, ACTED, { flags: HIDDEN }),
  integer('key-load-delay', [INT_MIN, INT_MAX], 0, ACTED, { flags: HIDDEN }),
  integer('loading-process-events-interval-bytes', [1024, INT_MAX], 2 * MB, ACTED, { flags: HIDDEN }),
] as const

export const APPEND_ONLY = [
  bool('appendonly', false, ACTED, { flags: DENY_LOADING }),
  text('appendfilename', 'appendonly.aof', ACTED, { flags: IMMUTABLE, check: checkAppendName }),
  text('appenddirname', 'appendonlydir', ACTED, { flags: IMMUTABLE, check: checkAppendDir }),
  choice('appendfsync', ['everysec', 'always', 'no'], 'everysec', ACTED),
  bool('no-appendfsync-on-rewrite', false, ACTED),
  integer('auto-aof-rewrite-percentage', COUNT, 100, ACTED),
  memory('auto-aof-rewrite-min-size', LONG, 64 * MB, ACTED),
  bool('aof-load-truncated', true, ACTED),
  bool('aof-use-rdb-preamble', true, ACTED),
  bool('aof-timestamp-enabled', false, ACTED),
  bool('aof-rewrite-incremental-fsync', true, ACTED),
  bool('aof-disable-auto-gc', false, ACTED, { flags: HIDDEN }),
  choice('propagation-error-behavior', ['ignore', 'panic', 'panic-on-replicas'], 'ignore', ACTED),
] as const

export const REPLICATION_DIRECTIVES = [
  special('replicaof', 'replicaOf', null, REPLICATION_LINK, { alias: 'slaveof', flags: IMMUTABLE | MULTI_ARG }),
  secret('masterauth', REPLICATION),
  text('masteruser', null, REPLICATION, { flags: Flag.SENSITIVE }),
  bool('replica-serve-stale-data', true, REPLICATION, { alias: 'slave-serve-stale-data' }),
  bool('replica-read-only', true, REPLICATION, { alias: 'slave-read-only' }),
  bool('repl-diskless-sync', true, REPLICATION),
  integer('repl-diskless-sync-delay', COUNT, 5, REPLICATION),
  integer('repl-diskless-sync-max-replicas', COUNT, 0, REPLICATION),
  choice('repl-diskless-load', ['disabled', 'on-empty-db', 'swapdb'], 'disabled', REPLICATION, {
    flags: DENY_LOADING,
  }),
  integer('repl-ping-replica-period', [1, INT_MAX], 10, REPLICATION, { alias: 'repl-ping-slave-period' }),
  integer('repl-timeout', [1, INT_MAX], 60, REPLICATION),
  bool('repl-disable-tcp-nodelay', false, REPLICATION),
  memory('repl-backlog-size', [1, INT64_MAX], MB, REPLICATION),
  integer('repl-backlog-ttl', LONG, 3600, REPLICATION),
  integer('replica-priority', COUNT, 100, REPLICATION, { alias: 'slave-priority' }),
  bool('replica-announced', true, REPLICATION),
  text('replica-announce-ip', null, REPLICATION, { alias: 'slave-announce-ip' }),
  integer('replica-announce-port', PORT, 0, REPLICATION, { alias: 'slave-announce-port' }),
  bool('replica-ignore-maxmemory', true, REPLICATION, { alias: 'slave-ignore-maxmemory' }),
  bool('replica-ignore-disk-write-errors', false, REPLICATION),
  integer('min-replicas-to-write', COUNT, 0, ACTED, { alias: 'min-slaves-to-write' }),
  integer('min-replicas-max-lag', COUNT, 10, ACTED, { alias: 'min-slaves-max-lag' }),
] as const

export const CLUSTER_DIRECTIVES = [
  bool('cluster-enabled', false, CLUSTER_MODE, { flags: IMMUTABLE }),
  text('cluster-config-file', 'nodes.conf', CLUSTER, { flags: IMMUTABLE }),
  integer('cluster-port', PORT, 0, CLUSTER, { flags: IMMUTABLE }),
  integer('cluster-node-timeout', LONG, 15000, CLUSTER),
  integer('cluster-ping-interval', LONG, 0, CLUSTER, { flags: HIDDEN }),
  integer('cluster-replica-validity-factor', COUNT, 10, CLUSTER, { alias: 'cluster-slave-validity-factor' }),
  bool('cluster-replica-no-failover', false, CLUSTER, { alias: 'cluster-slave-no-failover' }),
  integer('cluster-migration-barrier', COUNT, 1, CLUSTER),
  bool('cluster-allow-replica-migration', true, CLUSTER),
  bool('cluster-require-full-coverage', true, CLUSTER),
  bool('cluster-allow-reads-when-down', false, CLUSTER),
  bool('cluster-allow-pubsubshard-when-down', true, CLUSTER),
  memory('cluster-link-sendbuf-limit', [0, UINT64_MAX], 0, CLUSTER, { unsigned: true }),
  text('cluster-announce-ip', null, CLUSTER),
  integer('cluster-announce-port', PORT, 0, CLUSTER),
  integer('cluster-announce-tls-port', PORT, 0, CLUSTER),
  integer('cluster-announce-bus-port', PORT, 0, CLUSTER),
  text('cluster-announce-hostname', null, CLUSTER, { check: checkHostname }),
  text('cluster-announce-human-nodename', null, CLUSTER, { check: checkNodeName }),
  choice('cluster-preferred-endpoint-type', ['ip', 'hostname', 'unknown-endpoint'], 'ip', CLUSTER),
] as const
