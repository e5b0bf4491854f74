import { expect, test } from 'vitest'
import { fromLatin1, latin1 } from '../../../src/lib/bytes.ts'
import { ScriptFlag } from '../../../src/scripting/engine.ts'
import { readLibraryHead, readShebang } from '../../../src/scripting/shebang.ts'

const script = (text: string) => readShebang(fromLatin1(text))

test.each([
  ['return 1', { flags: ScriptFlag.UNDECLARED, len: 0 }],
  ['#!lua\n', { flags: 0, len: 5 }],
  ['#!lua flags=no-writes,allow-oom\nx', { flags: ScriptFlag.NO_WRITES | ScriptFlag.ALLOW_OOM, len: 31 }],
  ['#!lua "flags=no-cluster"\nx', { flags: ScriptFlag.NO_CLUSTER, len: 24 }],
  ['#!lua flags=\n', { flags: 0, len: 12 }],
  ['#!lua', 'Invalid script shebang'],
  ['#!lua\0\n', 'Invalid script shebang'],
  ['#!lua "\n', 'Invalid engine in script shebang'],
  ['#!LUA\n', 'Unexpected engine in script shebang: #!LUA'],
  ['#!lua flags=a\n', 'Unexpected flag in script shebang: a'],
  ['#!lua flags=no-writes,\n', 'Unexpected flag in script shebang: '],
  ['#!lua name=a\n', 'Unknown lua shebang option: name=a'],
])('a script that begins with %j', (text, wanted) => {
  expect(script(text)).toEqual(wanted)
})

test.each([
  ['return 1', 'Missing library metadata'],
  ['#!lua name=a', 'Invalid library metadata'],
  ['#!lua\n', 'Library name was not given'],
  ['#!lua name=a name=b\n', 'Invalid metadata value, name argument was given multiple times'],
  ['#!lua flags=a\n', 'Invalid metadata value given: flags=a'],
  ['#!lua name=\n', expect.stringContaining('Library names can only contain')],
  ['#!js name=a\n', "Engine 'js' not found"],
])('a library that begins with %j', (text, wanted) => {
  expect(readLibraryHead(fromLatin1(text))).toEqual(wanted)
})

test("a library's lines keep their numbers", () => {
  const head = readLibraryHead(fromLatin1('#!LUA NAME=my_lib\nreturn 1'))
  if (typeof head === 'string') throw new Error(head)
  expect(head.name).toBe('my_lib')
  expect(latin1(head.code, 0, head.code.length)).toBe('\nreturn 1')
})
