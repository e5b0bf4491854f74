/* Streams as commands, as Redis writes them.
 *
 *   XADD key id field value …                      each entry; of a stream without any, one that is trimmed away
 *   XSETID key last ENTRIESADDED n MAXDELETEDID id
 *   XGROUP CREATE key group id ENTRIESREAD n       each group
 *   XCLAIM key group consumer 0 id TIME ms RETRYCOUNT n JUSTID FORCE       each entry that a consumer has pending
 *   XGROUP CREATECONSUMER key group consumer       each consumer that has none
 *
 * Of a pending entry that has been deleted, XCLAIM makes nothing: it is lost, as in Redis. */
import type { Keyspace } from '../../keyspace/keyspace.ts'
import { Streams } from '../../keyspace/streams.ts'
import { ID_TEXT_MAX, StreamId } from '../../lib/stream-id.ts'
import { NONE, type Ref } from '../../memory/memory.ts'
import { Listpacks } from '../../structures/listpack.ts'
import { LogId } from '../../structures/stream-log.ts'
import type { CommandWords } from './command-words.ts'

/** Commands that are written between two looks at the clock. */
const COMMANDS_PER_STEP = 64

export class StreamImage {
  private readonly keyspace: Keyspace
  private readonly streams: Streams
  private readonly words: CommandWords
  private readonly id = new StreamId()
  private readonly text = new Uint8Array(ID_TEXT_MAX)

  constructor(keyspace: Keyspace, words: CommandWords) {
    const { entries, memory } = keyspace
    this.keyspace = keyspace
    this.streams = new Streams(entries, new Listpacks(memory), () => {})
    this.words = words
  }

  write(entry: Ref): void {
    const root = this.streams.rootOf(entry)
    this.streams.walk.startAt(root, true)
    this.writeEntries(entry)
    this.writeRest(entry, root)
    if (this.streams.groups.groupCount(root) === 0) return
    for (const parts = this.writeGroups(entry, root); !parts.next().done; ) {}
  }

  /** The entries of one node. */
  writeNode(entry: Ref, id: StreamId, node: Ref): void {
    this.streams.walk.startIn(node, id)
    this.writeEntries(entry)
  }

  /** What follows the entries, but for the groups. */
  writeRest(entry: Ref, root: Ref): void {
    const { words, streams, id } = this
    const { log } = streams
    if (log.length(root) === 0) this.writeNothing(entry)
    words.head(7)
    words.word('XSETID')
    this.writeKey(entry)
    this.writeId(log.id(root, LogId.LAST, id))
    words.word('ENTRIESADDED')
    words.integer(log.added(root))
    words.word('MAXDELETEDID')
    this.writeId(log.id(root, LogId.DELETED, id))
  }

  /** The groups, which follow that. Yields where other commands may come in between. */
  *writeGroups(entry: Ref, root: Ref): Generator<void> {
    const { groups } = this.streams
    const count = groups.groupCount(root)
    let left = COMMANDS_PER_STEP
    for (let rank = 0; rank < count; rank++) {
      const group = groups.groupAt(root, rank)
      this.writeGroup(entry, group)
      const consumers = groups.consumerCount(group)
      for (let at = 0; at < consumers; at++) {
        const consumer = groups.consumerAt(group, at)
        const owned = groups.ownedRoot(consumer)
        const hasPending = owned !== NONE && groups.owned.first(owned)
        if (!hasPending) this.writeConsumer(entry, group, consumer)
        for (let more = hasPending; more; more = groups.owned.next()) {
          this.writePending(entry, group, consumer)
          if (--left > 0) continue
          yield
          left = COMMANDS_PER_STEP
        }
        if (--left > 0) continue
        yield
        left = COMMANDS_PER_STEP
      }
    }
  }

  private writeKey(entry: Ref): void {
    const { entries, memory } = this.keyspace
    this.words.bulk(memory.bytesOf(entry), entries.keyPos(entry), entries.keyLen(entry))
  }

  private writeId(id: StreamId): void {
    this.words.bulk(this.text, 0, id.writeText(this.text, 0))
  }

  private writeName(block: Ref): void {
    const { groups } = this.streams
    this.words.bulk(groups.memory.bytesOf(block), groups.namePos(block), groups.nameLen(block))
  }

  /** The entries that the walk meets. */
  private writeEntries(entry: Ref): void {
    const { words, streams } = this
    const { walk } = streams
    const { listpacks } = streams.log.nodes
    while (walk.next()) {
      words.head(3 + walk.fieldCount * 2)
      words.word('XADD')
      this.writeKey(entry)
      this.writeId(walk.id)
      for (let left = walk.fieldCount; left > 0; left--) {
        walk.locateField()
        words.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
        walk.locateValue()
        words.bulk(listpacks.bytes, listpacks.pos, listpacks.len)
      }
    }
  }

  private writeNothing(entry: Ref): void {
    const { words } = this
    words.head(7)
    words.word('XADD')
    this.writeKey(entry)
    for (const word of ['MAXLEN', '0', '0-1', 'x', 'y']) words.word(word)
  }

  private writeGroup(entry: Ref, group: Ref): void {
    const { words, streams } = this
    const { groups } = streams
    words.head(7)
    words.word('XGROUP')
    words.word('CREATE')
    this.writeKey(entry)
    this.writeName(group)
    this.writeId(groups.lastId(group, this.id))
    words.word('ENTRIESREAD')
    words.integer(groups.entriesRead(group))
  }

  private writeConsumer(entry: Ref, group: Ref, consumer: Ref): void {
    const { words } = this
    words.head(5)
    words.word('XGROUP')
    words.word('CREATECONSUMER')
    this.writeKey(entry)
    this.writeName(group)
    this.writeName(consumer)
  }

  /** The entry that the place in what the consumer has pending is on. */
  private writePending(entry: Ref, group: Ref, consumer: Ref): void {
    const { words, id } = this
    const { groups } = this.streams
    groups.owned.id(id)
    groups.findPending(group, id)
    words.head(12)
    words.word('XCLAIM')
    this.writeKey(entry)
    this.writeName(group)
    this.writeName(consumer)
    words.word('0')
    this.writeId(id)
    words.word('TIME')
    words.integer(groups.deliveredAt)
    words.word('RETRYCOUNT')
    words.integer(groups.deliveries)
    words.word('JUSTID')
    words.word('FORCE')
  }
}
