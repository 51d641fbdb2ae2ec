import type { GatewayError } from '../lib/errors.js'
import type { Store } from '../store/contract.js'
import { encodeVersion, VERSION_KEY } from './record.js'

/**
 * Gives a new store its first configuration version, with an epoch of its own; leaves one that has
 * a version as it is.
 */
export function bootstrap(
  store: Store,
  nowMs: number,
  done: (error: GatewayError | null) => void,
): void {
  const first = encodeVersion({ epoch: Math.floor(nowMs / 1000), version: 0 })
  store.txn(
    [{ target: 'version', key: VERSION_KEY, is: '=', operand: 0 }],
    [{ type: 'put', key: VERSION_KEY, value: first }],
    [],
    (outcome) => done(outcome.ok ? null : outcome.error),
  )
}
