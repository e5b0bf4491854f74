/* The listener: the addresses and the Unix socket that clients reach the server at. */
import { chmodSync, existsSync, rmSync, unlinkSync } from 'node:fs'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { dirname } from 'node:path'
import type { Listening } from './accepting-thread.ts'
import { nameText } from './config/text.ts'
import { type Handle, listeningDescriptor, listenTcp, listenUnix } from './native-handles.ts'

export type Accept = (handle: Handle, unix: boolean) => void

/** Errors that mean "this machine has no such protocol": passed over, as Redis does. */
const NO_PROTOCOL = new Set(['EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOPROTOOPT', 'ESOCKTNOSUPPORT', 'EPFNOSUPPORT'])

const UNIX_PATH_MAX = process.platform === 'linux' ? 107 : 103
const ANY_PORT_ATTEMPTS = 10

const NAMED: Readonly<Record<string, string>> = { '*': '0.0.0.0', '::*': '::', localhost: '127.0.0.1' }

export class Listener {
  private tcp: NetServer[] = []
  private unix: NetServer | undefined
  private unixPath = ''
  private bound = ''
  private readonly accept: Accept
  private readonly warn: (message: string) => void

  constructor(accept: Accept, warn: (message: string) => void) {
    this.accept = accept
    this.warn = warn
  }

  /** The port listened on; 0 if none. */
  get port(): number {
    const address = this.tcp[0]?.address() as AddressInfo | null | undefined
    return address?.port ?? 0
  }

  /** Listens at `addresses` (as in the `bind` directive) instead of where it listens now; false, with everything as it
   *  was, if one that is not optional cannot be had. Already there: nothing happens. Port 0 listens nowhere. */
  bind(addresses: readonly string[], port: number, backlog: number): boolean {
    const wanted = `${port} ${addresses.join(' ')}`
    if (wanted === this.bound) return true
    // The same port at another set of addresses would collide with ourselves.
    const bound = this.bound
    const before = bound.split(' ')
    const samePort = before[0] === String(port)
    if (samePort) this.closeTcp()
    const servers = port === 0 ? [] : this.openAll(addresses, port, backlog)
    if (servers === undefined) {
      if (!samePort) return false
      this.tcp = this.openAll(before.slice(1), port, backlog) ?? []
      this.bound = bound
      return false
    }
    if (!samePort) this.closeTcp()
    this.tcp = servers
    this.bound = wanted
    return true
  }

  /** As `bind`, at a port that the system chooses for the first address, and that is free at the others. */
  bindAny(addresses: readonly string[], backlog: number): boolean {
    for (let attempt = 0; attempt < ANY_PORT_ATTEMPTS; attempt++) {
      const first = this.open(addresses[0] ?? '127.0.0.1', 0, backlog)
      if (first === undefined || typeof first === 'string') return false
      this.tcp = [first]
      const { port } = this
      const rest = this.openAll(addresses.slice(1), port, backlog)
      if (rest !== undefined) {
        this.tcp.push(...rest)
        this.bound = `${port} ${addresses.join(' ')}`
        return true
      }
      this.closeTcp()
    }
    return false
  }

  private openAll(addresses: readonly string[], port: number, backlog: number): NetServer[] | undefined {
    const servers: NetServer[] = []
    for (const address of addresses) {
      const server = this.open(address, port, backlog)
      if (server === undefined) continue
      if (typeof server !== 'string') servers.push(server)
      else {
        for (const each of servers) each.close()
        return undefined
      }
    }
    return servers
  }

  /** undefined: an optional address that this machine has not. */
  private open(address: string, port: number, backlog: number): NetServer | string | undefined {
    const optional = address.startsWith('-')
    const host = optional ? address.slice(1) : address
    const server = listenTcp(NAMED[host] ?? host, port, backlog, (handle) => this.accept(handle, false))
    if (typeof server !== 'string') return server
    this.warn(`Warning: Could not create server TCP listening socket ${host}:${port}: bind: ${nameText(server)}`)
    if (NO_PROTOCOL.has(server) || (optional && server === 'EADDRNOTAVAIL')) return undefined
    return server
  }

  /** Listens on a Unix socket with these permissions (0: as they come); answers the reason if it cannot. */
  bindUnix(path: string, mode: number, backlog: number): string | undefined {
    // It would be cut short.
    if (Buffer.byteLength(path) > UNIX_PATH_MAX) return nameText('ENAMETOOLONG')
    try {
      unlinkSync(path)
    } catch {
      // There is none, as it should be; or binding fails, and says why.
    }
    const server = listenUnix(path, backlog, (handle) => this.accept(handle, true))
    // libuv says EACCES where the directory does not exist.
    if (typeof server === 'string') return nameText(existsSync(dirname(path)) ? server : 'ENOENT')
    this.unix = server
    this.unixPath = path
    if (mode !== 0) chmodSync(path, mode)
    return undefined
  }

  private closeTcp(): void {
    for (const server of this.tcp) server.close()
    this.tcp = []
    this.bound = ''
  }

  close(): void {
    this.closeTcp()
    if (this.unix === undefined) return
    this.unix.close()
    this.unix = undefined
    // libuv does it, too, in a later turn of the loop: the process may end before that.
    rmSync(this.unixPath, { force: true })
    this.unixPath = ''
  }

  get isClosed(): boolean {
    return this.tcp.length === 0 && this.unix === undefined
  }

  /** Where it listens, as far as that has descriptors. */
  get sockets(): Listening[] {
    const sockets = this.tcp.map((server) => ({ server, fd: listeningDescriptor(server), unix: false }))
    const { unix } = this
    if (unix !== undefined) sockets.push({ server: unix, fd: listeningDescriptor(unix), unix: true })
    return sockets.filter(({ fd }) => fd >= 0)
  }

  get unixSocket(): string {
    return this.unixPath
  }
}
