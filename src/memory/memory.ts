/* Memory: the arena that holds every stored byte, outside the JavaScript heap.
 *
 *   ref    31        20 19        10 9         0        a ref counts granules of 16 bytes; 0 is NONE
 *         +------------+------------+-----------+
 *         |   chunk    |    page    |  granule  |       chunk 16 MB, page 16 KB
 *         +------------+------------+-----------+
 *
 *   chunk  +------+------+------+------+------+---   ---+
 *          | page | span of 3 pages    | page |   …     |    each span: blocks of one size class
 *          +------+------+------+------+------+---   ---+
 *
 *   span   +-------+-------+-------+-------+- - - - - - -+
 *          | block | free ─┼─► …   | block |  not carved |    free blocks are chained through their first word
 *          +-------+-------+-------+-------+- - - - - - -+
 *
 * What describes a page (class, used blocks, free chain, links) lies beside the chunks in tables indexed by page
 * number, as in mimalloc: a block has no header, and freeing needs only its ref. Spans with room are linked by class;
 * an emptied span gives its pages back to any class (its class's last one only at the next `trim`); a chunk without a
 * used page goes back to the operating system (one is kept in reserve). A block above 128 KB is a run of pages of its
 * own, which any granule of the first page names; one above 16 MB a chunk of its own.
 *
 * Always: `usedBytes` is the sum of the sizes of the blocks in use; every page belongs to one span or to none;
 * a span with used < its blocks is linked in its class's list, a full one is not; an empty one is alone in its list.
 *
 * Allocation and release are O(1) up to 128 KB; above, a first-fit walk over one chunk's pages. */
import { assert } from '../lib/assert.ts'
import { copyBytes } from '../lib/bytes.ts'
import { releasableSize, release } from '../lib/release.ts'
import {
  CLASS_BLOCKS,
  CLASS_COUNT,
  CLASS_GRANULES,
  CLASS_OF,
  CLASS_PAGES,
  GRANULE,
  GRANULE_SHIFT,
  PAGE_GRANULES,
  PAGE_SHIFT,
  SMALL_GRANULES_MAX,
} from './size-classes.ts'

declare const unit: unique symbol
type Unit<U extends string> = number & { readonly [unit]: U }
/** Handle of a block: signed 32-bit granule index. Survives growth; dies with `free`. */
export type Ref = Unit<'granule'>
export const NONE = 0 as Ref

export const CHUNK_SHIFT = 20
const CHUNK_GRANULES = 1 << CHUNK_SHIFT
export const CHUNK_MASK = CHUNK_GRANULES - 1
export const CHUNK_BYTES = CHUNK_GRANULES << GRANULE_SHIFT
/** A large block may be named by any granule of so many bytes at its beginning. */
export const FIRST_PAGE_BYTES = PAGE_GRANULES * GRANULE
const CHUNK_PAGES = CHUNK_GRANULES >> PAGE_SHIFT
const CHUNKS_MAX = 1 << (32 - CHUNK_SHIFT)
const WORDS_SHIFT = 2
/** The largest block: what one typed array and a positive 32-bit byte position can hold. */
export const BLOCK_BYTES_MAX = 0x7fff0000

// Page kinds beside the size classes (0 … CLASS_COUNT-1).
const PAGE_FREE = 255
const PAGE_LARGE = 254
// ArrayBuffers come from calloc, whose data starts 16 bytes into a page; 48 more make blocks cache-line aligned.
const LINE_PAD = 48

/** So much of the first chunk is not given back by a reset, if nothing else is said: it will soon be used again. */
const KEPT_BYTES_MAX = 2 * 1024 * 1024

/** A block of more pages is not moved. */
const MOVED_PAGES_MAX = 64

const EMPTY_WORDS = new Int32Array(0)
const EMPTY_BYTES = new Uint8Array(0)
const EMPTY_VIEW = new DataView(new ArrayBuffer(0))

/** Position of a block's first byte in its chunk's `bytes`. */
export const posOf = (ref: Ref): number => (ref & CHUNK_MASK) << GRANULE_SHIFT
/** Index of a block's first word in the words of its chunk. */
export const wordPosOf = (ref: Ref): number => (ref & CHUNK_MASK) << WORDS_SHIFT
const granulesFor = (size: number): number => (size + GRANULE - 1) >>> GRANULE_SHIFT

/** Bytes that a block asked for with `size` really takes. */
export function blockSizeFor(size: number): number {
  const granules = granulesFor(size)
  if (granules <= SMALL_GRANULES_MAX) return CLASS_GRANULES[CLASS_OF[granules]!]! << GRANULE_SHIFT
  return Math.ceil(granules / PAGE_GRANULES) * PAGE_GRANULES * GRANULE
}

/** Blocks in use of one size class, and the pages that hold them. */
export interface ClassUsage {
  /** 0: blocks of all sizes above the classes'. */
  blockSize: number
  blocks: number
  pages: number
}

export class Memory {
  /** The chunks, as 32-bit words and as bytes. A hoisted view dies when memory may grow or a chunk be released. */
  readonly words: Int32Array[] = []
  readonly bytes: Uint8Array[] = []
  /** The chunks once more: for words that lie at any byte. */
  readonly views: DataView[] = []
  /** [0] bytes in blocks in use, [1] blocks in use, [2] bytes reserved from the operating system, [3] the tripwire. */
  private readonly counters = new Float64Array([0, 0, 0, Number.POSITIVE_INFINITY])
  /** Told when the used bytes pass the tripwire, which is then gone. */
  onTripped: (() => void) | null = null

  // By page number (chunk * CHUNK_PAGES + page):
  private pageKind = new Uint8Array(0) // class of the span, PAGE_LARGE, PAGE_FREE
  private spanOf = new Int32Array(0) // first page of the span this page belongs to
  // By first page of a span:
  private spanUsed = new Int32Array(0) // blocks in use; pages, if PAGE_LARGE
  private spanFree = new Int32Array(0) // ref of the first free block, 0 none
  private spanCarved = new Int32Array(0) // blocks handed out at least once
  private spanNext = new Int32Array(0) // the next span with room of this class, -1 none
  private spanPrev = new Int32Array(0)
  /** First span with room, by class; -1 none. */
  private readonly roomy = new Int32Array(CLASS_COUNT).fill(-1)

  // By chunk:
  private readonly chunkFreePages: number[] = []
  /** Upper bound of the chunk's longest run of free pages. */
  private readonly chunkRun: number[] = []
  /** Pages from the chunk's beginning that may have been written to: those behind take no memory yet. */
  private readonly chunkTouched: number[] = []
  /** No chunk below this one has a free page. */
  private firstFreeChunk = 0
  private spareChunk = -1
  /** 1: the chunk is being emptied. Nothing is allocated there, and what is freed there is not linked. */
  private readonly emptying = new Uint8Array(CHUNKS_MAX)
  private emptyingCount = 0
  /** Whether empty chunks wait for `discard`, instead of being given back at once: many may end up empty together. */
  discardsLater = false
  /** Chunks that are to be given back. */
  private readonly discarded: Uint8Array[] = []

  constructor() {
    // The first chunk is always a common one: page 0 of it is NONE's.
    this.addChunk(CHUNK_BYTES)
  }

  get usedBytes(): number {
    return this.counters[0]!
  }
  get blockCount(): number {
    return this.counters[1]!
  }
  get reservedBytes(): number {
    return this.counters[2]!
  }
  /** The used bytes above which `onTripped` is told, once. So a limit costs one comparison an allocation. */
  set tripwire(bytes: number) {
    this.counters[3] = bytes
    if (this.counters[0]! > bytes) this.trip()
  }

  private trip(): void {
    this.counters[3] = Number.POSITIVE_INFINITY
    this.onTripped?.()
  }

  /** Bytes that are reserved and have been used at some time: what the arena takes of the process's memory. */
  get residentBytes(): number {
    let pages = 0
    for (const count of this.chunkTouched) pages += count
    return pages * PAGE_GRANULES * GRANULE
  }

  /** Bytes of the pages that hold blocks, or lately did. */
  get activeBytes(): number {
    let freePages = 0
    for (const count of this.chunkFreePages) freePages += count
    return this.reservedBytes - freePages * PAGE_GRANULES * GRANULE
  }

  word(ref: Ref, word: number): number {
    return this.words[ref >>> CHUNK_SHIFT]![((ref & CHUNK_MASK) << WORDS_SHIFT) + word]!
  }
  setWord(ref: Ref, word: number, value: number): void {
    this.words[ref >>> CHUNK_SHIFT]![((ref & CHUNK_MASK) << WORDS_SHIFT) + word] = value
  }
  /** The chunk that `ref` lies in, as bytes; `posOf(ref)` is the position there. */
  bytesOf(ref: Ref): Uint8Array {
    return this.bytes[ref >>> CHUNK_SHIFT]!
  }
  /** The chunk that `ref` lies in, as a view; `posOf(ref)` is the position there. */
  viewOf(ref: Ref): DataView {
    return this.views[ref >>> CHUNK_SHIFT]!
  }
  /** The chunk that `ref` lies in, as words; `wordPosOf(ref)` is the index there. */
  wordsOf(ref: Ref): Int32Array {
    return this.words[ref >>> CHUNK_SHIFT]!
  }

  /** The block whose bytes these are, from its first one on; NONE if they do not lie here. */
  refOf(bytes: Uint8Array): Ref {
    const chunk = this.bytes.findIndex(({ buffer }) => buffer === bytes.buffer)
    if (chunk < 0) return NONE
    return ((chunk << CHUNK_SHIFT) | ((bytes.byteOffset - LINE_PAD) >>> GRANULE_SHIFT)) as Ref
  }

  /** Allocates a block of at least `size` bytes (1 … BLOCK_BYTES_MAX), its content undefined.
   *  May add a chunk; positions and views of other blocks stay true. */
  alloc(size: number): Ref {
    DEV: assert(size > 0 && size <= BLOCK_BYTES_MAX, 'a block has 1 … BLOCK_BYTES_MAX bytes')
    const granules = (size + GRANULE - 1) >>> GRANULE_SHIFT
    if (granules > SMALL_GRANULES_MAX) return this.allocLarge(granules)
    const sizeClass = CLASS_OF[granules]!
    let span = this.roomy[sizeClass]!
    if (span < 0) span = this.addSpan(sizeClass)
    const blockGranules = CLASS_GRANULES[sizeClass]!
    let ref = this.spanFree[span]! as Ref
    if (ref !== NONE) {
      this.spanFree[span] = this.word(ref, 0)
    } else {
      const carved = this.spanCarved[span]!
      this.spanCarved[span] = carved + 1
      ref = ((span << PAGE_SHIFT) + carved * blockGranules) as Ref // span << PAGE_SHIFT is signed already
    }
    const used = this.spanUsed[span]! + 1
    this.spanUsed[span] = used
    if (used === CLASS_BLOCKS[sizeClass]!) this.unlinkSpan(span, sizeClass)
    this.counters[0]! += blockGranules << GRANULE_SHIFT
    this.counters[1]! += 1
    if (this.counters[0]! > this.counters[3]!) this.trip()
    return ref
  }

  /** As `alloc`, with every byte zero. */
  allocZeroed(size: number): Ref {
    const ref = this.alloc(size)
    const pos = posOf(ref)
    this.bytesOf(ref).fill(0, pos, pos + size)
    return ref
  }

  /** Releases a block. */
  free(ref: Ref): void {
    DEV: assert(ref !== NONE, 'free of NONE')
    const page = ref >>> PAGE_SHIFT
    const kind = this.pageKind[page]!
    if (kind === PAGE_LARGE) return this.freeLarge(page)
    DEV: assert(kind !== PAGE_FREE, 'free of a block in a free page')
    const span = this.spanOf[page]!
    this.setWord(ref, 0, this.spanFree[span]!)
    this.spanFree[span] = ref
    const used = this.spanUsed[span]! - 1
    this.spanUsed[span] = used
    this.counters[0]! -= CLASS_GRANULES[kind]! << GRANULE_SHIFT
    this.counters[1]! -= 1
    if (used === CLASS_BLOCKS[kind]! - 1) this.linkSpan(span, kind)
    if (used === 0) this.retireSpan(span, kind)
  }

  /** Bytes that the block can hold, from the granule on that `ref` names. */
  capacity(ref: Ref): number {
    const page = ref >>> PAGE_SHIFT
    const kind = this.pageKind[page]!
    if (kind === PAGE_LARGE) {
      return this.spanUsed[page]! * (PAGE_GRANULES * GRANULE) - ((ref & (PAGE_GRANULES - 1)) << GRANULE_SHIFT)
    }
    return CLASS_GRANULES[kind]! << GRANULE_SHIFT
  }

  /** Makes the block hold at least `size` bytes and little more, keeping its first `keep` bytes.
   *  Returns its ref, which may be another one: the old ref, its positions and views are then dead. */
  resize(ref: Ref, size: number, keep: number): Ref {
    if (this.capacity(ref) === blockSizeFor(size)) return ref
    const target = this.alloc(size)
    copyBytes(this.bytesOf(ref), posOf(ref), this.bytesOf(target), posOf(target), keep)
    this.free(ref)
    return target
  }

  /** Forgets every block at once: every ref, position and view is dead. All chunks are to be given back, with
   *  `discard`; the first is another one from now on, which takes nothing until it is written to, unless it takes no
   *  more than `kept` now. */
  reset(kept = KEPT_BYTES_MAX): void {
    if (this.bytes.length > 1 || this.residentBytes > kept) this.discardAll()
    this.chunkFreePages.length = 0
    this.chunkRun.length = 0
    this.chunkTouched.length = 1
    this.pageKind = new Uint8Array(0)
    this.spanOf = new Int32Array(0)
    this.spanUsed = new Int32Array(0)
    this.spanFree = new Int32Array(0)
    this.spanCarved = new Int32Array(0)
    this.spanNext = new Int32Array(0)
    this.spanPrev = new Int32Array(0)
    this.roomy.fill(-1)
    this.counters[0] = 0
    this.counters[1] = 0
    this.counters[2] = CHUNK_BYTES
    this.spareChunk = -1
    this.emptying.fill(0)
    this.emptyingCount = 0
    this.describeChunk(0)
  }

  private discardAll(): void {
    for (let chunk = 0; chunk < this.bytes.length; chunk++) {
      if (this.bytes[chunk] !== EMPTY_BYTES) this.discarded.push(this.bytes[chunk]!)
    }
    this.words.length = 1
    this.bytes.length = 1
    this.views.length = 1
    this.renewFirst()
  }

  /** Gives the arena another first chunk, which takes nothing until it is written to. */
  private renewFirst(): void {
    const buffer = new ArrayBuffer(releasableSize(CHUNK_BYTES + LINE_PAD))
    this.words[0] = new Int32Array(buffer, LINE_PAD, CHUNK_BYTES >>> WORDS_SHIFT)
    this.bytes[0] = new Uint8Array(buffer, LINE_PAD, CHUNK_BYTES)
    this.views[0] = new DataView(buffer, LINE_PAD, CHUNK_BYTES)
    this.chunkTouched[0] = 0
  }

  /** Gives one chunk that is not wanted any more back to the operating system, which takes 2 ms; false when there is
   *  none. */
  discard(): boolean {
    const bytes = this.discarded.pop()
    if (bytes === undefined) return false
    release(bytes)
    return true
  }

  /** Chunks that are to be given back. */
  get discardedChunks(): number {
    return this.discarded.length
  }

  private addSpan(sizeClass: number): number {
    const pages = CLASS_PAGES[sizeClass]!
    const span = this.takePages(pages)
    for (let page = span; page < span + pages; page++) {
      this.pageKind[page] = sizeClass
      this.spanOf[page] = span
    }
    this.spanUsed[span] = 0
    this.spanFree[span] = NONE
    this.spanCarved[span] = 0
    this.linkSpan(span, sizeClass)
    return span
  }

  private linkSpan(span: number, sizeClass: number): void {
    if (this.emptyingCount > 0 && this.emptying[(span / CHUNK_PAGES) | 0] !== 0) return
    this.trimClass(sizeClass)
    const first = this.roomy[sizeClass]!
    this.spanNext[span] = first
    this.spanPrev[span] = -1
    if (first >= 0) this.spanPrev[first] = span
    this.roomy[sizeClass] = span
  }

  private unlinkSpan(span: number, sizeClass: number): void {
    const next = this.spanNext[span]!
    const prev = this.spanPrev[span]!
    if (prev >= 0) this.spanNext[prev] = next
    else this.roomy[sizeClass] = next
    if (next >= 0) this.spanPrev[next] = prev
  }

  /** Gives an empty span back, unless it is its class's only one with room: that one may be wanted again soon. */
  private retireSpan(span: number, sizeClass: number): void {
    if (this.emptyingCount > 0 && this.emptying[(span / CHUNK_PAGES) | 0] !== 0) {
      return this.givePages(span, CLASS_PAGES[sizeClass]!)
    }
    if (this.roomy[sizeClass] === span && this.spanNext[span]! < 0) return
    this.unlinkSpan(span, sizeClass)
    this.givePages(span, CLASS_PAGES[sizeClass]!)
  }

  /** Gives back the empty spans that were kept, each of which keeps its chunk. To be called now and then. */
  trim(): void {
    for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) this.trimClass(sizeClass)
  }

  private trimClass(sizeClass: number): void {
    const span = this.roomy[sizeClass]!
    if (span < 0 || this.spanUsed[span]! > 0) return
    this.unlinkSpan(span, sizeClass)
    this.givePages(span, CLASS_PAGES[sizeClass]!)
  }

  private allocLarge(granules: number): Ref {
    const pages = Math.ceil(granules / PAGE_GRANULES)
    const span = pages <= CHUNK_PAGES ? this.takePages(pages) : this.addChunk(pages * PAGE_GRANULES * GRANULE)
    if (pages > CHUNK_PAGES) {
      this.chunkFreePages[span / CHUNK_PAGES] = 0
      this.chunkRun[span / CHUNK_PAGES] = 0
    }
    const last = span + Math.min(pages, CHUNK_PAGES)
    for (let page = span; page < last; page++) {
      this.pageKind[page] = PAGE_LARGE
      this.spanOf[page] = span
    }
    this.spanUsed[span] = pages
    this.counters[0]! += pages * PAGE_GRANULES * GRANULE
    this.counters[1]! += 1
    if (this.counters[0]! > this.counters[3]!) this.trip()
    return (span << PAGE_SHIFT) as Ref
  }

  private freeLarge(span: number): void {
    const pages = this.spanUsed[span]!
    this.counters[0]! -= pages * PAGE_GRANULES * GRANULE
    this.counters[1]! -= 1
    this.givePages(span, Math.min(pages, CHUNK_PAGES))
  }

  /** The first of `count` free pages in a row. */
  private takePages(count: number): number {
    for (let chunk = this.firstFreeChunk; chunk < this.words.length; chunk++) {
      if (this.chunkRun[chunk]! < count) continue
      const page = this.findRun(chunk, count)
      if (page >= 0) return this.claim(chunk, page, count)
    }
    const first = this.addChunk(CHUNK_BYTES)
    return this.claim(first / CHUNK_PAGES, first, count)
  }

  private claim(chunk: number, page: number, count: number): number {
    const left = this.chunkFreePages[chunk]! - count
    this.chunkFreePages[chunk] = left
    if (left < this.chunkRun[chunk]!) this.chunkRun[chunk] = left
    const end = page - chunk * CHUNK_PAGES + count
    if (end > this.chunkTouched[chunk]!) this.chunkTouched[chunk] = end
    if (this.spareChunk === chunk) this.spareChunk = -1
    while (this.firstFreeChunk < this.words.length && this.chunkFreePages[this.firstFreeChunk] === 0) {
      this.firstFreeChunk++
    }
    return page
  }

  /** First fit in one chunk; when none fits, the chunk's bound becomes its true longest run. */
  private findRun(chunk: number, count: number): number {
    const first = chunk * CHUNK_PAGES
    // Page 0 of the whole stays unused: its first granule would be NONE.
    let start = chunk === 0 ? 1 : first
    let longest = 0
    for (let page = start; page < first + CHUNK_PAGES; page++) {
      if (this.pageKind[page] !== PAGE_FREE) {
        start = page + 1
        continue
      }
      const run = page - start + 1
      if (run === count) return start
      if (run > longest) longest = run
    }
    this.chunkRun[chunk] = longest
    return -1
  }

  private givePages(first: number, count: number): void {
    const chunk = (first / CHUNK_PAGES) | 0
    this.pageKind.fill(PAGE_FREE, first, first + count)
    const free = this.chunkFreePages[chunk]! + count
    this.chunkFreePages[chunk] = free
    if (this.emptying[chunk] !== 0) {
      if (free === usablePages(chunk)) this.releaseChunk(chunk)
      return
    }
    this.chunkRun[chunk] = free
    if (chunk < this.firstFreeChunk) this.firstFreeChunk = chunk
    if (this.words[chunk]!.length << WORDS_SHIFT !== CHUNK_BYTES) this.releaseChunk(chunk)
    else if (chunk > 0 && free === CHUNK_PAGES) this.retireChunk(chunk)
  }

  private retireChunk(chunk: number): void {
    if (this.spareChunk >= 0 && this.chunkFreePages[this.spareChunk] === CHUNK_PAGES) this.releaseChunk(chunk)
    else this.spareChunk = chunk
  }

  /** Drops the chunk's arrays; its place is taken again by the next chunk added. The first one's is at once. */
  private releaseChunk(chunk: number): void {
    if (chunk === 0) return this.replaceFirst()
    const bytes = this.bytes[chunk]!
    this.counters[2]! -= bytes.length
    this.giveBack(bytes)
    this.chunkTouched[chunk] = 0
    this.words[chunk] = EMPTY_WORDS
    this.bytes[chunk] = EMPTY_BYTES
    this.views[chunk] = EMPTY_VIEW
    this.chunkFreePages[chunk] = 0
    this.chunkRun[chunk] = 0
    this.emptyingCount -= this.emptying[chunk]!
    this.emptying[chunk] = 0
  }

  private giveBack(bytes: Uint8Array): void {
    if (this.discardsLater && bytes.length <= CHUNK_BYTES) this.discarded.push(bytes)
    else release(bytes)
  }

  private replaceFirst(): void {
    this.giveBack(this.bytes[0]!)
    this.renewFirst()
    this.chunkRun[0] = this.chunkFreePages[0]!
    this.emptyingCount -= this.emptying[0]!
    this.emptying[0] = 0
    this.firstFreeChunk = 0
  }

  // Compaction: chunks are emptied by whoever knows where the refs are (keyspace/compactor.ts).

  /** Chunks in the tables, those given back included. */
  get chunkCount(): number {
    return this.words.length
  }

  /** Whether a chunk can be emptied: not one of another size or with a block too large to be moved at once. */
  canEmpty(chunk: number): boolean {
    if (this.words[chunk]!.length << WORDS_SHIFT !== CHUNK_BYTES) return false
    for (let page = chunk * CHUNK_PAGES; page < (chunk + 1) * CHUNK_PAGES; ) {
      const isLarge = this.pageKind[page] === PAGE_LARGE
      if (isLarge && this.spanUsed[page]! > MOVED_PAGES_MAX) return false
      page += isLarge ? this.spanUsed[page]! : 1
    }
    return true
  }

  /** Bytes of a chunk that are free; 0 of one that is not a common one. */
  freeIn(chunk: number): number {
    if (this.words[chunk]!.length << WORDS_SHIFT !== CHUNK_BYTES) return 0
    let used = 0
    for (let page = chunk * CHUNK_PAGES; page < (chunk + 1) * CHUNK_PAGES; ) {
      const kind = this.pageKind[page]!
      if (kind === PAGE_FREE) page++
      else if (kind === PAGE_LARGE) {
        used += this.spanUsed[page]!
        page += this.spanUsed[page]!
      } else {
        used += (this.spanUsed[page]! * CLASS_GRANULES[kind]!) / PAGE_GRANULES
        page += CLASS_PAGES[kind]!
      }
    }
    return (CHUNK_PAGES - used) * PAGE_GRANULES * GRANULE
  }

  /** Bytes of a chunk that take memory: up to the last page that was ever used. */
  residentIn(chunk: number): number {
    return this.chunkTouched[chunk]! * PAGE_GRANULES * GRANULE
  }

  /** From now on nothing is allocated in this chunk; when its last block has been moved or freed it is given back. */
  beginEmptying(chunk: number): void {
    this.emptying[chunk] = 1
    this.emptyingCount++
    this.chunkRun[chunk] = 0
    if (this.spareChunk === chunk) this.spareChunk = -1
    for (let page = chunk * CHUNK_PAGES; page < (chunk + 1) * CHUNK_PAGES; page++) {
      const kind = this.pageKind[page]!
      if (kind === PAGE_FREE || kind === PAGE_LARGE || this.spanOf[page] !== page) continue
      const used = this.spanUsed[page]!
      if (used < CLASS_BLOCKS[kind]!) this.unlinkSpan(page, kind)
      if (used === 0) this.givePages(page, CLASS_PAGES[kind]!)
    }
    if (this.emptying[chunk] !== 0 && this.chunkFreePages[chunk] === usablePages(chunk)) this.releaseChunk(chunk)
  }

  /** Chunks being emptied that still hold something. */
  get emptyingChunks(): number {
    return this.emptyingCount
  }

  /** Gives up emptying what chunks are not empty yet: they serve again. */
  endEmptying(): void {
    for (let chunk = 0; chunk < this.words.length && this.emptyingCount > 0; chunk++) {
      if (this.emptying[chunk] === 0) continue
      this.emptying[chunk] = 0
      this.emptyingCount--
      this.chunkRun[chunk] = this.chunkFreePages[chunk]!
      if (chunk < this.firstFreeChunk) this.firstFreeChunk = chunk
      for (let page = chunk * CHUNK_PAGES; page < (chunk + 1) * CHUNK_PAGES; page++) {
        const kind = this.pageKind[page]!
        if (kind === PAGE_FREE || kind === PAGE_LARGE || this.spanOf[page] !== page) continue
        if (this.spanUsed[page]! < CLASS_BLOCKS[kind]!) this.linkSpan(page, kind)
      }
    }
  }

  /** Whether the block lies in a chunk that is being emptied. */
  mustMove(ref: Ref): boolean {
    return this.emptying[ref >>> CHUNK_SHIFT] !== 0
  }

  /** A copy of the block elsewhere. Allocates. */
  duplicate(ref: Ref): Ref {
    const size = this.capacity(ref)
    const target = this.alloc(size)
    copyBytes(this.bytesOf(ref), posOf(ref), this.bytesOf(target), posOf(target), size)
    return target
  }

  /** Moves the block elsewhere if its chunk is being emptied; returns its ref, which may be another one then. */
  move(ref: Ref): Ref {
    if (this.emptying[ref >>> CHUNK_SHIFT] === 0) return ref
    const target = this.duplicate(ref)
    this.free(ref)
    return target
  }

  /** Reserves a chunk of `size` bytes; returns its first page that may be used. */
  private addChunk(size: number): number {
    let chunk = this.words.indexOf(EMPTY_WORDS) // never 0: the first chunk is always there
    if (chunk < 0) chunk = this.words.length
    // The world erred: not one more chunk to be had. Redis exits on a failed allocation too.
    assert(chunk < CHUNKS_MAX, 'the arena is full (64 GB)')
    const left = this.discarded.length
    const buffer = this.bufferOf(size + LINE_PAD)
    // What has been left over was used; a larger chunk will be, whole.
    const isUsed = size > CHUNK_BYTES || this.discarded.length < left
    this.chunkTouched[chunk] = isUsed ? size / (PAGE_GRANULES * GRANULE) : 0
    this.words[chunk] = new Int32Array(buffer, LINE_PAD, size >>> WORDS_SHIFT)
    this.bytes[chunk] = new Uint8Array(buffer, LINE_PAD, size)
    this.views[chunk] = new DataView(buffer, LINE_PAD, size)
    this.counters[2]! += size
    return this.describeChunk(chunk)
  }

  /** A buffer of this size: one that is to be given back, if the next of those fits, or a new one. */
  private bufferOf(size: number): ArrayBuffer {
    const left = this.discarded.at(-1)?.buffer
    if (left === undefined || left.byteLength < size || size > CHUNK_BYTES + LINE_PAD) {
      return new ArrayBuffer(releasableSize(size))
    }
    this.discarded.pop()
    return left as ArrayBuffer
  }

  /** Enters a chunk without a used page into the tables; returns its first page that may be used. */
  private describeChunk(chunk: number): number {
    this.growPageTables((chunk + 1) * CHUNK_PAGES)
    this.pageKind.fill(PAGE_FREE, chunk * CHUNK_PAGES, (chunk + 1) * CHUNK_PAGES)
    const usable = usablePages(chunk)
    this.chunkFreePages[chunk] = usable
    this.chunkRun[chunk] = usable
    if (chunk < this.firstFreeChunk) this.firstFreeChunk = chunk
    return chunk * CHUNK_PAGES + (CHUNK_PAGES - usable)
  }

  private growPageTables(pages: number): void {
    if (pages <= this.pageKind.length) return
    const capacity = Math.max(pages, this.pageKind.length * 2)
    const kinds = new Uint8Array(capacity).fill(PAGE_FREE)
    kinds.set(this.pageKind)
    this.pageKind = kinds
    this.spanOf = grown(this.spanOf, capacity)
    this.spanUsed = grown(this.spanUsed, capacity)
    this.spanFree = grown(this.spanFree, capacity)
    this.spanCarved = grown(this.spanCarved, capacity)
    this.spanNext = grown(this.spanNext, capacity)
    this.spanPrev = grown(this.spanPrev, capacity)
  }

  /** Whether a chunk is kept in reserve. */
  get hasSpare(): boolean {
    return this.spareChunk >= 0 && this.chunkFreePages[this.spareChunk] === CHUNK_PAGES
  }

  /** Gives back what is kept for the next allocations: empty spans, and the chunk in reserve. */
  purge(): void {
    this.trim()
    const spare = this.spareChunk
    if (spare >= 0 && this.chunkFreePages[spare] === CHUNK_PAGES) this.releaseChunk(spare)
    this.spareChunk = -1
  }

  /** What each size class holds, and last the blocks without one. Visits every page. */
  usage(): ClassUsage[] {
    const usage = Array.from({ length: CLASS_COUNT + 1 }, (_, sizeClass) => ({
      blockSize: sizeClass < CLASS_COUNT ? CLASS_GRANULES[sizeClass]! << GRANULE_SHIFT : 0,
      blocks: 0,
      pages: 0,
    }))
    for (let page = 0; page < this.pageKind.length; page++) {
      const kind = this.pageKind[page]!
      if (kind === PAGE_FREE || this.spanOf[page] !== page) continue
      const isLarge = kind === PAGE_LARGE
      const entry = usage[isLarge ? CLASS_COUNT : kind]!
      entry.blocks += isLarge ? 1 : this.spanUsed[page]!
      entry.pages += isLarge ? this.spanUsed[page]! : CLASS_PAGES[kind]!
    }
    return usage
  }

  /** Bytes of the tables that describe the pages. */
  get overheadBytes(): number {
    return this.pageKind.length * (1 + 6 * 4)
  }

  /** The essay's "Always", checked page by page: the leak and overlap detector of the tests. */
  verify(): void {
    const linked = this.verifyLists()
    let used = 0
    let blocks = 0
    for (let chunk = 0; chunk < this.words.length; chunk++) {
      let free = 0
      for (let page = chunk * CHUNK_PAGES; page < (chunk + 1) * CHUNK_PAGES; page++) {
        const kind = this.pageKind[page]!
        if (kind === PAGE_FREE) {
          if (page > 0 && this.words[chunk] !== EMPTY_WORDS) free++
          continue
        }
        const span = this.spanOf[page]!
        if (span !== page) {
          assert(this.spanOf[span] === span && this.pageKind[span] === kind, 'a page belongs to a living span')
          continue
        }
        if (kind === PAGE_LARGE) {
          used += this.spanUsed[span]! * PAGE_GRANULES * GRANULE
          blocks++
          continue
        }
        this.verifySpan(span, kind, linked)
        used += (this.spanUsed[span]! * CLASS_GRANULES[kind]!) << GRANULE_SHIFT
        blocks += this.spanUsed[span]!
      }
      assert(free === this.chunkFreePages[chunk], 'free pages are counted')
    }
    assert(used === this.usedBytes, 'used bytes are the sum of the blocks')
    assert(blocks === this.blockCount, 'blocks are counted')
  }

  private verifyLists(): Set<number> {
    const linked = new Set<number>()
    for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
      let prev = -1
      for (let span = this.roomy[sizeClass]!; span >= 0; span = this.spanNext[span]!) {
        assert(this.pageKind[span] === sizeClass && this.spanPrev[span] === prev, 'lists are linked both ways')
        assert(!linked.has(span), 'a span is linked once')
        linked.add(span)
        const alone = prev < 0 && this.spanNext[span]! < 0
        assert(alone || this.spanUsed[span]! > 0, 'an empty span is alone in its list')
        prev = span
      }
    }
    return linked
  }

  private verifySpan(span: number, sizeClass: number, linked: Set<number>): void {
    const blocks = CLASS_BLOCKS[sizeClass]!
    const used = this.spanUsed[span]!
    let free = 0
    for (let ref = this.spanFree[span]! as Ref; ref !== NONE; ref = this.word(ref, 0) as Ref) {
      const offset = ((ref >>> 0) - span * PAGE_GRANULES) / CLASS_GRANULES[sizeClass]!
      assert(Number.isInteger(offset) && offset >= 0 && offset < blocks, 'a free block lies in its span')
      assert(++free <= blocks, 'the free chain ends')
    }
    assert(used + free === this.spanCarved[span]!, 'carved blocks are used or free')
    const isOpen = used < blocks && this.emptying[(span / CHUNK_PAGES) | 0] === 0
    assert(linked.has(span) === isOpen, 'just the spans with room are linked')
  }
}

/** Page 0 of the whole is NONE's. */
function usablePages(chunk: number): number {
  return chunk === 0 ? CHUNK_PAGES - 1 : CHUNK_PAGES
}

function grown(table: Int32Array, capacity: number): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(capacity)
  larger.set(table)
  return larger
}
