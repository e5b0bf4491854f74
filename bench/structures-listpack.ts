/* What listpacks and intsets cost, in nanoseconds: samples are short, so that some fall between what else the machine
 * does, and the fastest is what counts. The figures in the essays of src/structures/listpack.ts and intset.ts
 * come from here. Asserts must be dropped as in production, so it is bundled first:
 *
 *   npx esbuild bench/structures-listpack.ts --bundle --platform=node --format=esm --drop-labels=DEV --minify-syntax \
 *     --log-level=warning | node --input-type=module - */
import { Random } from '../src/lib/random.ts'
import { Memory, type Ref } from '../src/memory/memory.ts'
import { Intsets } from '../src/structures/intset.ts'
import { Listpacks, NO_ELEMENT } from '../src/structures/listpack.ts'
import { spread } from './statistics.ts'

const SAMPLES = 60
const SAMPLE_MS = 4
const WARM_UP = 20
/** Passes between two looks at the clock, which take some 50 ns themselves. */
const REPEATS = 4
const COUNT = 128
const INTSET_COUNT = 512
const COPIES = 64

const memory = new Memory()
const listpacks = new Listpacks(memory)
const intsets = new Intsets(memory)
const random = new Random(7)
let sink = 0

/** Times `pass`, which does `count` operations, over and over. */
function measure(name: string, count: number, pass: () => number): void {
  const samples: number[] = []
  for (let sample = -WARM_UP; sample < SAMPLES; sample++) {
    let passes = 0
    let elapsedMs = 0
    const began = performance.now()
    while (elapsedMs < SAMPLE_MS) {
      for (let repeat = 0; repeat < REPEATS; repeat++) sink = (sink + pass()) | 0
      passes += REPEATS
      elapsedMs = performance.now() - began
    }
    if (sample >= 0) samples.push((elapsedMs * 1e6) / (passes * count))
  }
  const { min, median, max } = spread(samples)
  process.stdout.write(
    `${name.padEnd(64)}${min.toFixed(1).padStart(8)}${median.toFixed(1).padStart(8)}${max.toFixed(1).padStart(8)}\n`,
  )
}

/** Texts end to end, with where each begins and how long it is. */
class Texts {
  readonly bytes: Uint8Array
  readonly pos: Int32Array
  readonly len: Int32Array
  readonly count: number

  constructor(texts: readonly string[]) {
    this.bytes = new Uint8Array(Buffer.from(texts.join(''), 'latin1'))
    this.len = Int32Array.from(texts, (text) => text.length)
    this.pos = new Int32Array(texts.length)
    for (let at = 1; at < texts.length; at++) this.pos[at] = this.pos[at - 1]! + this.len[at - 1]!
    this.count = texts.length
  }

  appendTo(ref: Ref): Ref {
    let result = ref
    for (let at = 0; at < this.count; at++) result = listpacks.append(result, this.bytes, this.pos[at]!, this.len[at]!)
    return result
  }

  prependTo(ref: Ref): Ref {
    let result = ref
    for (let at = 0; at < this.count; at++) result = listpacks.prepend(result, this.bytes, this.pos[at]!, this.len[at]!)
    return result
  }
}

const numbered = (prefix: string, count: number): Texts =>
  new Texts(Array.from({ length: count }, (_, at) => `${prefix}${String(at).padStart(4, '0')}`))
const strings = numbered('field:', COUNT)
const values = numbered('value:', COUNT)
const mixed = new Texts(Array.from({ length: COUNT }, (_, at) => (at % 2 === 0 ? `member:${at}` : `${at * 37}`)))
const integers = new Texts(Array.from({ length: COUNT }, () => String(random.next() >> random.below(32))))
const long = new Texts(Array.from({ length: COUNT }, (_, at) => 'l'.repeat(100) + at))

/** Places in random order, so that no branch predictor learns them by heart. */
const shuffled = Int32Array.from({ length: 4096 }, () => random.below(COUNT))

function appending(): void {
  for (const [name, texts] of Object.entries({ strings, mixed, integers, long })) {
    measure(`append 128 ${name} to a new one, free it`, COUNT, () => {
      const ref = texts.appendTo(listpacks.create())
      listpacks.free(ref)
      return ref
    })
  }
  measure('append 128 strings to one with room', COUNT, () => {
    const ref = strings.appendTo(listpacks.create(2048))
    listpacks.free(ref)
    return ref
  })
  measure('prepend 128 strings to a new one, free it', COUNT, () => {
    const ref = strings.prependTo(listpacks.create())
    listpacks.free(ref)
    return ref
  })
  measure('append 10 strings to a new one, free it', 10, () => {
    let ref = listpacks.create()
    for (let at = 0; at < 10; at++) ref = listpacks.append(ref, strings.bytes, strings.pos[at]!, strings.len[at]!)
    listpacks.free(ref)
    return ref
  })
}

function walking(): void {
  for (const [name, texts] of Object.entries({ strings, mixed, integers, long })) {
    const ref = texts.appendTo(listpacks.create())
    measure(`walk over 128 ${name}, get`, COUNT, () => {
      let sum = 0
      for (let off = listpacks.first(ref); off !== NO_ELEMENT; ) {
        off = listpacks.get(ref, off)
        sum += listpacks.isInteger ? listpacks.low : listpacks.len
      }
      return sum
    })
    measure(`walk over 128 ${name}, locate`, COUNT, () => {
      let sum = 0
      for (let off = listpacks.first(ref); off !== NO_ELEMENT; ) {
        off = listpacks.locate(ref, off)
        sum += listpacks.len + listpacks.bytes[listpacks.pos]!
      }
      return sum
    })
    measure(`walk back over 128 ${name}, get`, COUNT, () => {
      let sum = 0
      for (let off = listpacks.last(ref); off !== NO_ELEMENT; off = listpacks.prev(ref, off)) {
        listpacks.get(ref, off)
        sum += listpacks.isInteger ? listpacks.low : listpacks.len
      }
      return sum
    })
    measure(`seek one of 128 ${name}`, shuffled.length, () => {
      let sum = 0
      for (let at = 0; at < shuffled.length; at++) sum += listpacks.seek(ref, shuffled[at]!)
      return sum
    })
  }
}

function finding(): void {
  const wanted: readonly [string, Texts, Texts][] = [
    ['a string of 10 bytes', strings, strings],
    ['a string of 100 bytes', long, long],
    ['an integer', integers, integers],
    ['a string that is not there', strings, numbered('other:', COUNT)],
    ['a string of another length that is not there', strings, numbered('missing:', COUNT)],
    ['an integer that is not there', integers, new Texts(Array.from({ length: COUNT }, (_, at) => `9999${at}77`))],
  ]
  for (const [name, fields, needles] of wanted) {
    let ref = listpacks.create()
    for (let at = 0; at < COUNT; at++) {
      ref = listpacks.append(ref, fields.bytes, fields.pos[at]!, fields.len[at]!)
      ref = listpacks.append(ref, values.bytes, values.pos[at]!, values.len[at]!)
    }
    measure(`find ${name} in 128 pairs`, shuffled.length, () => {
      let sum = 0
      for (let at = 0; at < shuffled.length; at++) {
        const which = shuffled[at]!
        sum += listpacks.find(ref, 6, needles.bytes, needles.pos[which]!, needles.len[which]!, 1)
      }
      return sum
    })
  }
}

function changing(): void {
  let ref = listpacks.create()
  while (listpacks.size(ref) < 8000) ref = strings.appendTo(ref)
  measure('append and delete the last, node of 8 KB', 2, () => {
    ref = listpacks.append(ref, strings.bytes, 0, 10)
    ref = listpacks.delete(ref, listpacks.last(ref))
    return ref
  })
  measure('prepend and delete the first, node of 8 KB', 2, () => {
    ref = listpacks.prepend(ref, strings.bytes, 0, 10)
    ref = listpacks.delete(ref, listpacks.first(ref))
    return ref
  })
  let pairs = mixed.appendTo(listpacks.create())
  measure('replace one of 128 mixed by one of another size, with the seek', shuffled.length, () => {
    for (let at = 0; at < shuffled.length; at++) {
      const off = listpacks.seek(pairs, shuffled[at]!)
      const which = shuffled[at ^ 1]!
      pairs = listpacks.replace(pairs, off, mixed.bytes, mixed.pos[which]!, mixed.len[which]!)
    }
    return pairs
  })
}

function sets(): void {
  for (const [bits, shift] of [
    [16, 16],
    [32, 0],
  ] as const) {
    measureSet(
      `${bits} bits`,
      Float64Array.from({ length: INTSET_COUNT }, () => random.next() >> shift),
    )
  }
  measureSet(
    '64 bits',
    Float64Array.from({ length: INTSET_COUNT }, () => random.next() * 2 ** 20),
  )
  const ascending = Float64Array.from({ length: INTSET_COUNT }, (_, at) => at)
  measure('intset: add 512 in order to a new one, free it', INTSET_COUNT, () => filled(ascending, true))
}

function filled(members: Float64Array, frees: boolean): Ref {
  let ref = intsets.create()
  for (let at = 0; at < members.length; at++) ref = intsets.add(ref, members[at]!)
  if (frees) intsets.free(ref)
  return ref
}

function measureSet(name: string, members: Float64Array): void {
  measure(`intset: add 512 of ${name} to a new one, free it`, INTSET_COUNT, () => filled(members, true))
  const refs = Array.from({ length: COPIES }, () => filled(members, false))
  const some = Float64Array.from({ length: 4096 }, () => members[random.below(members.length)]!)
  measure(`intset: has one of 512, ${name}`, some.length, () => {
    let sum = 0
    for (let at = 0; at < some.length; at++) if (intsets.has(refs[at & (COPIES - 1)]!, some[at]!)) sum++
    return sum
  })
  measure(`intset: has not, among 512, ${name}`, some.length, () => {
    let sum = 0
    for (let at = 0; at < some.length; at++) if (intsets.has(refs[at & (COPIES - 1)]!, some[at]! ^ 0x55)) sum++
    return sum
  })
  measure(`intset: walk over 512 of ${name}, get`, INTSET_COUNT, () => {
    let sum = 0
    for (let slot = 0; slot < intsets.count(refs[0]!); slot++) sum += Number(intsets.get(refs[0]!, slot))
    return sum
  })
}

process.stdout.write(`${'ns per operation, element or integer'.padEnd(64)}     min  median     max\n`)
appending()
walking()
finding()
changing()
sets()
process.stdout.write(`checksum ${sink}, node ${process.version}\n`)
