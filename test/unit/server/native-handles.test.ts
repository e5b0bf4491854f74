import { expect, test } from 'vitest'
import { isLoopback } from '../../../src/server/native-handles.ts'

test.each([
  ['127.0.0.1:6379', true],
  ['127.1.2.3:1', true],
  ['[::1]:6379', true],
  ['[::1:2]:6379', false],
  ['12.7.0.1:6379', false],
  ['10.0.0.1:127', false],
  ['', false],
])('protected mode lets everybody in from the loopback interface, and nobody else: %s', (name, expected) => {
  expect(isLoopback(name)).toBe(expected)
})
