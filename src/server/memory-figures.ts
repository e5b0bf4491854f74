/* Memory figures: where the bytes are, for INFO memory, MEMORY STATS and MEMORY DOCTOR.
 *
 *   resident set   | JavaScript, code, libraries | arena: reserved                                          |
 *   reserved       |  free pages  | active: pages of some size class                                        |
 *   active         |  free blocks, slack of pages | used blocks                                             |
 *   used memory    |  blocks of tables and indexes | blocks of entries and values | traffic, watched names  |
 *                     `- overhead                     `- dataset                     `- overhead
 *
 * Of these Redis's allocator figures are made: fragmentation is active to used, allocator overhead reserved to
 * active. What was reserved and never written to takes nothing, and is left out. */
import type { Server } from './server.ts'

export interface DatabaseFigures {
  readonly id: number
  /** Bytes of the key table, its entries not counted. */
  readonly tableBytes: number
  /** Bytes of the index of expiries. */
  readonly expiryBytes: number
}

export interface MemoryFigures {
  readonly used: number
  readonly peak: number
  readonly startup: number
  readonly clients: number
  /** The databases that hold keys. */
  readonly databases: readonly DatabaseFigures[]
  readonly overhead: number
  readonly dataset: number
  /** Of what is used beyond the start. */
  readonly datasetPercent: number
  readonly peakPercent: number
  readonly keys: number
  readonly bytesPerKey: number
  readonly allocated: number
  readonly active: number
  readonly reserved: number
  readonly resident: number
}

export function memoryFigures(server: Server): MemoryFigures {
  const { keyspace, vitals } = server
  const { memory } = keyspace
  const used = vitals.usedBytes
  const peak = vitals.peakBytes
  const databases: DatabaseFigures[] = []
  let overhead = memory.overheadBytes + vitals.trafficBytes + vitals.watchedBytes + vitals.scriptingBytes
  overhead += vitals.uncountedBytes
  let keys = 0
  for (const db of keyspace.databases) {
    const { id, size, tableBytes, expiryBytes } = db
    overhead += tableBytes + expiryBytes
    keys += size
    if (size > 0) databases.push({ id, tableBytes, expiryBytes })
  }
  const sinceStart = Math.max(1, used - vitals.startupBytes)
  const dataset = used - overhead
  return {
    used,
    peak,
    startup: vitals.startupBytes,
    clients: server.clientMemory.bytes,
    databases,
    overhead,
    dataset,
    datasetPercent: (dataset * 100) / sinceStart,
    peakPercent: (used * 100) / peak,
    keys,
    bytesPerKey: keys === 0 ? 0 : Math.trunc(sinceStart / keys),
    allocated: memory.usedBytes,
    active: memory.activeBytes,
    reserved: memory.residentBytes,
    resident: process.memoryUsage.rss(),
  }
}

/** A part of the whole that is more than it should be: how many times, and by how many bytes. */
export interface Excess {
  readonly ratio: number
  readonly bytes: number
}

const excess = (whole: number, part: number): Excess => ({ ratio: whole / part, bytes: whole - part })

/** Free blocks among the used ones. */
export const fragmentation = (figures: MemoryFigures): Excess => excess(figures.active, figures.allocated)
/** Free pages that the arena keeps. */
export const allocatorOverhead = (figures: MemoryFigures): Excess => excess(figures.reserved, figures.active)
/** Everything in the process that is not the arena. */
export const processOverhead = (figures: MemoryFigures): Excess => excess(figures.resident, figures.reserved)
export const totalOverhead = (figures: MemoryFigures): Excess => excess(figures.resident, figures.used)
