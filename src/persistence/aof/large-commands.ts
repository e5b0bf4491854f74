/* Large values as commands, written element by element as a snapshot shows them (../frozen.ts). Other keys, and
 * elements of other large values, come in between: each command stands for itself.
 *
 *   RPUSH l a b … 64 | SET other 1 | RPUSH l … | PEXPIREAT l 17…
 *   SET s (32 KB) | APPEND s (32 KB) | …
 *
 * A command's number of words stands before them, so elements are gathered until there are enough of them; there is one
 * place to gather for all large values, and whoever else wants to write has what is there written first. */
import { Type } from '../../keyspace/entry.ts'
import { HashFields } from '../../keyspace/hash-fields.ts'
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { NodeKind } from '../../keyspace/quicklist.ts'
import { copyBytes } from '../../lib/bytes.ts'
import { formatDouble17 } from '../../lib/double.ts'
import type { StreamId } from '../../lib/stream-id.ts'
import { posOf, type Ref } from '../../memory/memory.ts'
import { keyLenOf, keyPosOf } from '../../structures/entry-head.ts'
import { Listpacks, NO_ELEMENT } from '../../structures/listpack.ts'
import { scoreOf } from '../../structures/zset-member.ts'
import type { LargeSink } from '../frozen.ts'
import { RdbWriter, type Sink } from '../rdb/writer.ts'
import { CommandWords } from './command-words.ts'
import { StreamImage } from './stream-image.ts'

/** Elements to a command, and bytes from which on it is long enough without having so many. */
export const ELEMENTS_MAX = 64
const GATHERED_MAX = 64 * 1024

const NAMES: Readonly<Record<number, string>> = {
  [Type.LIST]: 'RPUSH',
  [Type.SET]: 'SADD',
  [Type.HASH]: 'HMSET',
  [Type.ZSET]: 'ZADD',
}

/** Words on their way into the file: a buffer that grows to what a command takes, a few times GATHERED_MAX. */
class Gathered implements Sink {
  bytes = new Uint8Array(1024)
  len = 0
  readonly words = new CommandWords(new RdbWriter(this, { checksum: false, compression: false }, new Uint8Array(1024)))

  take(chunk: Uint8Array, len: number): Uint8Array {
    if (this.len + len > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.len + len, this.bytes.length * 2))
      copyBytes(this.bytes, 0, larger, 0, this.len)
      this.bytes = larger
    }
    copyBytes(chunk, 0, this.bytes, this.len, len)
    this.len += len
    return chunk
  }

  /** Writes everything. */
  moveTo(target: RdbWriter): void {
    this.words.writer.flush()
    target.bytes(this.bytes, 0, this.len)
    this.len = 0
  }
}

/** What the large values of an image share. */
export class LargeCommands {
  readonly keyspace: Keyspace
  readonly fields: HashFields
  readonly listpacks: Listpacks
  /** The elements of the command under way, and commands about them that are to follow it. */
  readonly elements = new Gathered()
  readonly following = new Gathered()
  readonly streams: StreamImage
  private readonly out: CommandWords
  private readonly select: (dbIndex: number) => void
  private owner: LargeCommand | null = null
  private count = 0

  /** `select` has the commands that follow done in a database. */
  constructor(keyspace: Keyspace, out: CommandWords, select: (dbIndex: number) => void) {
    this.keyspace = keyspace
    this.fields = new HashFields(keyspace.memory)
    this.listpacks = new Listpacks(keyspace.memory)
    this.streams = new StreamImage(keyspace, out)
    this.out = out
    this.select = select
  }

  open(dbIndex: number, entry: Ref): LargeSink {
    return new LargeCommand(this, dbIndex, entry)
  }

  /** Somebody has an element of about so many bytes to add: that is to be written where this answers. */
  begin(owner: LargeCommand, len: number): CommandWords {
    if (len > GATHERED_MAX) {
      this.flush()
      this.head(owner, 1)
      return this.out
    }
    const isFull = this.count === ELEMENTS_MAX || this.elements.len > GATHERED_MAX
    if (this.owner !== owner || isFull) {
      this.flush()
      this.owner = owner
      this.count = 0
    }
    this.count++
    return this.elements.words
  }

  private head(owner: LargeCommand, count: number): void {
    const { out } = this
    this.select(owner.dbIndex)
    out.head(2 + count * owner.wordsPerElement)
    out.word(NAMES[owner.type]!)
    this.key(owner.entry)
  }

  /** Writes what has been gathered. */
  flush(): void {
    const { owner, out } = this
    if (owner === null) return
    this.owner = null
    this.head(owner, this.count)
    this.elements.moveTo(out.writer)
    this.following.moveTo(out.writer)
  }

  private key(entry: Ref, words = this.out): void {
    const { entries, memory } = this.keyspace
    words.bulk(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
  }

  /** A part of a string: the first makes the key. */
  piece(owner: LargeCommand, isFirst: boolean, bytes: Uint8Array, pos: number, len: number): void {
    const { out } = this
    this.flush()
    this.select(owner.dbIndex)
    out.head(3)
    out.word(isFirst ? 'SET' : 'APPEND')
    this.key(owner.entry)
    out.bulk(bytes, pos, len)
  }

  /** Commands about a stream follow, each of which stands for itself. */
  beginStream(owner: LargeCommand): StreamImage {
    this.flush()
    this.select(owner.dbIndex)
    return this.streams
  }

  /** A field expires: that is told behind the command that sets it. */
  fieldExpires(owner: LargeCommand, field: Ref, due: number): void {
    const { memory } = this.keyspace
    const words = this.owner === null ? this.out : this.following.words
    words.head(6)
    words.word('HPEXPIREAT')
    this.key(owner.entry, words)
    words.integer(due)
    words.word('FIELDS')
    words.word('1')
    words.bulk(memory.bytesOf(field), keyPosOf(memory, field), keyLenOf(memory, field))
  }

  end({ dbIndex, entry }: LargeCommand): void {
    const { out } = this
    const { entries } = this.keyspace
    this.flush()
    if (!entries.expires(entry)) return
    this.select(dbIndex)
    out.head(3)
    out.word('PEXPIREAT')
    this.key(entry)
    out.integer(entries.expiry(entry))
  }
}

class LargeCommand implements LargeSink {
  readonly dbIndex: number
  readonly entry: Ref
  readonly type: number
  readonly wordsPerElement: number
  private readonly shared: LargeCommands
  private begun = false

  constructor(shared: LargeCommands, dbIndex: number, entry: Ref) {
    this.shared = shared
    this.dbIndex = dbIndex
    this.entry = entry
    this.type = shared.keyspace.entries.type(entry)
    this.wordsPerElement = this.type === Type.HASH || this.type === Type.ZSET ? 2 : 1
  }

  element(ref: Ref): void {
    const { shared } = this
    const { fields } = shared
    const { memory } = shared.keyspace
    const len = keyLenOf(memory, ref)
    const isHash = this.type === Type.HASH
    if (isHash) fields.locate(ref)
    const words = shared.begin(this, isHash ? len + fields.len : len)
    if (this.type === Type.ZSET) words.text(formatDouble17(scoreOf(memory, ref)))
    words.bulk(memory.bytesOf(ref), keyPosOf(memory, ref), len)
    if (!isHash) return
    words.bulk(fields.bytes, fields.pos, fields.len)
    const due = fields.due(ref)
    if (due !== 0) shared.fieldExpires(this, ref, due)
  }

  node(kind: number, payload: Ref, size: number): void {
    const { shared } = this
    const { listpacks } = shared
    if (kind === NodeKind.PLAIN) {
      shared.begin(this, size).bulk(shared.keyspace.memory.bytesOf(payload), posOf(payload), size)
      return
    }
    for (let off = listpacks.first(payload); off !== NO_ELEMENT; ) {
      off = listpacks.locate(payload, off)
      shared.begin(this, listpacks.len).bulk(listpacks.bytes, listpacks.pos, listpacks.len)
    }
  }

  streamNode(id: StreamId, node: Ref): void {
    this.shared.beginStream(this).writeNode(this.entry, id, node)
  }

  *streamRest(root: Ref): Generator<void> {
    const { shared, entry } = this
    shared.beginStream(this).writeRest(entry, root)
    for (const parts = shared.streams.writeGroups(entry, root); !parts.next().done; shared.beginStream(this)) yield
  }

  piece(bytes: Uint8Array, pos: number, len: number): void {
    this.shared.piece(this, !this.begun, bytes, pos, len)
    this.begun = true
  }

  end(): void {
    this.shared.end(this)
  }
}
