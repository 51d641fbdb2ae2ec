/** Key of a server's statistics row. */
export const statsKey = (server: string): string => `server/${server}`

/** Key of the words that count a port's connections; all servers that ever hold it share them. */
export const connectionsKey = (port: number): string => `connections/${port}`
