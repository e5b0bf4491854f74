import { expect, test } from 'vitest'
import { HashEncoding } from '../../../../src/keyspace/entry.ts'
import { Keyspace } from '../../../../src/keyspace/keyspace.ts'
import { CommandImage } from '../../../../src/persistence/aof/image.ts'
import { bytesOf, Collector } from '../rdb/support.ts'

test('fields that expire are written as commands that say when', () => {
  const keyspace = new Keyspace(1)
  const { hashes } = keyspace
  const db = keyspace.databases[0]!
  const key = bytesOf('h')
  db.lookupWrite(key, 0, 1)
  const entry = hashes.create(HashEncoding.LISTPACK, key, 0, 1)
  for (const field of ['a', 'b', 'c']) hashes.set(entry, bytesOf(field), 0, 1, bytesOf('1'), 0, 1)
  hashes.letExpire(entry)
  hashes.expiring.seek(entry, bytesOf('b'), 0, 1)
  hashes.expiring.setDue(entry, bytesOf('b'), 0, 1, 4_000_000_000_000)
  const sink = new Collector()
  const image = new CommandImage(keyspace, sink, { second: 0, functions: null })
  image.begin()
  image.entry(0, entry)
  image.end()
  const words = Buffer.from(sink.all).toString().split('\r\n')
  const text = words.filter((word) => word !== '' && !/^[*$]/.test(word)).join(' ')
  expect(text).toBe('SELECT 0 HMSET h b 1 a 1 c 1 HPEXPIREAT h 4000000000000 FIELDS 1 b')
})
