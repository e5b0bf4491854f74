/* Which directive limits which small encoding: how many elements it may have, and how long one may be. */
import type { Keyspace } from '../keyspace/keyspace.ts'
import type { Config } from './config/config.ts'

export function followEncodingLimits(config: Config, keyspace: Keyspace): void {
  const { lists, sets, hashes, zsets, streams } = keyspace
  config.onChange('list-max-listpack-size', () => {
    lists.quicklist.setFill(config.number('list-max-listpack-size'))
  })
  config.onChange('set-max-intset-entries', () => (sets.intsetCountMax = config.number('set-max-intset-entries')))
  config.onChange('set-max-listpack-entries', () => {
    sets.listpackCountMax = config.number('set-max-listpack-entries')
  })
  config.onChange('set-max-listpack-value', () => (sets.listpackLenMax = config.number('set-max-listpack-value')))
  config.onChange('hash-max-listpack-entries', () => {
    hashes.listpackCountMax = config.number('hash-max-listpack-entries')
  })
  config.onChange('hash-max-listpack-value', () => (hashes.listpackLenMax = config.number('hash-max-listpack-value')))
  config.onChange('zset-max-listpack-entries', () => {
    zsets.listpackCountMax = config.number('zset-max-listpack-entries')
  })
  config.onChange('stream-node-max-bytes', () => (streams.log.nodeBytesMax = config.number('stream-node-max-bytes')))
  config.onChange('stream-node-max-entries', () => {
    streams.log.nodeEntriesMax = config.number('stream-node-max-entries')
  })
  config.onChange('hll-sparse-max-bytes', () => (keyspace.hllSparseLenMax = config.number('hll-sparse-max-bytes')))
  config.onChange('zset-max-listpack-value', () => (zsets.listpackLenMax = config.number('zset-max-listpack-value')))
}
