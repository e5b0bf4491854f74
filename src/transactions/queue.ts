/* Queue: the commands of a transaction, from MULTI to EXEC, as bytes.
 *
 *   bytes     | SET key value | INCR counter | …       arguments one behind the other
 *   numbers   | id | argc | hint | hash | pos | len | pos | len | … | id | argc | …
 *
 * No object, no string for a command or an argument. `hash` is that of the command's first key if it was known when the
 * command came (`hint`), so that it need not be worked out again. Queues are kept for the next transaction while they
 * are small.
 *
 * Always: every range lies in bytes[0 … size); `count` commands are in numbers[0 … used). */
import { copyBytes } from '../lib/bytes.ts'

const BYTES_MIN = 1024
const NUMBERS_MIN = 256
/** Numbers in front of a command's ranges. */
const FIXED_NUMBERS = 4
/** Bytes of numbers to an argument, for `memoryBytes`. */
const RANGE_BYTES = 8
/** What a kept queue may hold on to. */
const KEPT_BYTES_MAX = 16 * 1024
const KEPT_NUMBERS_MAX = 4 * 1024
const KEPT_MAX = 64

export class Queue {
  bytes = new Uint8Array(BYTES_MIN)
  count = 0
  /** Bytes of arguments. */
  size = 0
  private numbers = new Int32Array(NUMBERS_MIN)
  private used = 0
  private argumentCount = 0
  // What `next` has come to.
  private at = 0
  commandId = 0
  argc = 0
  isHinted = false
  hash = 0

  /** Bytes that the commands take, by Redis's count: arguments, and what points to each. */
  get memoryBytes(): number {
    return this.size + this.argumentCount * RANGE_BYTES
  }

  /** Bytes held, used or not. */
  get capacity(): number {
    return this.bytes.length + this.numbers.byteLength
  }

  /** Adds a command whose arguments are ranges of `bytes`; `hash` is its first key's, if `isHinted`. */
  add(
    commandId: number,
    bytes: Uint8Array,
    pos: Int32Array,
    len: Int32Array,
    argc: number,
    isHinted: boolean,
    hash: number,
  ): void {
    let added = 0
    for (let index = 0; index < argc; index++) added += len[index]!
    this.makeRoom(added, FIXED_NUMBERS + 2 * argc)
    const numbers = this.numbers
    let at = this.used
    numbers[at] = commandId
    numbers[at + 1] = argc
    numbers[at + 2] = isHinted ? 1 : 0
    numbers[at + 3] = hash
    at += FIXED_NUMBERS
    let end = this.size
    for (let index = 0; index < argc; index++) {
      const length = len[index]!
      copyBytes(bytes, pos[index]!, this.bytes, end, length)
      numbers[at] = end
      numbers[at + 1] = length
      at += 2
      end += length
    }
    this.size = end
    this.used = at
    this.argumentCount += argc
    this.count++
  }

  private makeRoom(bytes: number, numbers: number): void {
    if (this.size + bytes > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.bytes.length * 2, this.size + bytes))
      larger.set(this.bytes)
      this.bytes = larger
    }
    if (this.used + numbers > this.numbers.length) {
      const larger = new Int32Array(Math.max(this.numbers.length * 2, this.used + numbers))
      larger.set(this.numbers)
      this.numbers = larger
    }
  }

  /** Goes back to the first command. */
  rewind(): void {
    this.at = 0
  }

  /** Reads the head of the next command; `ranges` must follow. */
  next(): void {
    const { numbers, at } = this
    this.commandId = numbers[at]!
    this.argc = numbers[at + 1]!
    this.isHinted = numbers[at + 2] === 1
    this.hash = numbers[at + 3]!
    this.at = at + FIXED_NUMBERS
  }

  /** Writes the ranges of that command's arguments. */
  ranges(pos: Int32Array, len: Int32Array): void {
    const { numbers, argc } = this
    let at = this.at
    for (let index = 0; index < argc; index++) {
      pos[index] = numbers[at]!
      len[index] = numbers[at + 1]!
      at += 2
    }
    this.at = at
  }

  clear(): void {
    this.count = 0
    this.size = 0
    this.used = 0
    this.argumentCount = 0
    this.at = 0
  }

  get isSmall(): boolean {
    return this.bytes.length <= KEPT_BYTES_MAX && this.numbers.length <= KEPT_NUMBERS_MAX
  }
}

/** Queues that are not in use. */
export class QueuePool {
  private readonly queues: Queue[] = []

  take(): Queue {
    return this.queues.pop() ?? new Queue()
  }

  give(queue: Queue): void {
    if (this.queues.length >= KEPT_MAX || !queue.isSmall) return
    queue.clear()
    this.queues.push(queue)
  }
}
