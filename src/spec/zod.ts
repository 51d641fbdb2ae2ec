import { createRequire } from 'node:module'
import type * as Zod from 'zod'

type ZodModule = typeof Zod

let loaded: ZodModule | null = null

/**
 * The zod package, loaded when something is decoded for the first time: it takes 8 MB and 100 ms, and
 * most threads know the kinds without ever decoding a spec.
 */
export function zod(): ZodModule {
  loaded ??= createRequire(import.meta.url)('zod') as ZodModule
  return loaded
}
