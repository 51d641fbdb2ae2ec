import { isIP } from 'node:net'

/** True for addresses that only this machine reaches: 127.0.0.0/8, ::1 and IPv4-mapped ones. */
export function isLoopbackAddress(address: string): boolean {
  const version = isIP(address)
  if (version === 4) return address.startsWith('127.')
  if (version !== 6) return false
  // The URL parser knows every spelling of an IPv6 address and gives the shortest.
  const zone = address.indexOf('%')
  const bare = zone < 0 ? address : address.slice(0, zone)
  const { hostname } = new URL(`http://[${bare}]/`)
  return hostname === '[::1]' || hostname.startsWith('[::ffff:7f')
}
