import { expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { ALL, NameList } from '../../../src/tracking/name-list.ts'

function read(list: NameList): (string | null)[] {
  const names: (string | null)[] = []
  while (list.next()) names.push(list.len === ALL ? null : latin1(list.bytes, list.pos, list.len))
  return names
}

test('names come out as they went in, those that stand for all among them', () => {
  const list = new NameList()
  const names = ['', 'a', null, 'k'.repeat(300), 'k'.repeat(70_000), null, 'ÿ\0\r\n']
  for (let round = 0; round < 3; round++) {
    expect(list.isEmpty).toBe(true)
    for (const name of names) {
      const bytes = fromLatin1(`before${name}behind`)
      if (name === null) list.addAll()
      else list.add(bytes, 'before'.length, name.length)
    }
    expect(list.isEmpty).toBe(false)
    expect(read(list)).toEqual(names)
    list.clear()
  }
  expect(read(list)).toEqual([])
})
