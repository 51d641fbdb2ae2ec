import type { Logger } from '../telemetry/log.js'
import type { ConnectionGate, ListenAddress, TrafficListener } from './contract.js'
import { TlsFront } from './tls-front.js'
import { type ListenOptions, UwsListener } from './uws-listener.js'

/** Opens the listener that can do what `tls` asks for, the fastest of them. */
export function openListener(
  address: ListenAddress,
  gate: ConnectionGate,
  log: Logger,
  options: ListenOptions,
): TrafficListener | null {
  const { tls = null } = options
  if (tls !== null && (tls.clientCa !== '' || tls.pairs.length > 1)) {
    return TlsFront.open(address, gate, log, tls, options)
  }
  return UwsListener.open(address, gate, log, options)
}
