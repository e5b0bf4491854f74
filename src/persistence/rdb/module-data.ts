/* Data of modules in RDB files: a module's id, and then pieces that say what they are, so that those who do not know
 * the module can pass over them.
 *
 *   | id | when, for aux data: 2 lengths | kind | piece | kind | piece | … | 0 |        kinds are lengths as well
 */
import { moduleName } from './format.ts'
import type { RdbReader } from './reader.ts'

const Kind = { END: 0, SIGNED: 1, UNSIGNED: 2, FLOAT: 3, DOUBLE: 4, STRING: 5 } as const

/** Reads a module's id; answers its name. */
export function readModuleName(reader: RdbReader): string {
  reader.length()
  return moduleName(reader.lengthHigh, reader.lengthLow)
}

/** Passes over the pieces, their end included. */
export function skipModulePieces(reader: RdbReader): void {
  for (;;) {
    const kind = reader.length()
    switch (kind) {
      case Kind.END:
        return
      case Kind.SIGNED:
      case Kind.UNSIGNED:
        reader.length()
        break
      case Kind.FLOAT:
        reader.int32()
        break
      case Kind.DOUBLE:
        reader.int64()
        break
      case Kind.STRING:
        reader.head()
        reader.skip()
        break
      default:
        reader.refuse(`Unknown kind ${kind} of a module's data`)
    }
  }
}
