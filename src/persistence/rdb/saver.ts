/* The saver: walks the databases in hash order and writes them as an RDB file (image.ts), a bucket a step. The data
 * must not change meanwhile: whoever lets it change takes a snapshot instead (../snapshot.ts). */
import type { Keyspace } from '../../keyspace/keyspace.ts'
import type { Ref } from '../../memory/memory.ts'
import { SCAN_END } from '../../structures/table.ts'
import { databaseSizes, prefetchFound } from '../snapshot.ts'
import { type ImageOptions, RdbImage } from './image.ts'
import type { ValueFormats } from './values.ts'
import type { RdbWriter } from './writer.ts'

export class RdbSaver {
  private readonly keyspace: Keyspace
  private readonly image: RdbImage
  /** The database being written, and where in it the walk has got to. */
  private dbIndex = -1
  private position = SCAN_END

  constructor(keyspace: Keyspace, formats: ValueFormats, writer: RdbWriter, options: ImageOptions) {
    this.keyspace = keyspace
    this.image = new RdbImage(keyspace, formats, writer, options)
  }

  /** Keys written so far. */
  get keyCount(): number {
    return this.image.keyCount
  }

  /** Writes the keys of one bucket, and what must stand before them; false when the file is complete. */
  step(): boolean {
    const { image } = this
    const { table, databases } = this.keyspace
    if (this.position === SCAN_END && !this.nextDatabase()) {
      image.end()
      return false
    }
    this.position = table.scan(databases[this.dbIndex]!.root, this.position)
    prefetchFound(table)
    for (let index = 0; index < table.foundCount; index++) image.entry(this.dbIndex, table.found[index]! as Ref)
    if (image.failure !== null) throw image.failure
    return true
  }

  /** Goes on to the next database that has keys; false if there is none. */
  private nextDatabase(): boolean {
    const { databases } = this.keyspace
    if (this.dbIndex < 0) this.image.begin(databaseSizes(this.keyspace))
    do this.dbIndex++
    while (this.dbIndex < databases.length && databases[this.dbIndex]!.size === 0)
    if (this.dbIndex === databases.length) return false
    this.position = 0
    return true
  }
}
