/* The image as commands: what makes the data anew when it is done from the beginning, for an append-only file whose
 * base is no RDB file (aof-use-rdb-preamble no).
 *
 *   #TS:… | FUNCTION LOAD … | SELECT 0 | SET k v | RPUSH l a b … 64 | PEXPIREAT l 17… | SELECT 3 | …
 *
 * Keys come in any order, in the midst of commands as well: everything here that has a state (walks, cursors) is its
 * own. What is large is shown in pieces (large-commands.ts), the rest is written as it is walked. */
import { Type } from '../../keyspace/entry.ts'
import { HashWalk } from '../../keyspace/hash-walk.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { Lists } from '../../keyspace/lists.ts'
import { SetWalk } from '../../keyspace/set-walk.ts'
import { Strings } from '../../keyspace/strings.ts'
import { ZsetWalk } from '../../keyspace/zset-walk.ts'
import { formatDouble17 } from '../../lib/double.ts'
import type { Ref } from '../../memory/memory.ts'
import { Listpacks } from '../../structures/listpack.ts'
import type { LargeSink } from '../frozen.ts'
import { shownKey } from '../rdb/format.ts'
import type { FunctionStore } from '../rdb/functions.ts'
import { RdbError } from '../rdb/reader.ts'
import { RdbWriter, type Sink } from '../rdb/writer.ts'
import type { ImageSink } from '../snapshot.ts'
import { CommandWords } from './command-words.ts'
import { ELEMENTS_MAX, LargeCommands } from './large-commands.ts'
import { timestamp } from './log-buffer.ts'
import { StreamImage } from './stream-image.ts'

export interface CommandImageOptions {
  /** aof-timestamp-enabled: Unix time in seconds to begin with; 0: none. */
  readonly second: number
  readonly functions: FunctionStore | null
}

export class CommandImage extends CommandWords implements ImageSink {
  /** Why the image is good for nothing: a key that cannot be written. */
  failure: RdbError | null = null
  private readonly keyspace: Keyspace
  private readonly options: CommandImageOptions
  private readonly strings: Strings
  private readonly lists: Lists
  private readonly setWalk: SetWalk
  private readonly hashWalk: HashWalk
  private readonly zsetWalk: ZsetWalk
  private readonly streamImage: StreamImage
  private readonly larges: LargeCommands
  private dbIndex = -1
  /** Elements that the command under way still takes. */
  private room = 0

  constructor(keyspace: Keyspace, sink: Sink, options: CommandImageOptions) {
    super(new RdbWriter(sink, { checksum: false, compression: false }))
    const { entries, memory } = keyspace
    this.keyspace = keyspace
    this.options = options
    this.strings = new Strings(entries)
    this.lists = new Lists(entries, new Listpacks(memory), () => {})
    this.setWalk = new SetWalk(entries)
    this.hashWalk = new HashWalk(entries)
    this.zsetWalk = new ZsetWalk(entries)
    this.streamImage = new StreamImage(keyspace, this)
    this.larges = new LargeCommands(keyspace, this, (dbIndex) => this.select(dbIndex))
  }

  begin(): void {
    const { second, functions } = this.options
    if (second > 0) this.raw(timestamp(second))
    for (const code of functions?.codes() ?? []) {
      this.head(3)
      this.word('FUNCTION')
      this.word('LOAD')
      this.bulk(code, 0, code.length)
    }
  }

  entry(dbIndex: number, entry: Ref): void {
    this.larges.flush()
    this.select(dbIndex)
    const { entries } = this.keyspace
    switch (entries.type(entry)) {
      case Type.STRING:
        this.string(entry)
        break
      case Type.LIST:
        this.list(entry)
        break
      case Type.SET:
        this.set(entry)
        break
      case Type.HASH:
        this.hash(entry)
        break
      case Type.ZSET:
        this.zset(entry)
        break
      case Type.STREAM:
        this.streamImage.write(entry)
        break
      default:
        return this.refuse(entry)
    }
    if (!entries.expires(entry)) return
    this.head(3)
    this.word('PEXPIREAT')
    this.key(entry)
    this.integer(entries.expiry(entry))
  }

  large(dbIndex: number, entry: Ref): LargeSink {
    return this.larges.open(dbIndex, entry)
  }

  end(): void {
    this.writer.flush()
  }

  private refuse(entry: Ref): void {
    const { entries, memory } = this.keyspace
    const key = shownKey(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
    const reason = `The value of key ${key} of database ${this.dbIndex} cannot be written as commands yet`
    this.failure ??= new RdbError(reason, this.writer.size)
  }

  private select(dbIndex: number): void {
    if (dbIndex === this.dbIndex) return
    this.dbIndex = dbIndex
    this.head(2)
    this.word('SELECT')
    this.integer(dbIndex)
  }

  private key(entry: Ref): void {
    const { entries, memory } = this.keyspace
    this.bulk(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
  }

  private string(entry: Ref): void {
    const { strings } = this
    this.head(3)
    this.word('SET')
    this.key(entry)
    strings.locate(entry)
    this.bulk(strings.bytes, strings.pos, strings.len)
  }

  /** Before an element: begins another command if the one under way is full. `left` elements are to come. */
  private element(entry: Ref, name: string, left: number, words: number): void {
    if (this.room === 0) {
      this.room = Math.min(left, ELEMENTS_MAX)
      this.head(2 + this.room * words)
      this.word(name)
      this.key(entry)
    }
    this.room--
  }

  private list(entry: Ref): void {
    const { lists } = this
    const { listpacks } = lists
    let left = lists.length(entry)
    lists.start(entry, 0, false)
    for (; left > 0; left--) {
      this.element(entry, 'RPUSH', left, 1)
      lists.locate()
      this.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
      lists.advance()
    }
  }

  private set(entry: Ref): void {
    const walk = this.setWalk
    let left = this.keyspace.sets.size(entry)
    for (walk.begin(entry); walk.next(); left--) {
      this.element(entry, 'SADD', left, 1)
      walk.locate()
      this.bulk(walk.bytes, walk.pos, walk.len)
    }
  }

  private hash(entry: Ref): void {
    const walk = this.hashWalk
    let left = this.keyspace.hashes.size(entry)
    for (walk.begin(entry); walk.next(); left--) {
      this.element(entry, 'HMSET', left, 2)
      walk.locate()
      this.bulk(walk.bytes, walk.pos, walk.len)
      this.bulk(walk.valueBytes, walk.valuePos, walk.valueLen)
    }
    if (this.keyspace.entries.hasExpiringFields(entry)) this.fieldExpiries(entry)
  }

  private fieldExpiries(entry: Ref): void {
    const walk = this.hashWalk
    for (walk.begin(entry); walk.next(); ) {
      const { due } = walk
      if (due === 0) continue
      this.head(6)
      this.word('HPEXPIREAT')
      this.key(entry)
      this.integer(due)
      this.word('FIELDS')
      this.word('1')
      walk.locateField()
      this.bulk(walk.bytes, walk.pos, walk.len)
    }
  }

  private zset(entry: Ref): void {
    const walk = this.zsetWalk
    let left = this.keyspace.zsets.size(entry)
    for (walk.start(entry, 0, false); walk.next(); left--) {
      this.element(entry, 'ZADD', left, 2)
      this.text(formatDouble17(walk.score))
      walk.locate()
      this.bulk(walk.bytes, walk.pos, walk.len)
    }
  }
}
