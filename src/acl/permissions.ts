/* Permissions: whether a user may run a command with its arguments. Each selector is asked about all of it; what is
 * told of is what the selector missed that came furthest: keys and channels say more than commands, later arguments
 * more than earlier ones. */
import type { Command } from '../commands/definition.ts'
import { Reason } from './log.ts'
import { Access, type Selector } from './selector.ts'
import type { User } from './user.ts'

/** The arguments of a call, from the command's name on. */
export interface Arguments {
  readonly bytes: Uint8Array
  readonly argc: number
  pos(index: number): number
  len(index: number): number
  text(index: number): string
  /** The keys: `key(slot)` is an argument, `access(slot)` what is done to it; none if `keyCount` is 0. */
  readonly keyCount: number
  key(slot: number): number
  access(slot: number): number
}

/** What is missing, and which argument shows it. */
export interface Denial {
  readonly reason: Reason
  readonly index: number
}

/** Commands that name channels: from which argument on, how many (0: all that follow), whether they are patterns. */
const CHANNELS: ReadonlyMap<string, readonly [first: number, count: number, patterns: boolean]> = new Map([
  ['publish', [1, 1, false]],
  ['spublish', [1, 1, false]],
  ['subscribe', [1, 0, false]],
  ['ssubscribe', [1, 0, false]],
  ['psubscribe', [1, 0, true]],
])

const SEVERITY = { command: 1, key: 2, channel: 3, auth: 0 } as const

/** undefined if the user may run it. `always`: it may be run before AUTH, thus by everybody. */
export function denialOf(user: User, command: Command, args: Arguments, always: boolean): Denial | undefined {
  let worst: Denial = { reason: Reason.COMMAND, index: 0 }
  for (const selector of user.selectors) {
    const denial = check(selector, command, args, always)
    if (denial === undefined) return undefined
    const more = SEVERITY[denial.reason] - SEVERITY[worst.reason]
    if (more > 0 || (more === 0 && denial.index > worst.index)) worst = denial
  }
  return worst
}

function check(selector: Selector, command: Command, args: Arguments, always: boolean): Denial | undefined {
  if (!always && !mayRun(selector, command, args)) return { reason: Reason.COMMAND, index: 0 }
  if (!selector.allKeys) {
    for (let slot = 0; slot < args.keyCount; slot++) {
      const index = args.key(slot)
      if (!selector.mayUse(args.access(slot), args.bytes, args.pos(index), args.len(index))) {
        return { reason: Reason.KEY, index }
      }
    }
  }
  return selector.allChannels ? undefined : checkChannels(selector, command, args)
}

function mayRun(selector: Selector, command: Command, args: Arguments): boolean {
  const at = command.parent === null ? 1 : 2
  const first = selector.asksFirst(command) && args.argc > at ? args.text(at) : undefined
  return selector.mayRun(command, first)
}

function checkChannels(selector: Selector, command: Command, args: Arguments): Denial | undefined {
  const channels = CHANNELS.get(command.fullName)
  if (channels === undefined) return undefined
  const [first, count, patterns] = channels
  const after = count === 0 ? args.argc : first + count
  for (let index = first; index < after; index++) {
    if (!selector.mayHear(patterns, args.bytes, args.pos(index), args.len(index))) {
      return { reason: Reason.CHANNEL, index }
    }
  }
  return undefined
}

/** Whether a user may run it, and read whatever keys it comes to. */
export function mayReadAll(user: User, command: Command, args: Arguments): boolean {
  return user.selectors.some(
    (selector) => selector.mayUseAll(Access.READ) && check(selector, command, args, false) === undefined,
  )
}

/** In words. `object` is the key or channel; without it, nothing is said about which. */
export function denialText(user: User, command: Command, reason: Reason, object?: string): string {
  if (reason === Reason.COMMAND) return `User ${user.name} has no permissions to run the '${command.fullName}' command`
  if (object === undefined) return `No permissions to access a ${reason}`
  return `User ${user.name} has no permissions to access the '${object}' ${reason}`
}

/** Whether a subscriber may go on listening to this, as the user will be. */
export function mayStillHear(user: User, isPattern: boolean, name: Uint8Array): boolean {
  return user.selectors.some((selector) => selector.mayHear(isPattern, name, 0, name.length))
}

/** Whether the user has lost channels: then those who listen as this user must be looked at. */
export function losesChannels(before: User, after: User): boolean {
  if (after.selectors.some((selector) => selector.allChannels)) return false
  const kept = new Set(after.selectors.flatMap((selector) => selector.channelTexts))
  return before.selectors.some(
    (selector) => selector.allChannels || selector.channelTexts.some((channel) => !kept.has(channel)),
  )
}
