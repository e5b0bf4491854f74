/* Pause: holds back clients' commands for a while: CLIENT PAUSE, and whatever else needs the data to stand still.
 *
 * Each purpose has its own mode and end; what counts is the most restrictive of those in force. Meanwhile nothing
 * expires: keys past their time read as missing, but stay. A client whose command must wait keeps it, undecoded, in its
 * input buffer, and stands in `waiting`; when the pause ends or becomes milder, those who wait go on, in the order in
 * which they came. A pause costs the others nothing: its admission is asked only while its gate is set. */

import { Flag } from '../commands/definition.ts'
import { Admission, type Admit, ServerGate } from '../commands/dispatcher.ts'
import { Gate } from '../commands/session.ts'
import type { Connection } from './connection.ts'
import { TIMER_MAX_MS } from './deadlines.ts'
import type { Server } from './server.ts'

/** What is held back; a greater one includes the lesser. */
export const PauseMode = { NONE: 0, WRITE: 1, ALL: 2 } as const
export type PauseMode = (typeof PauseMode)[keyof typeof PauseMode]

export const PausePurpose = { CLIENT: 0, SHUTDOWN: 1, FAILOVER: 2, MIGRATION: 3 } as const
export type PausePurpose = (typeof PausePurpose)[keyof typeof PausePurpose]

export class Pause {
  mode: PauseMode = PauseMode.NONE
  private readonly server: Server
  // By purpose.
  private readonly modes: PauseMode[] = [PauseMode.NONE, PauseMode.NONE, PauseMode.NONE, PauseMode.NONE]
  private readonly endsMs = [0, 0, 0, 0]
  private readonly waiting = new Set<Connection>()
  private timer: NodeJS.Timeout | undefined

  constructor(server: Server) {
    this.server = server
    server.dispatcher.addAdmission(this.admit)
    server.cron.onClockJump((jumpMs) => this.clockJumped(jumpMs))
  }

  /** Clients that wait. */
  get waitingCount(): number {
    return this.waiting.size
  }

  /** Begins a pause, or prolongs the one that there is for this purpose; it gets no shorter. */
  begin(purpose: PausePurpose, mode: PauseMode, endMs: number): void {
    this.modes[purpose] = mode
    if (endMs > this.endsMs[purpose]!) this.endsMs[purpose] = endMs
    this.update()
  }

  end(purpose: PausePurpose): void {
    this.modes[purpose] = PauseMode.NONE
    this.endsMs[purpose] = 0
    this.update()
  }

  /** A pause lasts as long as it was meant to. */
  private clockJumped(jumpMs: number): void {
    for (const [purpose, endMs] of this.endsMs.entries()) if (endMs > 0) this.endsMs[purpose] = endMs + jumpMs
    this.update()
  }

  modeOf(purpose: PausePurpose): PauseMode {
    return this.modes[purpose]!
  }

  /** A client has gone. */
  forget(connection: Connection): void {
    this.waiting.delete(connection)
  }

  /** Stops the clock. */
  close(): void {
    clearTimeout(this.timer)
  }

  private update(): void {
    const { dispatcher, keyspace } = this.server
    const before = this.mode
    let mode: PauseMode = PauseMode.NONE
    let nextEndMs = Number.POSITIVE_INFINITY
    for (let purpose = 0; purpose < this.modes.length; purpose++) {
      const endMs = this.endsMs[purpose]!
      if (endMs <= keyspace.now) {
        this.modes[purpose] = PauseMode.NONE
        this.endsMs[purpose] = 0
        continue
      }
      if (this.modes[purpose]! > mode) mode = this.modes[purpose]!
      if (endMs < nextEndMs) nextEndMs = endMs
    }
    this.mode = mode
    keyspace.expiryPaused = mode !== PauseMode.NONE
    if (mode === PauseMode.NONE) dispatcher.gates &= ~ServerGate.PAUSED
    else dispatcher.gates |= ServerGate.PAUSED
    this.watch(nextEndMs - keyspace.now)
    if (mode < before) this.release()
  }

  private watch(ms: number): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (ms === Number.POSITIVE_INFINITY) return
    this.timer = setTimeout(
      () => {
        this.server.dispatcher.begin()
        this.update()
      },
      Math.min(ms, TIMER_MAX_MS),
    )
    this.timer.unref()
  }

  private readonly admit: Admit = (call, command) => {
    const { session } = call
    // Redis counts monitors among the replicas, which are never held back.
    if (this.mode === PauseMode.NONE || (session.gates & Gate.MONITOR) !== 0) return Admission.RUN
    const isWrite = (command.flagsFor(call) & (Flag.WRITE | Flag.MAY_REPLICATE)) !== 0
    if (this.mode === PauseMode.WRITE && !isWrite) return Admission.RUN
    const connection = this.server.connections.get(session.id)
    if (connection === undefined) return Admission.RUN
    session.blocked = true
    this.waiting.add(connection)
    return Admission.POSTPONED
  }

  /** All who wait may try again; some may have to wait again. */
  private release(): void {
    for (const connection of this.waiting) connection.resume()
    this.waiting.clear()
  }
}
