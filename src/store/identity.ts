import { crc32 } from 'node:zlib'
import { type Disk, DiskError } from '../lib/disk.js'
import { GatewayError } from '../lib/errors.js'

/**
 * Who a data directory belongs to. The incarnation is random and made with the directory: an empty
 * directory is a new member, whatever its name.
 */
export interface NodeIdentity {
  readonly name: string
  readonly incarnation: string
}

const FILE = 'identity'
const FORMAT = 1
/** Far above what is ever written; a larger file is not ours. */
const FILE_BYTES_MAX = 4096

/**
 * The identity kept in the data directory; null when it has none yet. STORE_UNAVAILABLE when the
 * file is damaged or of a newer format. Call it while the directory is locked.
 */
export function readIdentity(disk: Disk): NodeIdentity | null {
  if (!disk.list().includes(FILE)) return null
  const file = disk.open(FILE, 'read')
  const bytes = disk.read(file, 0, FILE_BYTES_MAX)
  disk.close(file)
  const text = Buffer.from(bytes).toString('utf8')
  const split = text.indexOf('\n')
  const body = text.slice(0, split)
  const path = `${disk.root}/${FILE}`
  if (split < 0 || text.slice(split + 1).trim() !== checksum(body)) throw damaged(path)
  const { format, name, incarnation } = JSON.parse(body) as Record<string, unknown>
  if (format !== FORMAT) {
    throw new GatewayError(
      'STORE_UNAVAILABLE',
      `${path} has format ${String(format)}, this version reads ${FORMAT}; start a newer one`,
      { file: path },
    )
  }
  if (typeof name !== 'string' || typeof incarnation !== 'string') throw damaged(path)
  return { name, incarnation }
}

/**
 * Writes the identity of a new data directory: whole and durable when this returns, or not there
 * at all. Throws `DiskError`.
 */
export function createIdentity(disk: Disk, identity: NodeIdentity): void {
  const body = JSON.stringify({ format: FORMAT, ...identity })
  const aside = `${FILE}.tmp`
  if (disk.list().includes(aside)) disk.remove(aside)
  const file = disk.open(aside, 'create')
  disk.write(file, 0, Buffer.from(`${body}\n${checksum(body)}\n`))
  disk.datasync(file)
  disk.close(file)
  disk.rename(aside, FILE)
  disk.syncDir()
}

/**
 * The identity of the directory; a new one with this incarnation when it has none. A name other
 * than the one it was made with is refused with REQUEST_INVALID.
 */
export function openIdentity(disk: Disk, name: string, newIncarnation: string): NodeIdentity {
  try {
    const identity = readIdentity(disk)
    if (identity === null) {
      const created = { name, incarnation: newIncarnation }
      createIdentity(disk, created)
      return created
    }
    if (identity.name === name) return identity
    throw new GatewayError(
      'REQUEST_INVALID',
      `the data directory ${disk.root} belongs to member "${identity.name}", not to "${name}"; use that name or another directory`,
      { directory: disk.root, name: identity.name },
    )
  } catch (thrown) {
    if (!(thrown instanceof DiskError)) throw thrown
    throw new GatewayError('STORE_UNAVAILABLE', thrown.message, {}, { cause: thrown })
  }
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0')
}

function damaged(path: string): GatewayError {
  return new GatewayError(
    'STORE_UNAVAILABLE',
    `${path} is damaged; restore it from a backup, or empty the data directory to join as a new member`,
    { file: path },
  )
}
