/* Native handles: the one file that reaches below node:net's public surface.
 *
 * Three things need it. A listening handle made and bound here tells at once whether the address could be had, where
 * `listen({ host })` only tells later: CONFIG SET port must answer yes or no. And an accepted connection's handle is
 * given to a socket of our own, whose reads land in a shared buffer. And replies are written to the handle itself: a
 * write that the kernel takes at once makes no object, where Socket.write makes several (0.4 µs a request on Node 20).
 * Tried on Node 20, 24 and 26. */
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A libuv handle as net.Socket and net.Server wrap it. */
export interface Handle {
  close(): void
  getpeername?(out: { address?: string; port?: number }): number
  getsockname?(out: { address?: string; port?: number }): number
  readonly fd?: number
  /** Bytes accepted for writing that the kernel has not taken. */
  readonly writeQueueSize: number
  /** Called after every read, and at the end. What it answers, unless undefined, is the buffer of the next reads: the
   *  handle keeps its address only. */
  onread: (this: Handle, buffer: unknown) => Uint8Array | undefined
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
}

interface WriteRequest {
  oncomplete: ((status: number) => void) | null
  /** Kept alive while the write is under way. */
  buffer: Uint8Array | null
}

interface TcpHandle extends Handle {
  bind(address: string, port: number): number
  bind6(address: string, port: number, flags: number): number
}

interface TcpWrap {
  TCP: new (type: number) => TcpHandle
  constants: { SERVER: number; UV_TCP_IPV6ONLY: number }
}

interface PipeHandle extends Handle {
  bind(path: string): number
}

interface PipeWrap {
  Pipe: new (type: number) => PipeHandle
  constants: { SERVER: number }
}

interface StreamWrap {
  WriteWrap: new () => WriteRequest
  streamBaseState: Int32Array
  kLastWriteWasAsync: number
  kReadBytesOrError: number
}

const { binding } = process as unknown as { binding(name: string): unknown }
const { TCP, constants } = binding('tcp_wrap') as TcpWrap
const { Pipe, constants: pipeConstants } = binding('pipe_wrap') as PipeWrap
const { WriteWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError } = binding('stream_wrap') as StreamWrap

/** Has `received` called with the count of bytes just read into the handle's buffer, past what net.Socket does for each
 *  read; the end and errors stay the socket's. The handle must be a socket's already. `received` may answer another
 *  buffer for the next reads. It must live, where it is and attached, until it is replaced or the handle is closed. */
export function takeReads(handle: Handle, received: (len: number) => Uint8Array | undefined): void {
  const ofSocket = handle.onread
  handle.onread = (buffer) => {
    const len = streamBaseState[kReadBytesOrError]!
    return len > 0 ? received(len) : ofSocket.call(handle, buffer)
  }
}

/** What became of a write. */
export const Written = { ALL: 0, LATER: 1, FAILED: 2 } as const
export type Written = (typeof Written)[keyof typeof Written]

let request = new WriteWrap()

/** Writes to a connection. LATER: part of `bytes` waits for the kernel; they belong to the write until `done` is
 *  called with `context`, and with an error name if the connection failed meanwhile. */
export function write<T>(
  handle: Handle,
  bytes: Uint8Array,
  context: T,
  done: (error: string | undefined, context: T) => void,
): Written {
  const code = handle.writeBuffer(request, bytes)
  if (code !== 0) return Written.FAILED
  if (streamBaseState[kLastWriteWasAsync] === 0) return Written.ALL
  request.buffer = bytes
  request.oncomplete = (status) => done(status < 0 ? getSystemErrorName(status) : undefined, context)
  request = new WriteWrap()
  return Written.LATER
}

/** Binds and listens; answers the listening server, or the name of the error (EADDRINUSE …). */
export function listenTcp(
  address: string,
  port: number,
  backlog: number,
  accept: (handle: Handle) => void,
): NetServer | string {
  const handle = new TCP(constants.SERVER)
  const code = address.includes(':')
    ? handle.bind6(address, port, constants.UV_TCP_IPV6ONLY)
    : handle.bind(address, port)
  if (code === 0) return listen(handle, backlog, accept)
  handle.close()
  return getSystemErrorName(code)
}

/** Listens on a Unix socket; answers the listening server, or the name of the error. */
export function listenUnix(path: string, backlog: number, accept: (handle: Handle) => void): NetServer | string {
  const handle = new Pipe(pipeConstants.SERVER)
  const code = handle.bind(path)
  if (code === 0) return listen(handle, backlog, accept)
  handle.close()
  return getSystemErrorName(code)
}

function listen(handle: Handle, backlog: number, accept: (handle: Handle) => void): NetServer | string {
  const server = acceptingServer(accept)
  let failure = 'EADDRINUSE'
  server.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? failure
  })
  server.listen(handle, backlog)
  return server.listening ? server : failure
}

/** A server that passes each connection on as a bare handle, before anything has been read from it. */
function acceptingServer(accept: (handle: Handle) => void): NetServer {
  return createServer({ pauseOnConnect: true, noDelay: true }, (socket) => accept(takeHandle(socket)))
}

function takeHandle(socket: Socket): Handle {
  const holder = socket as unknown as { _handle: Handle }
  const handle = holder._handle
  holder._handle = null as unknown as Handle
  return handle
}

/** `address:port` of the other end (or of ours), '' if it cannot be told. */
export function peerName(handle: Handle | null, own: boolean): string {
  const out: { address?: string; port?: number } = {}
  if (handle === null) return ''
  const code = own ? handle.getsockname?.(out) : handle.getpeername?.(out)
  if (code !== 0 || out.address === undefined) return ''
  return out.address.includes(':') ? `[${out.address}]:${out.port}` : `${out.address}:${out.port}`
}

/** Whether an address as `peerName` tells it is of this machine's loopback interface. */
export function isLoopback(name: string): boolean {
  return name.startsWith('127.') || name.startsWith('[::1]:')
}
