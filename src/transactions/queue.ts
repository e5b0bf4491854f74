/* Queue: the commands of a transaction, from MULTI to EXEC, as bytes.
 *
 *   bytes     | SET key value | INCR counter | …       arguments one behind the other
 *   numbers   | id | argc | hint | hash | pos | len | pos | len | … | id | argc | …
 *
 * No object, no string for a command or an argument. `hash` is that of the command's first key if it was known when the
 * command came (`hint`), so that it need not be worked out again. Queues are kept for the next transaction while they
 * are small.
 *
 * Most transactions come in one read, EXEC included: then nothing is copied, `bytes` are those of the read. Who lent
 * them says when they are about to change (`settle`), and what is queued by then moves to bytes of the queue's own.
 *
 * Always: every range lies in `bytes`, in own[0 … size) if those are its own; `count` commands are in
 * numbers[0 … used). */
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
  /** What the ranges are of: `own`, or what has been lent. */
  bytes: Uint8Array = new Uint8Array(BYTES_MIN)
  count = 0
  /** Bytes of arguments. */
  size = 0
  private own: Uint8Array = this.bytes
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
    return this.own.length + this.numbers.byteLength
  }

  /** Adds a command whose arguments are ranges of `bytes`; `hash` is its first key's, if `isHinted`. `isLent`: the
   *  bytes stay as they are until `settle`. */
  add(
    commandId: number,
    bytes: Uint8Array,
    pos: Int32Array,
    len: Int32Array,
    argc: number,
    isHinted: boolean,
    hash: number,
    isLent = false,
  ): void {
    if (isLent && this.count === 0) this.bytes = bytes
    else if (this.bytes !== bytes) this.settle()
    if (this.used + FIXED_NUMBERS + 2 * argc > this.numbers.length) this.makeRoom(FIXED_NUMBERS + 2 * argc)
    const numbers = this.numbers
    let at = this.used
    numbers[at] = commandId
    numbers[at + 1] = argc
    numbers[at + 2] = isHinted ? 1 : 0
    numbers[at + 3] = hash
    at += FIXED_NUMBERS
    const first = at
    let added = 0
    for (let index = 0; index < argc; index++) {
      const length = len[index]!
      numbers[at] = pos[index]!
      numbers[at + 1] = length
      at += 2
      added += length
    }
    if (this.bytes !== bytes) this.copy(bytes, first, argc, this.size, added)
    this.size += added
    this.used = at
    this.argumentCount += argc
    this.count++
  }

  /** Copies a command's arguments, whose ranges are in `numbers`, to own[target …). */
  private copy(bytes: Uint8Array, first: number, argc: number, target: number, len: number): void {
    const needed = target + len
    if (needed > this.own.length) {
      const larger = new Uint8Array(Math.max(this.own.length * 2, needed))
      larger.set(this.own)
      if (this.bytes === this.own) this.bytes = larger
      this.own = larger
    }
    const { own, numbers } = this
    let end = target
    for (let at = first; at < first + 2 * argc; at += 2) {
      const length = numbers[at + 1]!
      copyBytes(bytes, numbers[at]!, own, end, length)
      numbers[at] = end
      end += length
    }
  }

  /** What was lent is about to change: keeps a copy of what is queued. */
  settle(): void {
    const { bytes, numbers } = this
    if (bytes === this.own) return
    let size = 0
    for (let at = 0; at < this.used; ) {
      const argc = numbers[at + 1]!
      const first = at + FIXED_NUMBERS
      at = first + 2 * argc
      let len = 0
      for (let index = first + 1; index < at; index += 2) len += numbers[index]!
      this.copy(bytes, first, argc, size, len)
      size += len
    }
    this.bytes = this.own
  }

  private makeRoom(numbers: number): void {
    const larger = new Int32Array(Math.max(this.numbers.length * 2, this.used + numbers))
    larger.set(this.numbers)
    this.numbers = larger
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
    this.bytes = this.own
    this.count = 0
    this.size = 0
    this.used = 0
    this.argumentCount = 0
    this.at = 0
  }

  get isSmall(): boolean {
    return this.own.length <= KEPT_BYTES_MAX && this.numbers.length <= KEPT_NUMBERS_MAX
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
