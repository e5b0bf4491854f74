/* Directives about the data: memory, expiry, encodings, and how commands are watched. Defaults and limits are those of
 * Redis 7.2.4. */
import { INT64_MAX, UINT64_MAX } from '../../lib/int64.ts'
import { bool, choice, Flag, integer, memory, special } from './directive.ts'
import {
  ACTED,
  COMPACTION,
  COMPACTION_STEPS,
  NO_JEMALLOC,
  NO_LIST_COMPRESSION,
  NO_REHASH,
  REPLICATION,
  RESTORE_EXAMINES,
  SLICED,
} from './effects.ts'

const { HIDDEN, IMMUTABLE, MULTI_ARG } = Flag

const INT_MAX = 2147483647
const INT_MIN = -2147483648
const COUNT = [0, INT_MAX] as const
const LONG = [0, INT64_MAX] as const
const SIZE = { unsigned: true } as const
const MB = 1024 * 1024

const POLICIES = [
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'noeviction',
] as const

export const MEMORY = [
  memory('maxmemory', [0, UINT64_MAX], 0, ACTED, SIZE),
  choice('maxmemory-policy', POLICIES, 'noeviction', ACTED),
  integer('maxmemory-samples', [1, INT_MAX], 5, ACTED),
  integer('maxmemory-eviction-tenacity', [0, 100], 10, ACTED),
  integer('lfu-log-factor', COUNT, 10, ACTED),
  integer('lfu-decay-time', COUNT, 1, ACTED),
  integer('active-expire-effort', [1, 10], 1, ACTED),
  bool('lazyfree-lazy-eviction', false, SLICED),
  bool('lazyfree-lazy-expire', false, SLICED),
  bool('lazyfree-lazy-server-del', false, SLICED),
  bool('replica-lazy-flush', false, REPLICATION, { alias: 'slave-lazy-flush' }),
  bool('lazyfree-lazy-user-del', false, SLICED),
  bool('lazyfree-lazy-user-flush', false, SLICED),
  bool('activerehashing', true, NO_REHASH),
  bool('jemalloc-bg-thread', true, NO_JEMALLOC),
  bool('activedefrag', true, ACTED),
  memory('active-defrag-ignore-bytes', [1, INT64_MAX], 100 * MB, COMPACTION, SIZE),
  integer('active-defrag-threshold-lower', [0, 1000], 10, ACTED),
  integer('active-defrag-threshold-upper', [0, 1000], 100, ACTED),
  integer('active-defrag-cycle-min', [1, 99], 1, ACTED),
  integer('active-defrag-cycle-max', [1, 99], 25, ACTED),
  integer('active-defrag-max-scan-fields', [1, INT64_MAX], 1000, COMPACTION_STEPS),
] as const

export const ENCODINGS = [
  integer('hash-max-listpack-entries', LONG, 512, ACTED, { ...SIZE, alias: 'hash-max-ziplist-entries' }),
  memory('hash-max-listpack-value', LONG, 64, ACTED, { ...SIZE, alias: 'hash-max-ziplist-value' }),
  integer('list-max-listpack-size', [INT_MIN, INT_MAX], -2, ACTED, { alias: 'list-max-ziplist-size' }),
  integer('list-compress-depth', COUNT, 0, NO_LIST_COMPRESSION),
  integer('set-max-intset-entries', LONG, 512, ACTED, SIZE),
  integer('set-max-listpack-entries', LONG, 128, ACTED, SIZE),
  integer('set-max-listpack-value', LONG, 64, ACTED, SIZE),
  integer('zset-max-listpack-entries', LONG, 128, ACTED, { ...SIZE, alias: 'zset-max-ziplist-entries' }),
  memory('zset-max-listpack-value', LONG, 64, ACTED, { ...SIZE, alias: 'zset-max-ziplist-value' }),
  memory('hll-sparse-max-bytes', LONG, 3000, ACTED, SIZE),
  memory('stream-node-max-bytes', LONG, 4096, ACTED, SIZE),
  integer('stream-node-max-entries', LONG, 100, ACTED),
] as const

export const COMMANDS = [
  integer('slowlog-log-slower-than', [-1, INT64_MAX], 10000, ACTED),
  integer('slowlog-max-len', LONG, 128, ACTED),
  integer('latency-monitor-threshold', LONG, 0, ACTED),
  bool('latency-tracking', true, ACTED),
  special('latency-tracking-info-percentiles', 'percentiles', [50, 99, 99.9], ACTED, { flags: MULTI_ARG }),
  special('notify-keyspace-events', 'events', 0, ACTED),
  integer('busy-reply-threshold', LONG, 5000, ACTED, { alias: 'lua-time-limit' }),
  // Not of 7.2 any more: 7.0's test suite sets it.
  bool('lua-enable-deprecated-api', false, ACTED, { flags: IMMUTABLE | HIDDEN }),
  choice('sanitize-dump-payload', ['no', 'yes', 'clients'], 'no', RESTORE_EXAMINES),
] as const
