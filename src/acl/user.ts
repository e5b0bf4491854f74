/* A user: a name, passwords (their SHA-256 digests in hexadecimal), and what it may do (selector.ts).
 *
 * `set` takes one of ACL SETUSER's rules. What is wrong is answered, in Redis's words; the user may have changed by
 * then, so whoever wants all or nothing works on a copy. */
import { crypto } from '../lib/crypto.ts'
import { type Commands, RuleError, Selector, selectorOf } from './selector.ts'

const HASH = /^[0-9a-f]{64}$/

const hashOf = (password: string): string => crypto().createHash('sha256').update(password, 'latin1').digest('hex')

/** What all users have in common. */
export interface Setting {
  readonly commands: Commands
  /** acl-pubsub-default: whether new users may use all channels. */
  allChannels: boolean
}

export class User {
  readonly name: string
  enabled = false
  /** Any password will do. */
  noPassword = false
  /** What RESTORE does with this user's payloads, as far as rules tell: it examines all of them. */
  skipsSanitizing = false
  passwords: string[] = []
  /** The first is the user's own, the root. */
  selectors: Selector[]
  private readonly setting: Setting

  constructor(name: string, setting: Setting) {
    this.name = name
    this.setting = setting
    this.selectors = [new Selector(setting.commands, setting.allChannels)]
  }

  get root(): Selector {
    return this.selectors[0]!
  }

  get isUnlimited(): boolean {
    return this.selectors.some((selector) => selector.isUnlimited)
  }

  /** Takes over all that another one has but its name. */
  assign(other: User): void {
    this.enabled = other.enabled
    this.noPassword = other.noPassword
    this.skipsSanitizing = other.skipsSanitizing
    this.passwords = [...other.passwords]
    this.selectors = other.selectors.map((selector) => selector.copy())
  }

  copy(): User {
    const copy = new User(this.name, this.setting)
    copy.assign(this)
    return copy
  }

  /** Applies a rule; answers what is wrong with it. */
  set(rule: string): string | undefined {
    const lower = rule.toLowerCase()
    if (rule === '') return undefined
    if (lower === 'on' || lower === 'off') this.enabled = lower === 'on'
    else if (lower === 'skip-sanitize-payload') this.skipsSanitizing = true
    else if (lower === 'sanitize-payload') this.skipsSanitizing = false
    else if (lower === 'nopass' || lower === 'resetpass') {
      this.noPassword = lower === 'nopass'
      this.passwords = []
    } else if (lower === 'clearselectors') this.selectors.length = 1
    else if (lower === 'reset') this.reset()
    else if ('>#<!'.includes(rule[0]!)) return this.setPassword(rule[0]!, rule.slice(1))
    else if (rule.startsWith('(') && rule.endsWith(')')) return this.addSelector(rule)
    else return this.root.set(rule)
    return undefined
  }

  private reset(): void {
    const { setting } = this
    this.enabled = false
    this.noPassword = false
    this.skipsSanitizing = false
    this.passwords = []
    this.selectors = [new Selector(setting.commands, setting.allChannels)]
  }

  private setPassword(sign: string, text: string): string | undefined {
    const isHash = sign === '#' || sign === '!'
    if (isHash && !HASH.test(text)) return RuleError.BAD_HASH
    const hash = isHash ? text : hashOf(text)
    const index = this.passwords.indexOf(hash)
    if (sign === '<' || sign === '!') {
      if (index < 0) return RuleError.NO_PASSWORD
      this.passwords.splice(index, 1)
      return undefined
    }
    if (index < 0) this.passwords.push(hash)
    this.noPassword = false
    return undefined
  }

  private addSelector(text: string): string | undefined {
    const selector = selectorOf(this.setting.commands, this.setting.allChannels, text)
    if (typeof selector === 'string') return selector
    this.selectors.push(selector)
    return undefined
  }

  /** Whether this password lets one in. Every one that there is is compared, in the same time. */
  accepts(password: string): boolean {
    if (!this.enabled) return false
    if (this.noPassword) return true
    const given = Buffer.from(hashOf(password))
    let accepted = false
    for (const hash of this.passwords) if (crypto().timingSafeEqual(given, Buffer.from(hash))) accepted = true
    return accepted
  }

  get flags(): readonly string[] {
    return [
      this.enabled ? 'on' : 'off',
      ...(this.noPassword ? ['nopass'] : []),
      this.skipsSanitizing ? 'skip-sanitize-payload' : 'sanitize-payload',
    ]
  }

  /** As ACL LIST and the files have it, without the name. */
  describe(): string {
    const [root, ...others] = this.selectors.map((selector) => selector.describe())
    const parts = [...this.flags, ...this.passwords.map((hash) => `#${hash}`), root!]
    return [...parts, ...others.map((each) => `(${each})`)].join(' ')
  }
}
