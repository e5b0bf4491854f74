/* Functions in RDB files: each library is the text of its code, behind its own opcode, before the databases.
 *
 *   | FUNCTION | code, a string | FUNCTION | code | … |
 *
 * What a library is, and whether its code makes sense, is for the one who runs it to know: saver and loader only ask a
 * FunctionStore for the codes, and hand it what they find. */

export interface FunctionStore {
  /** The code of every library. */
  codes(): Iterable<Uint8Array>
  /** Adds a library by its code; with `replace`, instead of one of the same name. Answers why not, if so. */
  load(code: Uint8Array, replace: boolean): string | undefined
  /** Forgets every library: what is loaded next takes their place. */
  clear(): void
}
