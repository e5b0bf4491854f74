/* The container: how much memory the cgroup grants this process, and a warning if maxmemory does not fit into that. The
 * kernel ends a process that takes more, with all its data; what Redis is told by its operator we can see.
 *
 *   /proc/self/cgroup   0::/path                       version 2: /sys/fs/cgroup/path/memory.max, and of each parent
 *                       9:memory:/path                 version 1: /sys/fs/cgroup/memory/path/memory.limit_in_bytes
 *
 * In a container the path is often that of the host, and what is mounted is the container's own group: so the root is
 * looked at as well. */
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { bytesToHuman } from '../lib/units.ts'
import type { Server } from './server.ts'

/** Version 1 says "no limit" by a number near 2^63. */
const UNLIMITED = 2 ** 60
/** What the process takes besides data: the runtime, buffers. */
const OTHER_BYTES = 64 * 1024 * 1024

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return '' // no such file: no such limit
  }
}

function limitIn(path: string): number {
  const text = read(path).trim()
  const bytes = /^\d+$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
  return bytes < UNLIMITED ? bytes : Number.POSITIVE_INFINITY
}

/** Bytes that the process's cgroup may use; Infinity if there is no limit. `root` is where the system is, for tests. */
export function memoryLimit(root = '/'): number {
  let limit = Number.POSITIVE_INFINITY
  for (const line of read(join(root, 'proc/self/cgroup')).split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    if (controllers === undefined || path === undefined) continue
    const isSecond = controllers === ''
    if (!isSecond && !controllers.split(',').includes('memory')) continue
    const [mount, file] = isSecond ? ['sys/fs/cgroup', 'memory.max'] : ['sys/fs/cgroup/memory', 'memory.limit_in_bytes']
    for (let folder = path; ; folder = dirname(folder)) {
      limit = Math.min(limit, limitIn(join(root, mount, folder, file)))
      if (folder === '/' || folder === '.') break
    }
  }
  return limit
}

/** Says in the log what will happen if maxmemory is not below the container's limit. */
export function warnOfLimit({ config, log }: Pick<Server, 'config' | 'log'>, limit = memoryLimit()): void {
  if (limit === Number.POSITIVE_INFINITY) return
  const maxmemory = config.number('maxmemory')
  if (maxmemory > 0 && maxmemory + OTHER_BYTES <= limit) return
  const state = maxmemory === 0 ? 'maxmemory is not set' : `maxmemory is ${bytesToHuman(maxmemory)}`
  const advice = bytesToHuman(Math.max(0, Math.floor(limit * 0.85) - OTHER_BYTES))
  log.warn(
    `WARNING: this container may use ${bytesToHuman(limit)} of memory, and ${state}: when the data grows beyond what ` +
      `fits, the system will end the process. Set maxmemory to ${advice} or less.`,
  )
}
