/* How readily Linux ends this process when memory runs out: oom-score-adj and oom-score-adj-values, as far as they are
 * about a server without replicas and children.
 *
 * What the score was before is remembered when it is first changed, and is put back when oom-score-adj becomes `no`. */
import { readFileSync, writeFileSync } from 'node:fs'
import type { Config } from './config/config.ts'
import { errorText } from './config/text.ts'
import type { Log } from './log.ts'

const FILE = '/proc/self/oom_score_adj'
/** The kernel takes scores from its negative up to this. */
const SCORE_MAX = 1000

export class OomScore {
  private readonly config: Config
  private readonly log: Log
  private readonly file: string
  /** The score that the process started with; undefined while it has that. */
  private initial: number | undefined

  constructor(config: Config, log: Log, file = FILE) {
    this.config = config
    this.log = log
    this.file = file
  }

  /** Sets the score now and whenever it is configured anew. */
  follow(): void {
    const apply = (): string | undefined =>
      this.set() ? undefined : 'Failed to set current oom_score_adj. Check server logs.'
    this.config.onApply('oom-score-adj', apply)
    this.config.onApply('oom-score-adj-values', apply)
    this.set()
  }

  /** False if the system refuses, as it does when a process without privileges would lower its score. */
  private set(): boolean {
    const mode = this.config.choice('oom-score-adj')
    if (mode === 'no' && this.initial === undefined) return true
    try {
      this.initial ??= Number(readFileSync(this.file, 'latin1'))
      writeFileSync(this.file, `${this.wanted(mode, this.initial)}\n`)
    } catch (error) {
      this.log.warn(`Unable to set oom_score_adj: ${errorText(error)}`)
      return false
    }
    if (mode === 'no') this.initial = undefined
    return true
  }

  private wanted(mode: string, initial: number): number {
    if (mode === 'no') return initial
    const [primary] = this.config.value('oom-score-adj-values')
    const score = mode === 'absolute' ? primary : initial + primary
    return Math.min(Math.max(score, -SCORE_MAX), SCORE_MAX)
  }
}
