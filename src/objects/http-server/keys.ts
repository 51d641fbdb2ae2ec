import { PLACES_BYTES } from '../../listener/contract.js'
import type { AreaKey } from '../../shared/contract.js'

/** Key of a server's statistics row. */
export const statsKey = (server: string): string => `server/${server}`

/** Key of the words that count a port's connections; all servers that ever hold it share them. */
export const connectionsKey = (port: number): string => `connections/${port}`

/** Memory in which workers note their sockets of a port, in the kernel's order. */
export const placesKey = (port: number): AreaKey => ({ key: `places/${port}`, bytes: PLACES_BYTES })
