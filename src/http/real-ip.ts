import { IpTable, parseAddress } from '../lib/ip-table.js'
import type { Headers } from './headers.js'

const PRIVATE = new IpTable([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '::1',
  'fc00::/7',
  'fe80::/10',
])

/**
 * The client's address as Easegress finds it (compat/traffic-v1.md §2.3): without X-Real-Ip and
 * X-Forwarded-For the peer; else the first public address in X-Forwarded-For, left to right; else
 * X-Real-Ip. Where that would give an empty text (only private addresses in X-Forwarded-For and
 * no X-Real-Ip) this gives the peer, a deliberate difference: an IP filter must have an address.
 */
export function realIp(headers: Headers, peer: string): string {
  const real = headers.get('x-real-ip')
  const forwarded = headers.get('x-forwarded-for')
  if (real === null && forwarded === null) return peer
  if (forwarded !== null) {
    for (const part of forwarded.split(',')) {
      const text = part.trim()
      const address = parseAddress(text)
      if (address !== null && !PRIVATE.has(address)) return text
    }
  }
  return real === null || real === '' ? peer : real
}
