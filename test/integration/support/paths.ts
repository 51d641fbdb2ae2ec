import { fileURLToPath } from 'node:url'

/** Root of the repository, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

const built = (path: string): string => `${ROOT}dist/${path}`

/** Entry files of what the build made. */
export const PARENT = built('src/parent.js')
export const EGCTL = built('src/cli/main.js')
export const MIRROR = built('test/backend-service/mirror.js')
