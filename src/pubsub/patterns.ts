/* Patterns: which of the patterns that somebody listens to match a channel.
 *
 *   "news.*"          begins with 5 literal bytes: filed under its first 4, "news"
 *   "__key*__:*"      begins with 5: filed under "__ke"
 *   "*"  "?x"         begin with none: always looked at
 *
 * A pattern matches only channels that begin as its literal beginning does. It is filed under as much of that as makes
 * 32, 16, 8, 4, 2, 1 or 0 bytes; a channel is looked up under its own beginnings of these lengths (those in use), and
 * only what is filed there is matched. So a thousand patterns for as many things cost a message a few lookups, where
 * Redis tries them all. */
import { fromLatin1, latin1 } from '../lib/bytes.ts'
import { matches } from '../lib/glob.ts'
import { Topic } from './topic.ts'

/** Lengths of the beginnings that patterns are filed under. */
const LENGTHS = [0, 1, 2, 4, 8, 16, 32] as const

const SPECIAL = /[*?[\\]/

export class Pattern extends Topic {
  readonly bytes: Uint8Array
  /** `$len\r\npattern\r\n`, as messages contain it. */
  readonly bulk: Uint8Array

  constructor(name: string) {
    super(name)
    this.bytes = fromLatin1(name)
    this.bulk = fromLatin1(`$${name.length}\r\n${name}\r\n`)
  }
}

export class Patterns {
  /** The patterns that matched: valid up to `foundCount`, until the next call of `match`. */
  readonly found: Pattern[] = []
  foundCount = 0
  private readonly byName = new Map<string, Pattern>()
  /** By index of LENGTHS: the patterns that are filed under each beginning. */
  private readonly files = LENGTHS.map(() => new Map<string, Set<Pattern>>())

  get count(): number {
    return this.byName.size
  }

  find(name: string): Pattern | undefined {
    return this.byName.get(name)
  }

  /** Adds a pattern that is not there. */
  add(name: string): Pattern {
    const pattern = new Pattern(name)
    this.byName.set(name, pattern)
    const { file, beginning } = this.placeOf(name)
    const filed = file.get(beginning)
    if (filed === undefined) file.set(beginning, new Set([pattern]))
    else filed.add(pattern)
    return pattern
  }

  delete(pattern: Pattern): void {
    this.byName.delete(pattern.name)
    const { file, beginning } = this.placeOf(pattern.name)
    const filed = file.get(beginning)
    filed?.delete(pattern)
    if (filed?.size === 0) file.delete(beginning)
  }

  private placeOf(name: string): { file: Map<string, Set<Pattern>>; beginning: string } {
    const special = name.search(SPECIAL)
    const literalLen = special < 0 ? name.length : special
    const index = LENGTHS.findLastIndex((len) => len <= literalLen)
    return { file: this.files[index]!, beginning: name.substring(0, LENGTHS[index]) }
  }

  /** Finds the patterns that match a channel. */
  match(bytes: Uint8Array, pos: number, len: number): void {
    this.foundCount = 0
    if (this.byName.size === 0) return
    for (let index = 0; index < LENGTHS.length && LENGTHS[index]! <= len; index++) {
      const file = this.files[index]!
      if (file.size === 0) continue
      const filed = file.get(index === 0 ? '' : latin1(bytes, pos, LENGTHS[index]!))
      if (filed === undefined) continue
      for (const pattern of filed) {
        if (!matches(pattern.bytes, 0, pattern.bytes.length, bytes, pos, len)) continue
        this.found[this.foundCount++] = pattern
      }
    }
  }
}
