import type { NativeBench } from './native.js'
import type { Build } from './peers/gateway.js'
import type { Progress } from './progress.js'
import type { Peer, Place, TlsFiles } from './site.js'

/** How long and how often. */
export interface Effort {
  /** For a first look: what takes long is left out. */
  readonly quick: boolean
  /** Rounds of scenarios with a bar. */
  readonly rounds: number
  /** Rounds of the others. */
  readonly roundsBeside: number
  /** Of a slice; a round has a few. */
  readonly sliceSeconds: number
  /** Load on a new server before anything counts, so that its code is optimised. */
  readonly warmUpSeconds: number
}

/** What every scenario works with. */
export interface Bench {
  readonly place: Place
  readonly native: NativeBench
  readonly progress: Progress
  readonly effort: Effort
  /** Other servers, in the order in which they are printed. */
  readonly peers: readonly Peer[]
  /** This gateway, first the build that runs the bench. */
  readonly builds: readonly [Build, ...Build[]]
  /** Null where openssl is missing. */
  readonly tls: TlsFiles | null
  readonly connections: number
}
