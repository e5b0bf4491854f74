/* Packed values: a small collection that lies in a file as one string. A listpack is taken over as it is; the ziplists
 * and zipmaps of older versions are made listpacks of.
 *
 * Whoever wrote them is not trusted: what is no sound listpack, ziplist or zipmap is refused, and so is one with an odd
 * number of elements where there must be pairs. Looking for members that are there twice takes longer than all else:
 * that is done if the reader is `thorough`, and always with the old forms, as Redis does. */
import { hashBytes } from '../../lib/siphash.ts'
import { type Memory, NONE, type Ref } from '../../memory/memory.ts'
import { Listpacks, NO_ELEMENT, validateListpack } from '../../structures/listpack.ts'
import type { RdbReader } from './reader.ts'
import { ZiplistReader } from './ziplist.ts'
import { ZipmapReader } from './zipmap.ts'

/** Room for the offsets of elements that is kept. */
const PLACES = 2048

export class PackedReader {
  private readonly listpacks: Listpacks
  private readonly name: string
  readonly ziplist = new ZiplistReader()
  private readonly zipmap = new ZipmapReader()
  private readonly places = new Int32Array(PLACES)
  /** Bytes of the longest string of the zipmap that was read. */
  longest = 0

  /** `name`: what such values are called in messages, and a space. */
  constructor(memory: Memory, name: string) {
    this.listpacks = new Listpacks(memory)
    this.name = name
  }

  /** The words by which Redis's log tells of damage. */
  private refuse(reader: RdbReader, form: string, detail = ''): never {
    const what = form === 'zipmap' ? form : this.name + form
    return reader.refuse(`${what.charAt(0).toUpperCase()}${what.slice(1)} integrity check failed${detail}`)
  }

  /** Reads a listpack of members, each with as many elements as the `stride` says, itself included; NONE if it is
   *  empty. Allocates. */
  readListpack(reader: RdbReader, stride: number): Ref {
    const count = this.takeListpack(reader)
    if (count === 0) return NONE
    if (count % stride !== 0) this.refuse(reader, 'listpack', ': a member without a value')
    const root = this.listpacks.fromBytes(reader.bytes, reader.pos, reader.len)
    if (!reader.thorough) return root
    this.refuseDuplicates(root, count, stride, reader, 'listpack')
    return root
  }

  /** Looks where a listpack lies; answers how many elements it has. */
  takeListpack(reader: RdbReader): number {
    reader.head()
    reader.take()
    if (reader.thorough) reader.examined++
    const count = validateListpack(reader.bytes, reader.pos, reader.len)
    return count < 0 ? this.refuse(reader, 'listpack') : count
  }

  /** As `readListpack`, of pairs in a ziplist. Allocates. */
  readZiplist(reader: RdbReader): Ref {
    const { ziplist } = this
    this.openZiplist(reader)
    const { count } = ziplist
    if (count === 0) return NONE
    if (count % 2 !== 0) this.refuse(reader, 'ziplist', ': a member without a value')
    const root = this.convertZiplist(reader.len)
    this.refuseDuplicates(root, count, 2, reader, 'ziplist')
    return root
  }

  openZiplist(reader: RdbReader): void {
    reader.head()
    reader.take()
    if (!this.ziplist.open(reader.bytes, reader.pos, reader.len)) this.refuse(reader, 'ziplist')
  }

  /** A listpack of what is in the ziplist that was opened, of `len` bytes. Allocates. */
  convertZiplist(len: number): Ref {
    const { listpacks, ziplist } = this
    let root = listpacks.create(len)
    while (ziplist.next()) {
      root = ziplist.isInteger
        ? listpacks.appendInteger(root, ziplist.integer)
        : listpacks.append(root, ziplist.bytes, ziplist.pos, ziplist.len)
    }
    return listpacks.trim(root)
  }

  /** As `readListpack`, of pairs in a zipmap, which is never empty; says how long the `longest` string is.
   *  Allocates. */
  readZipmap(reader: RdbReader): Ref {
    const { zipmap, listpacks } = this
    reader.head()
    reader.take()
    if (!zipmap.open(reader.bytes, reader.pos, reader.len) || zipmap.count === 0) {
      this.refuse(reader, 'zipmap')
    }
    let root = listpacks.create(reader.len)
    this.longest = 0
    while (zipmap.next()) {
      root = listpacks.append(root, zipmap.bytes, zipmap.pos, zipmap.len)
      root = listpacks.append(root, zipmap.bytes, zipmap.valuePos, zipmap.valueLen)
      this.longest = Math.max(this.longest, zipmap.len, zipmap.valueLen)
    }
    root = listpacks.trim(root)
    this.refuseDuplicates(root, zipmap.count * 2, 2, reader, 'zipmap')
    return root
  }

  private refuseDuplicates(root: Ref, count: number, stride: number, reader: RdbReader, form: string): void {
    if (!this.hasDuplicates(root, count, stride)) return
    this.listpacks.free(root)
    this.refuse(reader, form, ': a member twice')
  }

  /** Whether a listpack of `count` elements has a member twice; of each `stride` of them the first is one. */
  private hasDuplicates(root: Ref, count: number, stride: number): boolean {
    const { listpacks } = this
    let size = 4
    while (size < count * 2) size *= 2
    const places = size <= PLACES ? this.places.fill(0, 0, size) : new Int32Array(size)
    for (let off = listpacks.first(root); off !== NO_ELEMENT; off = listpacks.next(root, off)) {
      listpacks.locate(root, off)
      const { bytes, pos, len } = listpacks
      let slot = hashBytes(bytes, pos, len) & (size - 1)
      for (; places[slot] !== 0; slot = (slot + 1) & (size - 1)) {
        if (listpacks.equals(root, places[slot]!, bytes, pos, len)) return true
      }
      places[slot] = off
      for (let left = stride - 1; left > 0; left--) off = listpacks.next(root, off)
    }
    return false
  }
}
