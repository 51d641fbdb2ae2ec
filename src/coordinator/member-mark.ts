import { type Disk, DiskError } from '../lib/disk.js'
import { GatewayError } from '../lib/errors.js'
import { readIdentity } from '../store/identity.js'

/** There once this directory has belonged to a member: an empty log is then a log that was lost. */
const FILE = 'member'
const TEXT = 'This data directory belongs to a member of a cluster. Its log lies in log/.\n'

export function isMarked(disk: Disk): boolean {
  return disk.list().includes(FILE)
}

/** Durable when it returns; does nothing when it is there. STORE_UNAVAILABLE when it cannot be. */
export function mark(disk: Disk): void {
  try {
    if (isMarked(disk)) return
    const aside = `${FILE}.tmp`
    if (disk.list().includes(aside)) disk.remove(aside)
    const file = disk.open(aside, 'create')
    disk.write(file, 0, Buffer.from(TEXT))
    disk.datasync(file)
    disk.close(file)
    disk.rename(aside, FILE)
    disk.syncDir()
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown
    throw new GatewayError('STORE_UNAVAILABLE', thrown.message, {}, { cause: thrown })
  }
}

/** Why a node whose log is gone, and nothing else of its directory, must not take part. */
export function logIsGone(directory: string, name: string): GatewayError {
  return new GatewayError(
    'STORE_UNAVAILABLE',
    `the log in ${directory}/log is gone, and member "${name}" has promised to keep it: restore it, or purge the member and empty the whole directory to join as a new one`,
    { directory },
  )
}

/**
 * Throws STORE_UNAVAILABLE for the directory of a member whose identity is gone: under a new one its
 * log would be that of a stranger, and it would wait for ever among members that refuse it.
 */
export function checkIdentityIsThere(disk: Disk, name: string): void {
  let isGone: boolean
  try {
    isGone = isMarked(disk) && readIdentity(disk) === null
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown
    throw new GatewayError('STORE_UNAVAILABLE', thrown.message, {}, { cause: thrown })
  }
  if (!isGone) return
  throw new GatewayError(
    'STORE_UNAVAILABLE',
    `the file ${disk.root}/identity is gone, and the log beside it belongs to member "${name}": restore it from a backup, or purge the member and empty the whole directory to join as a new one`,
    { directory: disk.root },
  )
}
