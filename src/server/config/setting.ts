/* One directive with its current value: the place where a directive's record and its kind's code meet. */
import type { Directive, Kind, KindValues, Surroundings } from './directive.ts'
import type { AnyDirective } from './directives.ts'
import { type Context, KIND_TYPES, type Line, type Parsed } from './kinds.ts'

export class Setting {
  readonly directive: AnyDirective
  private current: KindValues[Kind]

  constructor(directive: AnyDirective) {
    this.directive = directive
    this.current = directive.initial
  }

  get value(): KindValues[Kind] {
    return this.current
  }

  /** As CONFIG GET shows it. */
  get shown(): string {
    return format(this.directive, this.current)
  }

  get isInitial(): boolean {
    return format(this.directive, this.current) === format(this.directive, this.directive.initial)
  }

  /** Takes the value that the arguments say, or answers why not. */
  parse(args: readonly string[], context: Context, around: Surroundings): string | undefined {
    const parsed = parse(this.directive, args, this.current, context)
    if ('error' in parsed) return parsed.error
    const error = check(this.directive, parsed.value, around)
    if (error !== undefined) return error
    this.current = parsed.value
    return undefined
  }

  /** Sets the value unchecked. It is of the directive's kind. */
  restore(value: KindValues[Kind]): void {
    this.current = value
  }

  /** What CONFIG REWRITE writes; undefined when the directive's lines are to go. */
  lines(): readonly Line[] | undefined {
    return lines(this.directive, this.current)
  }
}

/* The four below are generic so that the compiler sees a directive and its kind's code agree. */

function parse<K extends Kind>(
  directive: Directive<string, K>,
  args: readonly string[],
  current: KindValues[Kind],
  context: Context,
): Parsed<KindValues[K]> {
  return KIND_TYPES[directive.kind].parse(args, directive, current as KindValues[K], context)
}

function check<K extends Kind>(
  directive: Directive<string, K>,
  value: KindValues[Kind],
  around: Surroundings,
): string | undefined {
  const error = directive.check?.(value as KindValues[K], around)
  if (error !== undefined || directive.effect.kind !== 'refused') return error
  return format(directive, value) === format(directive, directive.initial) ? undefined : directive.effect.reason
}

function format<K extends Kind>(directive: Directive<string, K>, value: KindValues[Kind]): string {
  return KIND_TYPES[directive.kind].format(value as KindValues[K], directive)
}

function lines<K extends Kind>(directive: Directive<string, K>, value: KindValues[Kind]): readonly Line[] | undefined {
  return KIND_TYPES[directive.kind].lines(value as KindValues[K], directive)
}
