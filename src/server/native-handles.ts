/* Native handles: the one file that reaches below node:net's public surface.
 *
 * Two things need it. A listening handle made and bound here tells at once whether the address could be had, where
 * `listen({ host })` only tells later: CONFIG SET port must answer yes or no. And an accepted connection's handle is given
 * to a socket of our own, whose reads land in a shared buffer. Both have been the same from Node 8 to Node 26. */
import { createServer, type Server as NetServer, type Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'

/** A libuv handle as net.Socket and net.Server wrap it. */
export interface Handle {
  close(): void
  getpeername?(out: { address?: string; port?: number }): number
  getsockname?(out: { address?: string; port?: number }): number
  readonly fd?: number
}

interface TcpHandle extends Handle {
  bind(address: string, port: number): number
  bind6(address: string, port: number, flags: number): number
}

interface TcpWrap {
  TCP: new (type: number) => TcpHandle
  constants: { SERVER: number; UV_TCP_IPV6ONLY: number }
}

const { TCP, constants } = (process as unknown as { binding(name: string): unknown }).binding('tcp_wrap') as TcpWrap

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
  if (code !== 0) {
    handle.close()
    return getSystemErrorName(code)
  }
  const server = acceptingServer(accept)
  let failure = 'EADDRINUSE'
  server.on('error', (error: NodeJS.ErrnoException) => {
    failure = error.code ?? failure
  })
  server.listen(handle, backlog)
  return server.listening ? server : failure
}

/** Listens on a Unix socket; answers the listening server, or undefined. */
export function listenUnix(path: string, backlog: number, accept: (handle: Handle) => void): NetServer | undefined {
  const server = acceptingServer(accept)
  server.on('error', () => {})
  server.listen(path, backlog)
  return server.listening ? server : undefined
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
