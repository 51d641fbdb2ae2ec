import { closeSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs'
import { isIP } from 'node:net'

const LISTEN = '0A'
/** Sockets that listen come first in /proc/net/tcp; what is behind so much is connections. */
const BYTES_MAX = 65_536

/**
 * The descriptor of one of this process's TCP sockets that listen on a port, whichever thread's it
 * is; -1 when there is none. `host` is the address as given to bind(2), empty for all addresses.
 */
export function listenDescriptor(host: string, port: number): number {
  if (process.platform !== 'linux') return -1
  const inodes = inodesOf(host, port)
  if (inodes.size === 0) return -1
  let names: string[]
  try {
    names = readdirSync('/proc/self/fd')
  } catch {
    return -1
  }
  // They are opened early, and so have low numbers.
  for (const fd of names.map(Number).sort((a, b) => a - b)) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(fd))?.[1]
    if (inode !== undefined && inodes.has(inode)) return fd
  }
  return -1
}

function linkOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return '' // closed meanwhile
  }
}

function inodesOf(host: string, port: number): ReadonlySet<string> {
  const listening = ['/proc/net/tcp', '/proc/net/tcp6']
    .flatMap((file) => headOf(file).split('\n').slice(1))
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === LISTEN)
    .map((fields) => ({ local: fields[1] ?? '', inode: fields[9] ?? '' }))
    .filter(({ local }) => Number.parseInt(local.split(':')[1] ?? '', 16) === port)
  const wanted = listening.filter(({ local }) => isAddress(local.split(':')[0] ?? '', host))
  return new Set(wanted.map(({ inode }) => inode))
}

function headOf(file: string): string {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return '' // no such family
  }
  try {
    const buffer = Buffer.alloc(BYTES_MAX)
    let size = 0
    for (;;) {
      const count = readSync(fd, buffer, size, BYTES_MAX - size, null)
      size += count
      if (count === 0 || size === BYTES_MAX) return buffer.toString('latin1', 0, size)
    }
  } finally {
    closeSync(fd)
  }
}

/** Whether `hex`, an address as /proc/net/tcp writes it, is `host`; a name may be any address. */
function isAddress(hex: string, host: string): boolean {
  if (host === '') return /^0+$/.test(hex)
  if (isIP(host) === 0) return true
  return hex === procAddress(host)
}

/** An address as /proc/net/tcp writes it: words of 32 bits in the order of the machine. */
export function procAddress(host: string): string {
  const bytes = Buffer.from(addressBytes(host)).swap32()
  return bytes.toString('hex').toUpperCase()
}

/** Four bytes of an IPv4 address, sixteen of an IPv6 address. */
export function addressBytes(host: string): Uint8Array {
  if (isIP(host) === 4) return Uint8Array.from(host.split('.'), Number)
  const text = host.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_all, ...parts) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [front = '', back] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const first = groups(front)
  const last = back === undefined ? [] : groups(back)
  const all = [...first, ...Array(8 - first.length - last.length).fill('0'), ...last]
  return Uint8Array.from(
    all.map((group) => Number.parseInt(group, 16)).flatMap((n) => [n >> 8, n & 255]),
  )
}
