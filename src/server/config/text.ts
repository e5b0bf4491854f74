/* Byte strings and the C library's words for them: the small helpers that the configuration layer shares.
 *
 * Configuration text is kept as one character per byte (latin1): lossless for any bytes. What comes from Node as UTF-16
 * (arguments, environment) is turned into bytes here, and what people are to read is turned back. */
import { Buffer } from 'node:buffer'
import { latin1 } from '../../lib/bytes.ts'
import { matches } from '../../lib/glob.ts'
import { quote, splitArgs } from '../../lib/quoting.ts'

/** UTF-16 text from Node to a byte string. */
export function toByteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

/** A byte string to text for people; ill-formed UTF-8 is replaced. */
export function toText(byteString: string): string {
  return Buffer.from(byteString, 'latin1').toString('utf8')
}

/** A byte string to its bytes: what file names are passed as. */
export function toBytes(byteString: string): Buffer {
  return Buffer.from(byteString, 'latin1')
}

/** ASCII only, as C's tolower in the C locale. */
export function lower(byteString: string): string {
  return byteString.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

/** Without blanks and line ends around. */
export function trim(line: string): string {
  return line.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, '')
}

/** A configuration line cut into its arguments, or undefined when its quotes are unbalanced. */
export function splitLine(line: string): string[] | undefined {
  const bytes = toBytes(line)
  return splitArgs(bytes, 0, bytes.length)?.map((arg) => latin1(arg, 0, arg.length))
}

/** In double quotes, so that splitLine reads it back. */
export function quoted(byteString: string): string {
  const bytes = toBytes(byteString)
  return quote(bytes, 0, bytes.length)
}

/** Whether a name matches a glob pattern; with `nocase`, letters of either case are equal. */
export function globMatches(pattern: string, name: string, nocase: boolean): boolean {
  const patternBytes = toBytes(pattern)
  const bytes = toBytes(name)
  return matches(patternBytes, 0, patternBytes.length, bytes, 0, bytes.length, nocase)
}

const ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EFBIG: 'File too large',
  EINVAL: 'Invalid argument',
  EIO: 'Input/output error',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ENOENT: 'No such file or directory',
  ENOSPC: 'No space left on device',
  ENOTDIR: 'Not a directory',
  EPERM: 'Operation not permitted',
  EROFS: 'Read-only file system',
  ETXTBSY: 'Text file busy',
  EXDEV: 'Invalid cross-device link',
}

/** What strerror would say of an error by its name. */
export function nameText(name: string): string {
  return ERRORS[name] ?? name
}

/** What strerror would say of an error thrown by Node's file functions. */
export function errorText(error: unknown): string {
  const code = errorCode(error)
  if (code !== undefined) return nameText(code)
  return error instanceof Error ? error.message : String(error)
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
