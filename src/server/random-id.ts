/* Forty random hexadecimal digits: the name of a run, of a history of the data. */
import { randomBytes } from '../lib/crypto.ts'

export function randomId(): string {
  return randomBytes(20).toString('hex')
}
