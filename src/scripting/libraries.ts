/* Libraries of functions: FUNCTION LOAD's code, by name, and the functions it has registered.
 *
 *   libraries   name -> code, functions          a library is loaded whole or not at all: what it replaces comes back
 *   functions   name (any case) -> its library        if the new code fails, or clashes with a third one */
import type { FunctionRecord, Register, ScriptEngine } from './engine.ts'
import { BAD_NAME, isName, readLibraryHead } from './shebang.ts'

/** What a library and a function take besides their texts. */
const RECORD_SIZE = 160

export interface LibraryFunction extends FunctionRecord {
  readonly library: Library
}

export interface Library {
  readonly name: string
  readonly code: Uint8Array
  /** By name as it was registered. */
  functions: Map<string, LibraryFunction>
}

const keyOf = (name: string): string => name.toLowerCase()

/** Libraries that belong together; a second set is made to try what a payload holds. */
export class LibrarySet {
  readonly libraries = new Map<string, Library>()
  readonly functions = new Map<string, LibraryFunction>()

  link(library: Library): void {
    this.libraries.set(library.name, library)
    for (const each of library.functions.values()) this.functions.set(keyOf(each.name), each)
  }

  unlink(library: Library): void {
    this.libraries.delete(library.name)
    for (const each of library.functions.values()) this.functions.delete(keyOf(each.name))
  }
}

export class Libraries {
  private readonly engine: ScriptEngine
  private set = new LibrarySet()
  private generation = 0
  private bytes = 0

  constructor(engine: ScriptEngine) {
    this.engine = engine
  }

  get libraryCount(): number {
    return this.set.libraries.size
  }
  get functionCount(): number {
    return this.set.functions.size
  }
  get memoryBytes(): number {
    return this.bytes
  }
  all(): Iterable<Library> {
    return this.set.libraries.values()
  }

  /** The function of this name, ready to run. */
  find(name: string): LibraryFunction | undefined {
    if (this.set.functions.size > 0) this.revive()
    return this.set.functions.get(keyOf(name))
  }

  /** Loads everything again into an interpreter that is new. */
  private revive(): void {
    if (this.generation === this.engine.generation) return
    const old = this.set
    this.set = new LibrarySet()
    this.generation = this.engine.generation
    for (const { code } of old.libraries.values()) this.load(code, true, false)
  }

  private release(library: Library): void {
    for (const { callback } of library.functions.values()) this.engine.release(callback, this.generation, true)
  }

  private measure(): void {
    this.bytes = 0
    for (const { name, code, functions } of this.set.libraries.values()) {
      this.bytes += RECORD_SIZE + name.length + code.length
      for (const each of functions.values()) {
        this.bytes += RECORD_SIZE + each.name.length + (each.description?.length ?? 0)
      }
    }
  }

  /** Loads a library's code; the library's name, or an error. Code that has been loaded before is not `timed`: a slow
   *  moment must not lose it. */
  load(code: Uint8Array, replace: boolean, timed = true): { readonly name: string } | string {
    this.revive()
    const loaded = this.loadInto(this.set, code, replace, timed)
    if (typeof loaded === 'string') return loaded
    this.measure()
    return loaded
  }

  private loadInto(set: LibrarySet, code: Uint8Array, replace: boolean, timed: boolean): Library | string {
    const head = readLibraryHead(code)
    if (typeof head === 'string') return head
    const old = set.libraries.get(head.name)
    if (old !== undefined && !replace) return `Library '${head.name}' already exists`
    if (this.generation !== this.engine.generation && this.set.functions.size === 0) {
      this.generation = this.engine.generation
    }
    const library: Library = { name: head.name, code, functions: new Map() }
    if (old !== undefined) set.unlink(old)
    const { functions } = library
    const register: Register = (record) => {
      if (!isName(record.name)) return BAD_NAME
      if (functions.has(record.name)) return 'Function already exists in the library'
      functions.set(record.name, { ...record, library })
      return null
    }
    let problem = this.engine.loadLibrary(head.code, register, timed)
    if (problem === null && functions.size === 0) problem = 'No functions registered'
    if (problem === null) {
      const clash = [...functions.values()].find((each) => set.functions.has(keyOf(each.name)))
      if (clash !== undefined) problem = `Function ${clash.name} already exists`
    }
    if (problem !== null) {
      this.release(library)
      if (old !== undefined) set.link(old)
      return problem
    }
    set.link(library)
    if (old !== undefined) this.release(old)
    return library
  }

  delete(name: string): boolean {
    const library = this.set.libraries.get(name)
    if (library === undefined) return false
    this.set.unlink(library)
    this.release(library)
    this.measure()
    return true
  }

  clear(): void {
    for (const library of this.set.libraries.values()) this.release(library)
    this.set = new LibrarySet()
    this.bytes = 0
    this.engine.collect()
  }

  /** Takes the libraries of a payload, all or none: in place of all there are (`flush`), or beside them, in place of
   *  those of the same names (`replace`). Answers why not, if so. */
  restore(codes: readonly Uint8Array[], { flush, replace }: { flush: boolean; replace: boolean }): string | null {
    this.revive()
    const restored = new LibrarySet()
    for (const code of codes) {
      const loaded = this.loadInto(restored, code, false, true)
      if (typeof loaded !== 'string') continue
      for (const library of restored.libraries.values()) this.release(library)
      return loaded
    }
    if (flush) {
      for (const library of this.set.libraries.values()) this.release(library)
      this.set = restored
      this.measure()
      return null
    }
    const problem = this.join(restored, replace)
    if (problem !== null) for (const library of restored.libraries.values()) this.release(library)
    this.measure()
    return problem
  }

  private join(restored: LibrarySet, replace: boolean): string | null {
    const replaced: Library[] = []
    let problem: string | null = null
    for (const { name } of restored.libraries.values()) {
      const old = this.set.libraries.get(name)
      if (old === undefined) continue
      if (!replace) {
        problem = `Library ${name} already exists`
        break
      }
      this.set.unlink(old)
      replaced.push(old)
    }
    if (problem === null) {
      const clash = [...restored.functions.values()].find((each) => this.set.functions.has(keyOf(each.name)))
      if (clash !== undefined) problem = `Function ${clash.name} already exists`
    }
    if (problem !== null) for (const library of replaced) this.set.link(library)
    else {
      for (const library of restored.libraries.values()) this.set.link(library)
      for (const library of replaced) this.release(library)
    }
    return problem
  }
}
