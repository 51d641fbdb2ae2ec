import { systemTime } from '../../lib/clock.js'
import type { Filter, FilterContext } from '../contract.js'
import { BasicAuthCheck, type CredentialJudge } from './basic-auth.js'
import { type BasicAuthSpec, usersPrefix } from './basic-auth-spec.js'
import type { SpecV2 } from './kind-v2.js'
import { LdapUsers } from './ldap.js'
import { openSlowChecker, type SlowChecker } from './passwords.js'
import { ListedUsers, StoredUsers, UserFile } from './user-list.js'
import { Validator } from './validator.js'

/** Of v2, for all but headers. */
const UNAUTHORIZED = 401

function judgeOf(
  spec: BasicAuthSpec,
  context: FilterContext,
  checker: () => SlowChecker,
): CredentialJudge {
  if (spec.mode === 'LDAP') {
    if (spec.ldap === undefined) throw new TypeError('the kind has checked that it is there')
    return new LdapUsers(spec.ldap)
  }
  const list =
    spec.mode === 'FILE'
      ? new UserFile(spec.userFile, context.log)
      : new StoredUsers(context.data(usersPrefix(spec) ?? ''))
  return new ListedUsers(list, checker(), systemTime)
}

/** `checker`: who checks what takes long; a pool of this worker's unless a test says otherwise. */
export const create = (
  spec: SpecV2,
  context: FilterContext,
  _previous: Filter | null = null,
  checker: () => SlowChecker = openSlowChecker,
): Filter => {
  const { basicAuth } = spec
  const basic =
    basicAuth === undefined
      ? null
      : new BasicAuthCheck(judgeOf(basicAuth, context, checker), UNAUTHORIZED)
  return new Validator(spec, context, systemTime, { refusal: UNAUTHORIZED, basic })
}
