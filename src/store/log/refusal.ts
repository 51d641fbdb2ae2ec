import { GatewayError } from '../../lib/errors.js'

/** The log does not open: what is on disk contradicts itself, and going on would lose writes. */
export function damagedAt(path: string, offset: number, what: string): GatewayError {
  return new GatewayError(
    'STORE_UNAVAILABLE',
    `${path} is damaged at offset ${offset}: ${what}. Restore the data directory from a backup; in a cluster of several members, purge this one and let it join with an empty directory`,
    { file: path, offset },
  )
}

export function unreadable(path: string, what: string): GatewayError {
  return new GatewayError('STORE_UNAVAILABLE', `${path} ${what}`, { file: path })
}
