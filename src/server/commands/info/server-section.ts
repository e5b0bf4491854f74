/* INFO server: which program this is, how it was started, and since when it runs. */
import { machine, release, type } from 'node:os'
import { resolve } from 'node:path'
import { writeSha1 } from '../../../lib/sha1.ts'
import { VERSION } from '../../../version.ts'
import { REDIS_VERSION } from '../../config/load.ts'
import { toText } from '../../config/text.ts'
import type { Server } from '../../server.ts'
import { supervisor } from '../../supervision.ts'
import { fields } from './fields.ts'

const BUILD_ID = buildId(Buffer.from(`cinnabar ${VERSION}`))
/** What libuv waits with. */
const MULTIPLEXING: Readonly<Partial<Record<NodeJS.Platform, string>>> = {
  linux: 'epoll',
  darwin: 'kqueue',
  freebsd: 'kqueue',
}
const LRU_CLOCK_MASK = 0xffffff
const DAY_SECONDS = 86400
const EXECUTABLE = resolve(process.argv[1] ?? process.execPath)

export function serverSection(server: Server): string {
  const { config, keyspace, dispatcher } = server
  const uptime = Math.floor((keyspace.now - server.startedAt) / 1000)
  const file = server.configFile
  const text = fields({
    redis_version: REDIS_VERSION,
    redis_git_sha1: '00000000',
    redis_git_dirty: 0,
    redis_build_id: BUILD_ID,
    redis_mode: 'standalone',
    os: `${type()} ${release()} ${machine()}`,
    arch_bits: 64,
    monotonic_clock: 'POSIX clock_gettime',
    multiplexing_api: MULTIPLEXING[process.platform] ?? 'libuv',
    atomicvar_api: 'none',
    gcc_version: '0.0.0',
    process_id: process.pid,
    process_supervised: supervisor(config, process.env),
    run_id: server.runId,
    tcp_port: config.number('port'),
    server_time_usec: dispatcher.nowUs,
    uptime_in_seconds: uptime,
    uptime_in_days: Math.floor(uptime / DAY_SECONDS),
    hz: config.number('hz'),
    configured_hz: config.number('hz'),
    lru_clock: Math.floor(keyspace.now / 1000) & LRU_CLOCK_MASK,
    executable: EXECUTABLE,
    config_file: file === undefined ? '' : resolve(toText(file)),
    io_threads_active: 0,
    cinnabar_version: VERSION,
    cinnabar_node_version: process.versions.node,
  })
  return text + listeners(server)
}

function buildId(name: Buffer): string {
  const digest = Buffer.alloc(20)
  writeSha1(name, 0, name.length, digest)
  return digest.toString('hex', 0, 8)
}

/** One line for each kind of address that clients can reach the server at. */
function listeners({ config }: Server): string {
  const found: string[] = []
  const port = config.number('port')
  const addresses = config.value('bind').map((address) => `,bind=${address}`)
  if (port !== 0) found.push(`name=tcp${addresses.join('')},port=${port}`)
  const path = config.text('unixsocket')
  if (path !== null) found.push(`name=unix,bind=${path}`)
  return found.map((listener, number) => `listener${number}:${listener}\r\n`).join('')
}
