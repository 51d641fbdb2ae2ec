import { isPassword } from './password-hash.js'

/** A job: see `isPassword`. */
export const checkPassword = ({ kept, password }: { kept: string; password: string }): boolean =>
  isPassword(kept, password)
