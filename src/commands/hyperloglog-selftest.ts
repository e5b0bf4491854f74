/* PFSELFTEST: whether HyperLogLogs hold what was put into them, and count as well as they should. It takes half a
 * second, in which nobody is served. */
import {
  addDense,
  clearHistogram,
  estimate,
  getRegister,
  HLL_DENSE_LEN,
  HLL_REGISTERS,
  HllEncoding,
  isDense,
  patternOf,
  raiseRegister,
  registerOf,
  runOf,
  writeHeader,
} from '../lib/hyperloglog.ts'
import {
  addSparse,
  planRaise,
  raise,
  SPARSE_EMPTY_LEN,
  SPARSE_GROWTH_MAX,
  SPARSE_LEN_MAX,
  SPARSE_VALUE_MAX,
  toDense,
  writeEmpty,
} from '../lib/hyperloglog-sparse.ts'
import { Random } from '../lib/random.ts'

const ROUNDS = 20
const ELEMENTS = 1000000
const VALUE_MAX = 63
/** The standard error of as many registers. */
const ERROR = 1.04 / Math.sqrt(HLL_REGISTERS)

export function holdsTogether(sparseLenMax: number): boolean {
  const random = new Random()
  return keepsRegisters(random) && countsWell(random, sparseLenMax)
}

/** Whether registers that lie across bytes keep their values beside each other. */
function keepsRegisters(random: Random): boolean {
  const values = new Uint8Array(HLL_REGISTERS)
  for (let round = 0; round < ROUNDS; round++) {
    const dense = new Uint8Array(HLL_DENSE_LEN)
    writeHeader(dense, 0, HllEncoding.DENSE)
    for (let register = 0; register < HLL_REGISTERS; register++) {
      values[register] = random.next() & VALUE_MAX
      raiseRegister(dense, 0, register, values[register]!)
    }
    for (let register = 0; register < HLL_REGISTERS; register++) {
      if (getRegister(dense, 0, register) !== values[register]) return false
    }
  }
  return true
}

/** Whether a dense one and one that begins sparse agree, and are not further out than is likely. */
function countsWell(random: Random, sparseLenMax: number): boolean {
  const dense = new Uint8Array(HLL_DENSE_LEN)
  writeHeader(dense, 0, HllEncoding.DENSE)
  const grown = new Uint8Array(Math.max(SPARSE_LEN_MAX, HLL_DENSE_LEN) + SPARSE_GROWTH_MAX)
  writeEmpty(grown, 0)
  let len = SPARSE_EMPTY_LEN
  const element = new Int32Array([0, random.next()])
  const bytes = new Uint8Array(element.buffer)
  for (let count = 1, checked = 1; count <= ELEMENTS; count++) {
    element[0] = count
    const pattern = patternOf(bytes, 0, bytes.length)
    raiseRegister(dense, 0, registerOf(pattern), runOf(pattern))
    len = add(grown, len, registerOf(pattern), runOf(pattern), sparseLenMax)
    if (count !== checked) continue
    if (count < sparseLenMax / 2 && isDense(grown, 0)) return false
    const counted = countOf(dense, HLL_DENSE_LEN)
    if (countOf(grown, len) !== counted) return false
    const most = count === 10 ? 1 : Math.ceil(ERROR * 6 * count)
    if (Math.abs(counted - count) > most) return false
    checked *= 10
  }
  return true
}

function add(bytes: Uint8Array, len: number, register: number, value: number, sparseLenMax: number): number {
  if (isDense(bytes, 0)) {
    raiseRegister(bytes, 0, register, value)
    return len
  }
  if (value <= SPARSE_VALUE_MAX) {
    const growth = planRaise(bytes, 0, len, register, value)
    if (growth < -1) return len
    if (growth <= 0 || len + growth <= sparseLenMax) return raise(bytes, 0, len)
  }
  const dense = new Uint8Array(HLL_DENSE_LEN)
  toDense(bytes, 0, len, dense)
  bytes.set(dense)
  raiseRegister(bytes, 0, register, value)
  return HLL_DENSE_LEN
}

function countOf(bytes: Uint8Array, len: number): number {
  clearHistogram()
  if (isDense(bytes, 0)) addDense(bytes, 0)
  else addSparse(bytes, 0, len)
  return estimate()
}
