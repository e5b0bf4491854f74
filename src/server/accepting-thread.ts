/* The accepting thread: takes new connections while the loop stands still in a script that runs too long.
 *
 *   this thread                           the accepting thread, with a loop of its own
 *   script … poll: resume ── WORKS ─────> listens at the same descriptors (threads share them), accepts,
 *            poll: take <── ring ──────── and leaves each connection's descriptor in shared memory
 *   script ends: rest ────── RESTS ─────> sleeps in Atomics.wait, so that its loop takes no more
 *   loop: take again  <── message ─────── what it had accepted until then
 *
 * It is started by the first script that runs too long, and costs nothing before: 10 to 20 MB then.
 *
 * What a handle is made of a descriptor for is here, in the loop that serves it. The thread's own handles are never
 * used again, and must never be closed: that would close the descriptor, which is this thread's, or by then another
 * file's. So the thread is never ended but with the process; where the server listens elsewhere in the meantime, it is
 * left asleep and another begins.
 *
 * Shared memory, in 32-bit words:
 *
 *   0 STATE | 1 TAKEN | 2 LEFT | 3 NEVER | ring of RING_SIZE pairs: descriptor, which of the listening descriptors
 *
 * TAKEN and LEFT count pairs, modulo 2^32; each is written by one side only. NEVER remains 0. */
import type { Server as NetServer } from 'node:net'
import { SHARE_ENV, Worker } from 'node:worker_threads'

const Word = { STATE: 0, TAKEN: 1, LEFT: 2, NEVER: 3, RING: 4 } as const
const State = { RESTS: 0, WORKS: 1 } as const
const RING_SIZE = 1024
/** Milliseconds between two looks of the thread at its state. */
const LOOK_MS = 5
/** The thread keeps a handle of every connection that it has accepted. When it has so many it accepts no more. */
const KEPT_MAX = 1 << 17

/** What the thread runs: a text, since it must be there in a bundle and from the sources alike. A listening handle that
 *  cannot be had is left out; its connections wait for the script's end. If the script has ended before the thread
 *  begins, the descriptors may by then be closed, or others': they are looked at when there is the next script. */
const PROGRAM = `
const { parentPort, workerData: { words, descriptors, backlog } } = require('node:worker_threads')
const wraps = [['tcp_wrap', 'TCP'], ['pipe_wrap', 'Pipe']]
const accepted = []
const kept = []
Atomics.wait(words, ${Word.STATE}, ${State.RESTS})
descriptors.forEach(({ fd, unix }, index) => {
  const [name, type] = wraps[Number(unix)]
  const { [type]: Handle, constants } = process.binding(name)
  const listening = new Handle(constants.SERVER)
  kept.push(listening)
  if ((listening.open(fd) || 0) !== 0) return
  listening.onconnection = (status, handle) => {
    if (status !== 0 || handle === undefined) return
    kept.push(handle)
    accepted.push(handle.fd, index)
  }
  listening.listen(backlog)
})
function turn() {
  leave()
  const isUsedUp = kept.length > ${KEPT_MAX}
  if (isUsedUp || Atomics.load(words, ${Word.STATE}) === ${State.RESTS}) {
    parentPort.postMessage(null) // also if the ring is full, or what is left over would stay here
    if (accepted.length === 0) Atomics.wait(words, isUsedUp ? ${Word.NEVER} : ${Word.STATE}, ${State.RESTS})
  }
  setTimeout(turn, ${LOOK_MS})
}
function leave() {
  let left = words[${Word.LEFT}]
  while (accepted.length > 0 && ((left - Atomics.load(words, ${Word.TAKEN})) | 0) < ${RING_SIZE}) {
    const place = ${Word.RING} + (left & ${RING_SIZE - 1}) * 2
    words[place] = accepted.shift()
    words[place + 1] = accepted.shift()
    left = (left + 1) | 0
  }
  Atomics.store(words, ${Word.LEFT}, left)
}
turn()
`

/** A socket that the server listens at. */
export interface Listening {
  /** Tells it from another one that has got the same descriptor later. */
  server: NetServer
  fd: number
  unix: boolean
}

export class AcceptingThread {
  private readonly listening: readonly Listening[]
  private readonly words = new Int32Array(new SharedArrayBuffer((Word.RING + RING_SIZE * 2) * 4))
  private readonly accept: (fd: number, unix: boolean) => void

  /** `accept` is told of each connection, in `take` or in a later turn of the loop. `failed`: the thread has ended.
   *  Throws if the system gives no thread. */
  constructor(
    listening: readonly Listening[],
    backlog: number,
    accept: (fd: number, unix: boolean) => void,
    failed: (error: Error) => void,
  ) {
    this.listening = listening
    this.accept = accept
    this.words[Word.STATE] = State.WORKS
    const descriptors = listening.map(({ fd, unix }) => ({ fd, unix }))
    const workerData = { words: this.words, descriptors, backlog }
    const worker = new Worker(PROGRAM, { eval: true, workerData, env: SHARE_ENV, execArgv: [] })
    worker.on('message', () => this.take())
    worker.on('error', failed)
    worker.unref()
  }

  /** Whether it listens at these. */
  isAt(listening: readonly Listening[]): boolean {
    return (
      listening.length === this.listening.length &&
      listening.every(({ server }, index) => server === this.listening[index]!.server)
    )
  }

  /** Accepts from now on. */
  resume(): void {
    Atomics.store(this.words, Word.STATE, State.WORKS)
    Atomics.notify(this.words, Word.STATE)
  }

  /** Accepts no more, from a few milliseconds on. */
  rest(): void {
    Atomics.store(this.words, Word.STATE, State.RESTS)
  }

  /** Hands on the connections that have been accepted since. */
  take(): void {
    const { words } = this
    const left = Atomics.load(words, Word.LEFT)
    for (let taken = words[Word.TAKEN]!; taken !== left; taken = (taken + 1) | 0) {
      const place = Word.RING + (taken & (RING_SIZE - 1)) * 2
      const [fd, index] = [words[place]!, words[place + 1]!]
      Atomics.store(words, Word.TAKEN, (taken + 1) | 0)
      this.accept(fd, this.listening[index]!.unix)
    }
  }
}
