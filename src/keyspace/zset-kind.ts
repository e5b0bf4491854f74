/* What the keyspace must know of sorted sets. */
import { Digest } from '../lib/digest.ts'
import { DOUBLE_LEN_MAX, writeShortDouble } from '../lib/double.ts'
import { type Entries, Type } from './entry.ts'
import type { Kind } from './kinds.ts'
import { compactZset } from './value-compaction.ts'
import { ZsetWalk } from './zset-walk.ts'
import type { Zsets } from './zsets.ts'

const ENCODING_NAMES = ['listpack', 'skiplist']

export function zsetKind(zsets: Zsets, entries: Entries): Kind {
  const walk = new ZsetWalk(entries)
  const pair = new Digest()
  const text = new Uint8Array(DOUBLE_LEN_MAX)
  return {
    type: Type.ZSET,
    name: 'zset',
    encodingName: (entry) => ENCODING_NAMES[entries.encoding(entry)]!,
    freeValue: (entry) => zsets.freeValue(entry),
    valueBytes: (entry) => zsets.valueBytes(entry),
    copyValue: (source, target) => zsets.copyValue(source, target),
    length: (entry) => zsets.size(entry),
    memberTable: (entry) => zsets.memberTable(entry),
    takesAhead: (entry, count, last) => zsets.takesAhead(entry, count, last),
    digest: (entry, into) => {
      for (walk.begin(entry); walk.next(); ) {
        walk.locate()
        pair.reset()
        pair.mix(walk.bytes, walk.pos, walk.len)
        pair.mix(text, 0, writeShortDouble(walk.score, text, 0))
        into.xorDigest(pair)
      }
    },
    compact: (entry, cursor) => compactZset(zsets, entries, entry, cursor),
    verify: (entry) => zsets.verify(entry),
  }
}
