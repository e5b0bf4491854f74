/* Directives about the process, its network and its clients. Defaults and limits are those of Redis 7.2.4. */
import { INT64_MAX } from '../../lib/int64.ts'
import {
  bool,
  choice,
  choices,
  Flag,
  integer,
  memory,
  memoryOrPercent,
  octal,
  secret,
  special,
  text,
} from './directive.ts'
import {
  ACTED,
  NO_CRASH_LOG,
  NO_FORK,
  NO_LOCALE,
  NO_LOGO,
  NO_MODULES,
  NO_SYSCALL,
  NO_SYSLOG,
  NO_WATCHDOG,
  ONE_SUPERVISOR,
  ONE_THREAD,
  REPLICATION,
  SELF_PACED,
  TLS,
  TLS_LINK,
} from './effects.ts'
import { checkProcTitle } from './proc-title.ts'

const { IMMUTABLE, HIDDEN, PROTECTED, DENY_LOADING, MULTI_ARG, VOLATILE } = Flag

const INT_MAX = 2147483647
const UINT_MAX = 4294967295
const COUNT = [0, INT_MAX] as const
const LONG = [0, INT64_MAX] as const
const PORT = [0, 65535] as const
const BUFFER = [1024 * 1024, INT64_MAX] as const
const MB = 1024 * 1024

const LOCAL_CHOICES = ['no', 'yes', 'local'] as const
const SHUTDOWN_CHOICES = ['default', 'save', 'nosave', 'now', 'force'] as const

function checkShutdown(flags: readonly string[]): string | undefined {
  const both = flags.includes('save') && flags.includes('nosave')
  return both ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : undefined
}

export const NETWORK = [
  special('bind', 'addresses', ['*', '-::*'], ACTED, { flags: MULTI_ARG }),
  text('bind-source-addr', null, REPLICATION),
  integer('port', PORT, 6379, ACTED),
  bool('protected-mode', true, ACTED),
  choice('enable-protected-configs', LOCAL_CHOICES, 'no', ACTED, { flags: IMMUTABLE }),
  choice('enable-debug-command', LOCAL_CHOICES, 'no', ACTED, { flags: IMMUTABLE }),
  choice('enable-module-command', LOCAL_CHOICES, 'no', NO_MODULES, { flags: IMMUTABLE }),
  integer('tcp-backlog', COUNT, 511, ACTED, { flags: IMMUTABLE }),
  text('unixsocket', null, ACTED, { flags: IMMUTABLE }),
  octal('unixsocketperm', [0, 0o777], 0, ACTED, { flags: IMMUTABLE }),
  integer('timeout', COUNT, 0, ACTED),
  integer('tcp-keepalive', COUNT, 300, ACTED),
  integer('socket-mark-id', [0, UINT_MAX], 0, NO_SYSCALL, { flags: IMMUTABLE, unsigned: true }),
] as const

export const TLS_DIRECTIVES = [
  integer('tls-port', PORT, 0, TLS_LINK),
  text('tls-cert-file', null, TLS, { flags: VOLATILE }),
  text('tls-key-file', null, TLS, { flags: VOLATILE }),
  text('tls-key-file-pass', null, TLS),
  text('tls-client-cert-file', null, TLS, { flags: VOLATILE }),
  text('tls-client-key-file', null, TLS, { flags: VOLATILE }),
  text('tls-client-key-file-pass', null, TLS),
  text('tls-dh-params-file', null, TLS, { flags: VOLATILE }),
  text('tls-ca-cert-file', null, TLS, { flags: VOLATILE }),
  text('tls-ca-cert-dir', null, TLS, { flags: VOLATILE }),
  choice('tls-auth-clients', ['no', 'yes', 'optional'], 'yes', TLS),
  bool('tls-replication', false, TLS_LINK),
  bool('tls-cluster', false, TLS_LINK),
  text('tls-protocols', null, TLS),
  text('tls-ciphers', null, TLS),
  text('tls-ciphersuites', null, TLS),
  bool('tls-prefer-server-ciphers', false, TLS),
  bool('tls-session-caching', true, TLS),
  integer('tls-session-cache-size', COUNT, 20480, TLS),
  integer('tls-session-cache-timeout', COUNT, 300, TLS),
] as const

export const PROCESS = [
  bool('daemonize', false, ACTED, { flags: IMMUTABLE }),
  choice('supervised', ['upstart', 'systemd', 'auto', 'no'], 'no', ONE_SUPERVISOR, { flags: IMMUTABLE }),
  text('pidfile', null, ACTED, { flags: IMMUTABLE }),
  choice('loglevel', ['debug', 'verbose', 'notice', 'warning', 'nothing'], 'notice', ACTED),
  text('logfile', '', ACTED, { flags: IMMUTABLE }),
  bool('syslog-enabled', false, NO_SYSLOG, { flags: IMMUTABLE }),
  text('syslog-ident', 'redis', NO_SYSLOG, { flags: IMMUTABLE }),
  choice(
    'syslog-facility',
    ['user', 'local0', 'local1', 'local2', 'local3', 'local4', 'local5', 'local6', 'local7'],
    'local0',
    NO_SYSLOG,
    { flags: IMMUTABLE },
  ),
  bool('crash-log-enabled', true, NO_CRASH_LOG),
  bool('crash-memcheck-enabled', true, NO_CRASH_LOG),
  bool('use-exit-on-panic', false, NO_CRASH_LOG, { flags: HIDDEN }),
  integer('databases', [1, INT_MAX], 16, ACTED, { flags: IMMUTABLE }),
  bool('always-show-logo', false, NO_LOGO, { flags: IMMUTABLE }),
  bool('set-proc-title', true, ACTED, { flags: IMMUTABLE }),
  text('proc-title-template', '{title} {listen-addr} {server-mode}', ACTED, { check: checkProcTitle }),
  text('locale-collate', '', NO_LOCALE),
  special('dir', 'directory', '', ACTED, { flags: PROTECTED | DENY_LOADING }),
  integer('hz', COUNT, 10, ACTED, { clamp: [1, 500] }),
  bool('dynamic-hz', true, SELF_PACED),
  integer('shutdown-timeout', COUNT, 10, REPLICATION),
  choices('shutdown-on-sigint', SHUTDOWN_CHOICES, ACTED, { check: checkShutdown }),
  choices('shutdown-on-sigterm', SHUTDOWN_CHOICES, ACTED, { check: checkShutdown }),
  choice('oom-score-adj', ['no', 'yes', 'absolute'], 'no', ACTED, { synonyms: { relative: 'yes' } }),
  special('oom-score-adj-values', 'oomScores', [0, 200, 800], ACTED, { flags: MULTI_ARG }),
  bool('disable-thp', true, NO_SYSCALL, { flags: IMMUTABLE }),
  text('ignore-warnings', '', NO_FORK),
  integer('io-threads', [1, 128], 1, ONE_THREAD, { flags: IMMUTABLE }),
  bool('io-threads-do-reads', false, ONE_THREAD, { flags: IMMUTABLE }),
  text('server_cpulist', null, NO_SYSCALL, { flags: IMMUTABLE }),
  text('bio_cpulist', null, NO_SYSCALL, { flags: IMMUTABLE }),
  text('aof_rewrite_cpulist', null, NO_FORK, { flags: IMMUTABLE }),
  text('bgsave_cpulist', null, NO_FORK, { flags: IMMUTABLE }),
  integer('watchdog-period', COUNT, 0, NO_WATCHDOG, { flags: HIDDEN }),
] as const

export const CLIENTS = [
  secret('requirepass', ACTED),
  text('aclfile', '', ACTED, { flags: IMMUTABLE }),
  integer('acllog-max-len', LONG, 128, ACTED),
  choice('acl-pubsub-default', ['allchannels', 'resetchannels'], 'resetchannels', ACTED),
  integer('maxclients', [1, UINT_MAX], 10000, ACTED, { unsigned: true }),
  memoryOrPercent('maxmemory-clients', [-100, INT64_MAX], 0, ACTED),
  special(
    'client-output-buffer-limit',
    'outputLimits',
    [
      { hard: 0, soft: 0, softSeconds: 0 },
      { hard: 256 * MB, soft: 64 * MB, softSeconds: 60 },
      { hard: 32 * MB, soft: 8 * MB, softSeconds: 60 },
    ],
    ACTED,
    { flags: MULTI_ARG },
  ),
  memory('client-query-buffer-limit', BUFFER, 1024 * MB, ACTED, { unsigned: true }),
  memory('proto-max-bulk-len', BUFFER, 512 * MB, ACTED),
  integer('tracking-table-max-keys', LONG, 1000000, ACTED, { unsigned: true }),
] as const
