/* Lookup: the commands that have something in common, and the keys that a call names. For COMMAND and others that are
 * not in a hurry. */

import { Category, type Command } from '../definition.ts'
import { findKeys, findKeysLoosely, KeyFlag, KeyWords, type Words } from './key-specs.ts'

/** The bit of the category so called ('hash', in any case), 0 if there is none. */
export function categoryOf(name: string): number {
  return Object.hasOwn(Category, name.toUpperCase()) ? Category[name.toUpperCase() as keyof typeof Category] : 0
}

/** The full names of the commands and subcommands that `accepts` takes. */
export function listNames(commands: readonly Command[], accepts: (command: Command) => boolean): readonly string[] {
  const names: string[] = []
  for (const command of commands) {
    if (accepts(command)) names.push(command.fullName)
    names.push(...listNames(command.subcommands, accepts))
  }
  return names
}

/** The keys of a call; none if the call makes no sense, or names none. A spec is believed unless the use of its keys
 *  depends on the other arguments. */
export function keysOfCall(command: Command, words: Words): KeyWords {
  const keys = new KeyWords()
  const isReliable = command.keySpecs.every((spec) => (spec.flags & KeyFlag.VARIABLE_FLAGS) === 0)
  if (isReliable && findKeys(command.keySpecs, words, keys)) return keys
  if (command.keysOf) command.keysOf(words, keys)
  else findKeysLoosely(command.keySpecs, words, keys)
  return keys
}
