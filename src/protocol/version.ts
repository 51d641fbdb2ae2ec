/**
 * The number under which all objects stand. Every object write adds 1 to `version`; bootstrap,
 * restore, import and force-new-cluster set a new `epoch` (Unix seconds). Compared by epoch first.
 */
export interface ConfigVersion {
  readonly epoch: number
  readonly version: number
}

export const NO_CONFIG: ConfigVersion = Object.freeze({ epoch: 0, version: 0 })

/** Below 0 when `a` is older than `b`, 0 when they are the same, above 0 when newer. */
export function compareVersions(a: ConfigVersion, b: ConfigVersion): number {
  return a.epoch - b.epoch || a.version - b.version
}

export function isNewer(a: ConfigVersion, b: ConfigVersion): boolean {
  return compareVersions(a, b) > 0
}
