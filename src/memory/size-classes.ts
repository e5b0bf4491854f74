/* Size classes: which block sizes the allocator hands out, and how many pages a run of such blocks spans.
 *
 *   granules  1 2 3 … 16 | 18 20 … 32 | 36 40 … 64 | …            up to 8192 (128 KB)
 *             step 1     | step 2     | step 4     | 8 steps to each doubling
 *
 * Eight steps to a doubling bound the slack inside a block to 12.5 % (below 128 bytes the granule itself is the bound).
 * A span is the smallest run of pages that wastes at most 1/16 of itself behind its last block. Larger blocks are
 * whole pages and have no class. */
import { assert } from '../lib/assert.ts'

/** Bytes in a granule, the unit of refs and of every block. */
export const GRANULE_SHIFT = 4
export const GRANULE = 1 << GRANULE_SHIFT
/** Granules in a page (16 KB). */
export const PAGE_SHIFT = 10
export const PAGE_GRANULES = 1 << PAGE_SHIFT
/** The largest block that has a size class: 128 KB. */
export const SMALL_GRANULES_MAX = 8 * PAGE_GRANULES

const STEPS = 8
const SPAN_PAGES_MAX = 16

function listSizes(): number[] {
  const sizes: number[] = []
  let step = 1
  for (let size = 1; size <= SMALL_GRANULES_MAX; size += step) {
    sizes.push(size)
    if (size >= 2 * STEPS * step) step *= 2
  }
  return sizes
}

function spanPages(granules: number): number {
  for (let pages = 1; pages < SPAN_PAGES_MAX; pages++) {
    const total = pages * PAGE_GRANULES
    if (total >= granules && (total % granules) * 16 <= total) return pages
  }
  return SPAN_PAGES_MAX
}

const sizes = listSizes()
assert(sizes.at(-1) === SMALL_GRANULES_MAX, 'the last size class is the largest small block')

export const CLASS_COUNT = sizes.length
/** Granules of a block, by class. */
export const CLASS_GRANULES = Int32Array.from(sizes)
/** Pages of a span, by class. */
export const CLASS_PAGES = Int32Array.from(sizes, spanPages)
/** Blocks in a span, by class. */
export const CLASS_BLOCKS = Int32Array.from(sizes, (size) => Math.floor((spanPages(size) * PAGE_GRANULES) / size))
/** Class by wanted granules, 1 … SMALL_GRANULES_MAX. */
export const CLASS_OF = new Uint8Array(SMALL_GRANULES_MAX + 1)
// (A loop at the top level would have V8 compile all that a bundle runs there.)
function fillClasses(): void {
  for (let granules = 1, index = 0; granules <= SMALL_GRANULES_MAX; granules++) {
    if (granules > sizes[index]!) index++
    CLASS_OF[granules] = index
  }
}
fillClasses()
assert(CLASS_COUNT < 254, 'a class fits a byte beside the two page marks')
