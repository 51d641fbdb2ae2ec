import { readFileSync } from 'node:fs'

const LISTEN = '0A'

function socketStates(port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local]) => local?.endsWith(wanted))
      .map(([, , , state]) => state ?? ''),
  )
}

/** Listen sockets on a port, as the kernel counts them: one for each worker. */
export const listenerCount = (port: number): number =>
  socketStates(port).filter((state) => state === LISTEN).length
