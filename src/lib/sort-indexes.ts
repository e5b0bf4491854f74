/* Sorting of indexes, for what is kept in columns of typed arrays: a stable merge sort, bottom up.
 *
 *   [ 3 1 | 9 2 7 … ]   runs of RUN, each by insertion
 *   [ run run | run run | … ]   merged two by two into the scratch, and back, until one is left
 *
 * TypedArray.prototype.sort would copy the indexes to the JavaScript heap for as long as it takes. Takes about
 * count * log2(count) comparisons, and count indexes of scratch. */

/** Below 0, 0 or above 0, as the element of the first index belongs before or behind that of the second. */
export type Compare = (first: number, second: number) => number

/** Runs of so many are sorted by insertion. */
const RUN = 8

/** Sorts the first `count` indexes. */
export function sortIndexes(indexes: Int32Array, count: number, compare: Compare): void {
  for (let from = 0; from < count; from += RUN) insertRun(indexes, from, Math.min(from + RUN, count), compare)
  if (count <= RUN) return
  let source: Int32Array = indexes
  let target: Int32Array = new Int32Array(count)
  for (let width = RUN; width < count; width *= 2) {
    for (let from = 0; from < count; from += 2 * width) {
      mergeRuns(source, target, from, Math.min(from + width, count), Math.min(from + 2 * width, count), compare)
    }
    const merged = target
    target = source
    source = merged
  }
  if (source !== indexes) indexes.set(source)
}

/** Sorts as many of the first `count` indexes as belong first; in which order the others are is left open. Takes about
 *  count * log2(wanted) comparisons at most: those wanted are a heap, the last of them on top, that each other one is
 *  held against. */
export function sortFirst(indexes: Int32Array, count: number, wanted: number, compare: Compare): void {
  if (wanted < count) {
    for (let at = (wanted >> 1) - 1; at >= 0; at--) sink(indexes, at, wanted, compare)
    for (let at = wanted; at < count; at++) {
      const index = indexes[at]!
      if (compare(index, indexes[0]!) >= 0) continue
      indexes[at] = indexes[0]!
      indexes[0] = index
      sink(indexes, 0, wanted, compare)
    }
  }
  sortIndexes(indexes, Math.min(wanted, count), compare)
}

/** Moves the index at `from` down the heap until none below it belongs behind it. */
function sink(heap: Int32Array, from: number, count: number, compare: Compare): void {
  const index = heap[from]!
  let at = from
  for (;;) {
    let child = at * 2 + 1
    if (child >= count) break
    if (child + 1 < count && compare(heap[child + 1]!, heap[child]!) > 0) child++
    if (compare(heap[child]!, index) <= 0) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = index
}

function insertRun(indexes: Int32Array, from: number, end: number, compare: Compare): void {
  for (let at = from + 1; at < end; at++) {
    const index = indexes[at]!
    let place = at
    for (; place > from && compare(indexes[place - 1]!, index) > 0; place--) indexes[place] = indexes[place - 1]!
    indexes[place] = index
  }
}

/** Merges [from, middle) and [middle, end) into the same places of the target. */
function mergeRuns(
  source: Int32Array,
  target: Int32Array,
  from: number,
  middle: number,
  end: number,
  compare: Compare,
): void {
  let first = from
  let second = middle
  let at = from
  // Runs that are in order already, as those of sorted input are.
  if (middle < end && compare(source[middle - 1]!, source[middle]!) > 0) {
    while (first < middle && second < end) {
      target[at++] = compare(source[first]!, source[second]!) <= 0 ? source[first++]! : source[second++]!
    }
  }
  while (first < middle) target[at++] = source[first++]!
  while (second < end) target[at++] = source[second++]!
}
