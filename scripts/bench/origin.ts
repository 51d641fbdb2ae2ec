import { type Child, type Household, until } from './children.js'

/** A back end that is never the bottleneck (native-bench). */
export interface Origin {
  readonly child: Child
  readonly ports: readonly number[]
}

/**
 * Starts one with the ports of `servers`, whose entries are parameters of the port's answers, such
 * as `bytes=64&delay=50ms`; '' for none.
 */
export async function startOrigin(
  household: Household,
  program: string,
  cores: string | null,
  servers: readonly string[] = [''],
): Promise<Origin> {
  const args = ['--die-with-parent']
  for (const parameters of servers) args.push('--port', parameters === '' ? '0' : `0?${parameters}`)
  const child = household.start(program, args, { cores })
  let ports: number[] = []
  await until('the back end', child, async () => {
    ports = portsIn(child.said())
    return ports.length === servers.length
  })
  return { child, ports }
}

/** Of the line `ready 127.0.0.1:4001 127.0.0.1:4002`. */
export function portsIn(said: string): number[] {
  const line = /^ready (.+)$/m.exec(said)?.[1] ?? ''
  return [...line.matchAll(/:(\d+)/g)].map(([, port]) => Number(port))
}
