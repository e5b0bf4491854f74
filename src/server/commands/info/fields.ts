/* How INFO writes: `name:value`, a line each. */

export type Fields = Readonly<Record<string, string | number>>

/** Numbers must be whole. */
export function fields(values: Fields): string {
  let text = ''
  for (const [name, value] of Object.entries(values)) text += `${name}:${value}\r\n`
  return text
}

export const percent = (value: number): string => `${value.toFixed(2)}%`
export const ratio = (value: number): string => (Number.isFinite(value) ? value : 0).toFixed(2)
export const perhaps = (condition: boolean): number => (condition ? 1 : 0)

/** A name that may hold anything, without the characters that INFO itself uses. */
export const safeName = (name: string): string => name.replace(/[#:\n\r]/g, '_')
