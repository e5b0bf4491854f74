/* Native handles: the one file that reaches below node:net's public surface (accepting-thread.ts does in its thread).
 *
 * Three things need it. A listening handle made and bound here tells at once whether the address could be had, where
 * `listen({ host })` only tells later: CONFIG SET port must answer yes or no. An accepted connection stays a bare
 * handle, whose reads land in a buffer that all share: without the net.Socket that Node's server would make, and the
 * second one that reading without events took, a connection costs half the time and 1.5 KB instead of 5.4. And replies
 * are written to the handle itself: a write that the kernel takes at once makes no object, where Socket.write makes
 * several (0.4 µs a request on Node 20).
 *
 * Reading, pausing and closing go through a `Link`: of the handle's own methods, or, on a Node that has not all of
 * them, of a net.Socket around it. Tried on Node 20 and 24. */
import { createServer, type Server as NetServer, Socket } from 'node:net'
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
  /** Whom `onread` tells. */
  reader?: Reader | null
  useUserBuffer(bytes: Uint8Array): void
  readStart(): number
  readStop(): number
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number
  shutdown(request: ShutdownRequest): number
  // Not of a Unix socket.
  setNoDelay?(on: boolean): number
  setKeepAlive?(on: boolean, seconds: number, intervalSeconds: number, count: number): number
}

/** Who is told of what a connection sends. */
export interface Reader {
  /** So many bytes have been read into the buffer; may answer another buffer for the next reads. It must live, where it
   *  is and attached, until it is replaced or the connection is closed. */
  received(len: number): Uint8Array | undefined
  /** The peer sends no more. */
  ended(): void
  /** The connection is lost, or closed as was asked for with `closeWhenSent`. */
  lost(): void
}

/** What can be done with a connection besides writing. */
export interface Link {
  pause(): void
  resume(): void
  /** Closes when all that was written has been sent. May be called again. */
  closeWhenSent(): void
  /** Closes at once. May be called again. */
  close(): void
}

interface ShutdownRequest {
  oncomplete: (() => void) | null
}

interface WriteRequest {
  oncomplete: ((status: number) => void) | null
  /** Kept alive while the write is under way. */
  buffer: Uint8Array | null
}

interface ListeningHandle extends Handle {
  onconnection: (status: number, accepted: Handle | undefined) => void
}

interface TcpHandle extends ListeningHandle {
  open(fd: number): number
  bind(address: string, port: number): number
  bind6(address: string, port: number, flags: number): number
}

interface TcpWrap {
  TCP: new (type: number) => TcpHandle
  constants: { SERVER: number; SOCKET: number; UV_TCP_IPV6ONLY: number }
}

interface PipeHandle extends ListeningHandle {
  open(fd: number): number | undefined
  bind(path: string): number
}

interface PipeWrap {
  Pipe: new (type: number) => PipeHandle
  constants: { SERVER: number; SOCKET: number }
}

interface StreamWrap {
  WriteWrap: new () => WriteRequest
  ShutdownWrap: new () => ShutdownRequest
  streamBaseState: Int32Array
  kLastWriteWasAsync: number
  kReadBytesOrError: number
}

const { binding } = process as unknown as { binding(name: string): unknown }
const { TCP, constants } = binding('tcp_wrap') as TcpWrap
const { Pipe, constants: pipeConstants } = binding('pipe_wrap') as PipeWrap
const { WriteWrap, ShutdownWrap, streamBaseState, kLastWriteWasAsync, kReadBytesOrError } = binding(
  'stream_wrap',
) as StreamWrap

/** Whether handles have all that `HandleLink` and accepting without a socket need. */
const NEEDED = ['useUserBuffer', 'readStart', 'readStop', 'shutdown', 'setNoDelay', 'setKeepAlive'] as const
const isComplete = NEEDED.every((name) => typeof TCP.prototype[name] === 'function')

/** Begins to read from a connection into `buffer`, and tells `reader`. */
export function openLink(handle: Handle, buffer: Uint8Array, reader: Reader): Link {
  return isComplete ? new HandleLink(handle, buffer, reader) : new SocketLink(handle, buffer, reader)
}

/** One for all handles, for which `this` stands. */
function onread(this: Handle): Uint8Array | undefined {
  const len = streamBaseState[kReadBytesOrError]!
  const { reader } = this
  if (len === 0 || reader === null || reader === undefined) return undefined
  if (len > 0) return reader.received(len)
  if (getSystemErrorName(len) === 'EOF') reader.ended()
  else reader.lost()
  return undefined
}

/** A connection that is a handle and nothing else. */
export class HandleLink implements Link {
  private readonly handle: Handle
  private isClosing = false
  private isClosed = false

  constructor(handle: Handle, buffer: Uint8Array, reader: Reader) {
    this.handle = handle
    handle.reader = reader
    handle.onread = onread
    handle.useUserBuffer(buffer)
    handle.readStart()
  }

  pause(): void {
    if (!this.isClosed) this.handle.readStop()
  }

  resume(): void {
    if (!this.isClosed) this.handle.readStart()
  }

  closeWhenSent(): void {
    const { handle } = this
    if (this.isClosing || this.isClosed) return
    this.isClosing = true
    if (handle.writeQueueSize === 0) return this.finish()
    const request = new ShutdownWrap()
    request.oncomplete = () => this.finish()
    if (handle.shutdown(request) !== 0) this.finish()
  }

  private finish(): void {
    const { reader } = this.handle
    this.close()
    reader?.lost()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.handle.reader = null
    this.handle.close()
  }
}

/** A connection whose reads, end and errors net.Socket attends to. */
export class SocketLink implements Link {
  private readonly socket: Socket

  constructor(handle: Handle, buffer: Uint8Array, reader: Reader) {
    const onread = { buffer, callback: () => {} }
    this.socket = new Socket({ handle, onread } as ConstructorParameters<typeof Socket>[0])
    // Past what net.Socket does for each read.
    const ofSocket = handle.onread
    handle.onread = (buffer) => {
      const len = streamBaseState[kReadBytesOrError]!
      return len > 0 ? reader.received(len) : ofSocket.call(handle, buffer)
    }
    this.socket.on('close', () => reader.lost())
    this.socket.on('end', () => reader.ended())
    // A reset or a timeout ends in 'close' too; there is nobody to tell.
    this.socket.on('error', () => {})
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  closeWhenSent(): void {
    this.socket.destroySoon()
  }

  close(): void {
    this.socket.destroy()
  }
}

/** As libuv's own keepalive: a probe a second, and the connection is lost when ten have not been answered. */
const PROBE_SECONDS = 1
const PROBES = 10

/** Has the kernel look whether the peer is still there when nothing has come for so long. */
export function keepAlive(handle: Handle, seconds: number): void {
  handle.setKeepAlive?.(true, seconds, PROBE_SECONDS, PROBES)
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
  bare = isComplete,
): NetServer | string {
  const handle = new TCP(constants.SERVER)
  const code = address.includes(':')
    ? handle.bind6(address, port, constants.UV_TCP_IPV6ONLY)
    : handle.bind(address, port)
  if (code === 0) return listen(handle, backlog, accept, bare)
  handle.close()
  return getSystemErrorName(code)
}

/** Listens on a Unix socket; answers the listening server, or the name of the error. */
export function listenUnix(
  path: string,
  backlog: number,
  accept: (handle: Handle) => void,
  bare = isComplete,
): NetServer | string {
  const handle = new Pipe(pipeConstants.SERVER)
  const code = handle.bind(path)
  if (code === 0) return listen(handle, backlog, accept, bare)
  handle.close()
  return getSystemErrorName(code)
}

function listen(
  handle: ListeningHandle,
  backlog: number,
  accept: (handle: Handle) => void,
  bare: boolean,
): NetServer | string {
  const server = acceptingServer(accept)
  let failure = 'EADDRINUSE'
  server.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? failure
  })
  server.listen(handle, backlog)
  if (!server.listening) return failure
  if (bare) handle.onconnection = acceptor(accept)
  return server
}

/** Passes each connection on as the bare handle that it is, before anything has been read from it. */
function acceptor(accept: (handle: Handle) => void): ListeningHandle['onconnection'] {
  return (status, accepted) => {
    if (status !== 0 || accepted === undefined) return // no file descriptor was left; the client is told by libuv
    accepted.setNoDelay?.(true)
    accept(accepted)
  }
}

/** As `acceptor`, of handles that must be taken out of the sockets which net.Server makes. */
function acceptingServer(accept: (handle: Handle) => void): NetServer {
  return createServer({ pauseOnConnect: true, noDelay: true }, (socket) => accept(takeHandle(socket)))
}

function takeHandle(socket: Socket): Handle {
  const holder = socket as unknown as { _handle: Handle }
  const handle = holder._handle
  holder._handle = null as unknown as Handle
  return handle
}

/** The descriptor that a server listens at; -1 where there is none (Windows). */
export function listeningDescriptor(server: NetServer): number {
  return (server as unknown as { _handle: Handle | null })._handle?.fd ?? -1
}

/** A handle for a connection that was accepted elsewhere in this process; undefined if it is lost. */
export function handleFor(fd: number, unix: boolean): Handle | undefined {
  const handle = unix ? new Pipe(pipeConstants.SOCKET) : new TCP(constants.SOCKET)
  try {
    if ((handle.open(fd) ?? 0) !== 0) return undefined
  } catch {
    return undefined // as a pipe's fails
  }
  handle.setNoDelay?.(true)
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
