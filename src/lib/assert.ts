/** Crashes on what must not be: a bug of ours, never a client's input. Messages are constant strings. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message)
}

function fail(message: string): never {
  throw new Error(`assertion failed: ${message}`)
}
