/* The classes of keyspace events, as bits, and the letters that name them in notify-keyspace-events. */

export const KeyspaceEvent = {
  KEYSPACE: 1 << 0,
  KEYEVENT: 1 << 1,
  GENERIC: 1 << 2,
  STRING: 1 << 3,
  LIST: 1 << 4,
  SET: 1 << 5,
  HASH: 1 << 6,
  ZSET: 1 << 7,
  EXPIRED: 1 << 8,
  EVICTED: 1 << 9,
  STREAM: 1 << 10,
  KEY_MISS: 1 << 11,
  MODULE: 1 << 13,
  NEW: 1 << 14,
} as const

const E = KeyspaceEvent

/** What the letter A stands for: all but key misses and new keys. */
const KEYSPACE_EVENTS_ALL =
  E.GENERIC | E.STRING | E.LIST | E.SET | E.HASH | E.ZSET | E.EXPIRED | E.EVICTED | E.STREAM | E.MODULE

/** In the order in which they are printed; those of A first. */
const CLASSES: readonly (readonly [letter: string, bit: number])[] = [
  ['g', E.GENERIC],
  ['$', E.STRING],
  ['l', E.LIST],
  ['s', E.SET],
  ['h', E.HASH],
  ['z', E.ZSET],
  ['x', E.EXPIRED],
  ['e', E.EVICTED],
  ['t', E.STREAM],
  ['d', E.MODULE],
  ['n', E.NEW],
]
const ALWAYS: readonly (readonly [letter: string, bit: number])[] = [
  ['K', E.KEYSPACE],
  ['E', E.KEYEVENT],
  ['m', E.KEY_MISS],
]
const BITS = new Map([...CLASSES, ...ALWAYS, ['A', KEYSPACE_EVENTS_ALL] as const])

/** undefined if a letter names no class. */
export function parseEvents(letters: string): number | undefined {
  let bits = 0
  for (const letter of letters) {
    const bit = BITS.get(letter)
    if (bit === undefined) return undefined
    bits |= bit
  }
  return bits
}

/** As Redis prints them: A swallows every class before it, and n as well. */
export function formatEvents(bits: number): string {
  const all = (bits & KEYSPACE_EVENTS_ALL) === KEYSPACE_EVENTS_ALL
  const shown = all ? ALWAYS : [...CLASSES, ...ALWAYS]
  return (all ? 'A' : '') + shown.map(([letter, bit]) => (bits & bit ? letter : '')).join('')
}

/** Every letter whose class is among them, each for itself. */
export function lettersOf(bits: number): string {
  return [...CLASSES, ...ALWAYS].map(([letter, bit]) => ((bits & bit) !== 0 ? letter : '')).join('')
}
