/* What MEMORY DOCTOR says: which of the memory's figures are out of proportion, and what that means. */
import { bytesToHuman } from '../../lib/units.ts'
import {
  allocatorOverhead,
  type Excess,
  fragmentation,
  type MemoryFigures,
  processOverhead,
  totalOverhead,
} from '../memory-figures.ts'

const MB = 1024 * 1024
/** Below this there is nothing to be said: the fixed costs prevail. */
const DIAGNOSABLE = 5 * MB
const PEAK_RATIO_MAX = 1.5
const TOTAL_RATIO_MAX = 1.4
const PART_RATIO_MAX = 1.1
const EXCESS_MIN = 10 * MB
const CLIENT_MEAN_MAX = 200 * 1024

const isLarge = ({ ratio, bytes }: Excess, ratioMax: number): boolean => ratio > ratioMax && bytes > EXCESS_MIN

const amount = ({ ratio, bytes }: Excess): string => `${ratio.toFixed(2)} times, ${bytesToHuman(bytes)}`

export function memoryReport(figures: MemoryFigures, clientCount: number): string {
  if (figures.used < DIAGNOSABLE) return 'There is too little data in memory to find fault with how it is kept.\n'
  const findings: string[] = []
  if (figures.peak / figures.used > PEAK_RATIO_MAX) {
    findings.push(
      `Peak: the most that was ever used, ${bytesToHuman(figures.peak)}, is well above what is used now, ` +
        `${bytesToHuman(figures.used)}. Emptied pages and chunks are used again or given back; MEMORY PURGE gives ` +
        'back the rest.',
    )
  }
  if (isLarge(totalOverhead(figures), TOTAL_RATIO_MAX)) {
    findings.push(
      `Resident set: the process takes much more than is used (${amount(totalOverhead(figures))}). The entries below ` +
        'say which part of it is large; a process with little data in it is mostly Node itself.',
    )
  }
  if (isLarge(fragmentation(figures), PART_RATIO_MAX)) {
    findings.push(
      `Fragmentation: pages hold more than their blocks in use (${amount(fragmentation(figures))}). That is what ` +
        'deleted keys leave behind among those that stay; new keys of the same sizes fill it.',
    )
  }
  if (isLarge(allocatorOverhead(figures), PART_RATIO_MAX)) {
    findings.push(
      `Arena: it has reserved more than its pages in use (${amount(allocatorOverhead(figures))}). New data will take ` +
        'that up first.',
    )
  }
  if (isLarge(processOverhead(figures), PART_RATIO_MAX)) {
    findings.push(
      `Process: it takes more than the arena has reserved (${amount(processOverhead(figures))}): Node itself, its ` +
        'heap, and buffers of clients.',
    )
  }
  if (clientCount > 0 && figures.clients / clientCount > CLIENT_MEAN_MAX) {
    findings.push(
      `Clients: their buffers take ${bytesToHuman(figures.clients)}. Look with CLIENT LIST for clients that do not ` +
        'read their replies (omem) or send very large requests (qbuf).',
    )
  }
  if (findings.length === 0) return 'There is nothing wrong with the memory, as far as its figures can tell.\n'
  return `Some figures are out of proportion:\n\n${findings.map((finding) => ` * ${finding}\n\n`).join('')}`
}
