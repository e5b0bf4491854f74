/* A target: the connection to a server that keys are moved to. Bytes go out in portions and lines come in, each within
 * the time that the client gave; connections are kept for a while, for MIGRATE seldom comes alone. */
import { connect, type Socket } from 'node:net'

/** Kept connections, at most, and for how long after their last use. */
const KEPT_MAX = 64
const KEPT_MS = 10_000
/** Bytes that must go out within the time given. */
const PORTION = 64 * 1024
/** A longer line is no reply to what was sent. */
const LINE_LEN_MAX = 1024 * 1024

/** What ended an exchange before its time: the time was up, or something broke. */
export class TargetError extends Error {
  readonly isTimeout: boolean

  constructor(isTimeout: boolean) {
    super(isTimeout ? 'timeout' : 'broken')
    this.isTimeout = isTimeout
  }
}

type Done = (succeeded: boolean) => void

export class Target {
  readonly name: string
  /** The database that was selected last; -1 if that is not known. */
  dbIndex = -1
  usedAtMs = 0
  isBroken = false
  private readonly socket: Socket
  private received = ''
  /** Who waits for the connection, for bytes, and (whatever they wait for) to know when that is in vain. */
  private onConnect: Done | null = null
  private onData: Done | null = null
  private onClose: Done | null = null

  constructor(name: string, host: string, port: number) {
    this.name = name
    this.socket = connect({ host, port, noDelay: true })
    this.socket.setEncoding('latin1')
    this.socket.on('connect', () => this.onConnect?.(true))
    this.socket.on('data', (text: string) => {
      this.received += text
      this.onData?.(true)
    })
    this.socket.on('error', () => {}) // 'close' follows
    this.socket.on('close', () => this.close())
  }

  /** Begins something, and waits until it says that it is done, for so long. */
  private within(timeoutMs: number, begin: (done: Done) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isBroken) return reject(new TargetError(false))
      const timer = setTimeout(() => reject(new TargetError(true)), timeoutMs)
      const done: Done = (succeeded) => {
        clearTimeout(timer)
        this.onClose = null
        if (succeeded) resolve()
        else reject(new TargetError(false))
      }
      this.onClose = done
      begin(done)
    })
  }

  async connected(timeoutMs: number): Promise<void> {
    if (!this.socket.connecting) return
    await this.within(timeoutMs, (done) => {
      this.onConnect = done
    })
  }

  async write(bytes: Uint8Array, timeoutMs: number): Promise<void> {
    for (let pos = 0; pos < bytes.length; pos += PORTION) {
      const portion = bytes.subarray(pos, pos + PORTION)
      await this.within(timeoutMs, (done) => {
        this.socket.write(portion, (error) => done(error === undefined || error === null))
      })
    }
  }

  /** The next line, as latin1 and without its end. */
  async line(timeoutMs: number): Promise<string> {
    for (;;) {
      const end = this.received.indexOf('\n')
      if (end >= 0) {
        const line = this.received.slice(0, end).replace(/\r$/, '')
        this.received = this.received.slice(end + 1)
        return line
      }
      if (this.received.length > LINE_LEN_MAX) throw new TargetError(false)
      await this.within(timeoutMs, (done) => {
        this.onData = done
      })
      this.onData = null
    }
  }

  close(): void {
    this.isBroken = true
    this.socket.destroy()
    this.onClose?.(false)
  }
}

/** The connections that are kept. */
export class Targets {
  private readonly kept = new Map<string, Target>()

  get count(): number {
    return this.kept.size
  }

  /** The connection to a server: the one that is kept, or a new one. */
  get(host: string, port: number, nowMs: number): Target {
    const name = `${host}:${port}`
    let target = this.kept.get(name)
    if (target === undefined || target.isBroken) {
      if (this.kept.size >= KEPT_MAX) this.drop([...this.kept.values()][0]!)
      target = new Target(name, host, port)
      this.kept.set(name, target)
    }
    target.usedAtMs = nowMs
    return target
  }

  /** Closes a connection, which is no good any more. */
  drop(target: Target): void {
    target.close()
    if (this.kept.get(target.name) === target) this.kept.delete(target.name)
  }

  /** Closes the connections that have not been used for a while. */
  tidy(nowMs: number): void {
    for (const target of this.kept.values()) {
      if (target.isBroken || nowMs - target.usedAtMs > KEPT_MS) this.drop(target)
    }
  }

  close(): void {
    for (const target of [...this.kept.values()]) this.drop(target)
  }
}
