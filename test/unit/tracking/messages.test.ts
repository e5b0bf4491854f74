import { expect, test } from 'vitest'
import { fromLatin1 } from '../../../src/lib/bytes.ts'
import {
  brokenRedirect,
  CHANNEL_HEAD,
  messageOf,
  messageOfOne,
  NamesWriter,
  NULL_RESP3,
  PUSH_HEAD,
} from '../../../src/tracking/messages.ts'

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

test.each(['', 'k', 'key:12', 'x'.repeat(100), 'x'.repeat(12_345)])('one name is told in an array: %j', (name) => {
  const bytes = fromLatin1(`<${name}>`)
  const array = `*1\r\n$${name.length}\r\n${name}\r\n`
  expect(text(messageOfOne(PUSH_HEAD, bytes, 1, name.length))).toBe(`>2\r\n$10\r\ninvalidate\r\n${array}`)
  expect(text(messageOfOne(CHANNEL_HEAD, bytes, 1, name.length))).toBe(
    `*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n${array}`,
  )
})

test('many names are one array', () => {
  const names = Array.from({ length: 1000 }, (_, index) => 'n'.repeat(index % 120))
  let size = 0
  for (const name of names) size += NamesWriter.sizeOf(name.length)
  const writer = new NamesWriter(names.length, size)
  for (const name of names) writer.add(fromLatin1(name), 0, name.length)
  const array = writer.take()
  expect(text(array)).toBe(`*1000\r\n${names.map((name) => `$${name.length}\r\n${name}\r\n`).join('')}`)
  expect(text(messageOf(PUSH_HEAD, array))).toBe(`>2\r\n$10\r\ninvalidate\r\n${text(array)}`)
})

test('all names are null, and a broken redirection names the client', () => {
  expect(text(messageOf(PUSH_HEAD, NULL_RESP3))).toBe('>2\r\n$10\r\ninvalidate\r\n_\r\n')
  expect(text(brokenRedirect(77))).toBe('>2\r\n$21\r\ntracking-redir-broken\r\n:77\r\n')
})
