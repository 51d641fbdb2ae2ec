import { type Headers, isFieldValue, toLatin1 } from '../../http/headers.js'

const USER_ID = 'x-authenticated-userid'
const SCOPE = 'x-authenticated-scope'

/** What a client says of itself is worth nothing: back ends must see only what we have found. */
export function removeIdentity(headers: Headers): void {
  headers.delete(USER_ID)
  headers.delete(SCOPE)
}

/**
 * Tells the back end whose token it was. False, and nothing told, when `sub` or `scope` cannot be
 * a header without changing its meaning.
 */
export function setIdentity(headers: Headers, sub: string, scope: string): boolean {
  const userId = toLatin1(sub)
  const scopes = toLatin1(scope)
  if (!isExact(userId) || !isExact(scopes)) return false
  if (userId !== '') headers.set(USER_ID, userId)
  if (scopes !== '') headers.set(SCOPE, scopes)
  return true
}

/** Blanks at the ends would be lost on the way: ` admin` is not `admin`. */
function isExact(value: string): boolean {
  return value === '' || (isFieldValue(value) && !/^[ \t]|[ \t]$/.test(value))
}
