import { createServer } from 'node:net'

// Below the range from which the kernel takes ports of outgoing connections (32768 and up): a port
// found free here cannot be taken by a client of ours a moment later.
const FIRST = 20_000
const COUNT = 12_000

/** Different processes start at different places, one process never hands a port out twice. */
let next = (process.pid * 97) % COUNT

/** A TCP port on which nobody listens, neither on 127.0.0.1 nor on all addresses. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = FIRST + next
    next = (next + 1) % COUNT
    if (await isFree(port)) return port
  }
  throw new Error(`no free port in ${FIRST}..${FIRST + COUNT - 1}`)
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) ports.push(await freePort())
  return ports
}

/** True when the port can be bound right now. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen({ port, host: '::', exclusive: true }, () => probe.close(() => resolve(true)))
  })
}
