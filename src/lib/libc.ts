import { createRequire } from 'node:module'
import { endianness } from 'node:os'

/**
 * Calls of the C library that Node.js has none for, through koffi. Numbers are those of Linux, which
 * are the same on x86-64 and on 64-bit ARM; elsewhere there is no {@link Libc}. The package is
 * loaded with the first question, which takes some 30 ms.
 */
export interface Libc {
  /** setsockopt(2): true when it went well. */
  setSocketOption(fd: number, option: SocketOption, value: Uint8Array): boolean
  /**
   * Which socket of a group that shares a port (SO_REUSEPORT) a new connection goes to: `program` is
   * classic BPF that gives its index. `fd` is any of the group.
   */
  attachReusePortProgram(fd: number, program: readonly BpfInstruction[]): boolean
  /** The kernel chooses by itself again. */
  detachReusePortProgram(fd: number): boolean
  /** A TCP socket of its own (close-on-exec, not blocking); -1 when there is none to be had. */
  tcpSocket(isIpv6: boolean): number
  /** bind(2) and listen(2); `address` is a `sockaddr`. */
  listen(fd: number, address: Uint8Array, backlog: number): boolean
  /** close(2), for what {@link tcpSocket} opened: Node.js closes only what it knows. */
  close(fd: number): void
  /**
   * sched_setattr(2): how long the calling thread runs in one go when others want the core too, in
   * nanoseconds. Kept to 0.1..100 ms by the kernel, without effect before Linux 6.12.
   */
  setSlice(sliceNs: number, nice: number): boolean
  /**
   * sched_setattr(2), SCHED_BATCH: the calling thread takes the core from nobody when it is woken, and
   * waits until it is free or its turn.
   */
  setBatch(nice: number): boolean
}

export type SocketOption = 'reuseAddress' | 'reusePort' | 'ipv6Only'

/** An instruction of classic BPF: see linux/filter.h. */
export interface BpfInstruction {
  readonly code: number
  /** Jumps when true and when false. */
  readonly jt?: number
  readonly jf?: number
  readonly k: number
}

const SOL_SOCKET = 1
const IPPROTO_IPV6 = 41
const OPTIONS: Readonly<Record<SocketOption, readonly [level: number, name: number]>> = {
  reuseAddress: [SOL_SOCKET, 2],
  reusePort: [SOL_SOCKET, 15],
  ipv6Only: [IPPROTO_IPV6, 26],
}
const SO_ATTACH_REUSEPORT_CBPF = 51
const SO_DETACH_REUSEPORT_BPF = 68
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_CLOEXEC = 0o2000000
const SOCK_NONBLOCK = 0o4000

/** The one number here that differs; the C library of Debian 12 has no such function. */
const SYS_SCHED_SETATTR = process.arch === 'arm64' ? 274 : 314
const SCHED_ATTR_BYTES = 56
const SCHED_FLAG_KEEP_POLICY = 8
const SCHED_BATCH = 3

const INSTRUCTION_BYTES = 8
const FPROG_BYTES = 16

interface Koffi {
  load(path: null): { func(declaration: string): (...args: readonly unknown[]) => number }
  address(buffer: Uint8Array): bigint
}

let loaded: Libc | null | undefined

/** Null where there is none: another system, another processor, or koffi is not installed. */
export function libc(): Libc | null {
  if (loaded === undefined) loaded = load()
  return loaded
}

function load(): Libc | null {
  if (process.platform !== 'linux' || endianness() !== 'LE') return null
  if (process.arch !== 'x64' && process.arch !== 'arm64') return null
  try {
    return bind(createRequire(import.meta.url)('koffi') as Koffi)
  } catch {
    return null
  }
}

function bind(koffi: Koffi): Libc {
  const library = koffi.load(null)
  const setsockopt = library.func(
    'int setsockopt(int fd, int level, int name, const void *value, uint32_t size)',
  )
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const bindTo = library.func('int bind(int fd, const void *address, uint32_t size)')
  const listen = library.func('int listen(int fd, int backlog)')
  const close = library.func('int close(int fd)')
  const schedule = library.func(
    'long syscall(long number, int thread, const void *attr, uint32_t flags)',
  )
  const set = (fd: number, level: number, name: number, value: Uint8Array): boolean =>
    setsockopt(fd, level, name, value, value.byteLength) === 0
  return {
    setSocketOption: (fd, option, value) => set(fd, ...OPTIONS[option], value),
    attachReusePortProgram(fd, program) {
      const code = Buffer.concat(program.map(instructionBytes))
      const fprog = Buffer.alloc(FPROG_BYTES)
      fprog.writeUInt16LE(program.length, 0)
      fprog.writeBigUInt64LE(BigInt(koffi.address(code)), 8)
      return set(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, fprog)
    },
    detachReusePortProgram: (fd) => set(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, flag(true)),
    tcpSocket: (isIpv6) =>
      socket(isIpv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0),
    listen: (fd, address, backlog) =>
      bindTo(fd, address, address.byteLength) === 0 && listen(fd, backlog) === 0,
    close: (fd) => void close(fd),
    setSlice(sliceNs, nice) {
      const attr = schedulingOf(nice)
      attr.writeUInt32LE(SCHED_FLAG_KEEP_POLICY, 8)
      attr.writeBigUInt64LE(BigInt(sliceNs), 24)
      return schedule(SYS_SCHED_SETATTR, 0, attr, 0) === 0
    },
    setBatch(nice) {
      const attr = schedulingOf(nice)
      attr.writeUInt32LE(SCHED_BATCH, 4)
      return schedule(SYS_SCHED_SETATTR, 0, attr, 0) === 0
    },
  }
}

/** A `sched_attr` of the ordinary policy. */
function schedulingOf(nice: number): Buffer {
  const attr = Buffer.alloc(SCHED_ATTR_BYTES)
  attr.writeUInt32LE(SCHED_ATTR_BYTES, 0)
  attr.writeInt32LE(nice, 16)
  return attr
}

/** A C `int` that says yes or no. */
export function flag(isSet: boolean): Uint8Array {
  const value = Buffer.alloc(4)
  value.writeInt32LE(isSet ? 1 : 0)
  return value
}

function instructionBytes({ code, jt = 0, jf = 0, k }: BpfInstruction): Uint8Array {
  const bytes = Buffer.alloc(INSTRUCTION_BYTES)
  bytes.writeUInt16LE(code, 0)
  bytes[2] = jt
  bytes[3] = jf
  bytes.writeUInt32LE(k >>> 0, 4)
  return bytes
}

/** A `sockaddr_in` of four bytes of address, or a `sockaddr_in6` of sixteen. */
export function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const isIpv6 = address.byteLength === 16
  const bytes = Buffer.alloc(isIpv6 ? 28 : 16)
  bytes.writeUInt16LE(isIpv6 ? AF_INET6 : AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(address, isIpv6 ? 8 : 4)
  return bytes
}
