import { fileURLToPath } from 'node:url'

/** Root of the repository, with a slash at its end. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

/** What `npm run build` made, or a build elsewhere. */
const DIST = process.env['EASEGRESS_DIST'] ?? `${ROOT}dist`
const built = (path: string): string => `${DIST}/${path}`

/** Entry files of what the build made. */
export const PARENT = built('src/parent.js')
export const EGCTL = built('src/cli/main.js')
export const CERTIFICATES = built('scripts/certificates.js')
export const MIRROR = built('test/backend-service/mirror.js')
