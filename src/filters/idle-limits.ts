import type { ServerOptions } from '../upstream/contract.js'

/** What the client of a worker keeps anyway. */
const ALL_MAX = 10_240

/**
 * Options of servers for `maxIdleConns` and `maxIdleConnsPerHost`; `perHostDefault` is for a 0 of
 * the latter. As for Go's HTTP client, 0 of the former is no limit, and what is negative keeps none.
 * `owner` names whose connections count together.
 */
export function idleLimits(
  owner: string,
  spec: { readonly maxIdleConns: number; readonly maxIdleConnsPerHost: number },
  perHostDefault: number,
): Pick<ServerOptions, 'keptMax' | 'keptTogether'> {
  const { maxIdleConns, maxIdleConnsPerHost } = spec
  const keptMax = Math.max(0, maxIdleConnsPerHost || perHostDefault)
  // Without a limit of its own a filter shares connections with others that ask the same servers.
  if (maxIdleConns === 0 || maxIdleConns >= ALL_MAX) return { keptMax, keptTogether: null }
  return { keptMax, keptTogether: { name: owner, max: Math.max(0, maxIdleConns) } }
}
