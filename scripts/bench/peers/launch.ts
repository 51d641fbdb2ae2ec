import { ask } from '../ask.js'
import { until } from '../children.js'
import { DEFAULT_TARGET } from '../loadgen.js'
import type { Place, Site, Subject } from '../site.js'

export interface Launch {
  readonly name: string
  readonly version: string
  readonly place: Place
  readonly site: Site
  readonly port: number
  readonly program: string
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

/** The cores for a server that does what `site` asks: more workers than one need them all. */
export const coresFor = (place: Place, site: Site): string | null =>
  site.workers === 1 ? place.cores.server : null

/** Starts a server whose configuration stands, and waits until it answers. */
export async function launched(launch: Launch): Promise<Subject> {
  const { name, version, place, site, port, program, args, env = {} } = launch
  const child = place.household.start(program, args, { cores: coresFor(place, site), env })
  const tls = site.tls !== null
  await until(name, child, async () => {
    const { status } = await ask({ port, path: DEFAULT_TARGET, tls })
    return status === 200
  })
  return { name, version, child, port, tls, adminPort: null }
}
