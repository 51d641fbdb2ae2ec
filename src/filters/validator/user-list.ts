import { readFileSync, type Stats, stat, statSync } from 'node:fs'
import type { Clock } from '../../lib/clock.js'
import { parseJsonObject } from '../../lib/json-object.js'
import type { CustomDataView } from '../../shared/contract.js'
import type { Logger } from '../../telemetry/log.js'
import type { CredentialJudge } from './basic-auth.js'
import { Passwords, type SlowChecker } from './passwords.js'

/** Names to what their passwords are kept as. */
export interface UserList {
  /** Null: there is no such user. */
  passwordOf(user: string): string | null
  /** Of any user: what an unknown one is compared with, so that it takes as long. */
  anyPassword(): string | null
  close(): void
}

/** Users of a list. */
export class ListedUsers implements CredentialJudge {
  readonly #list: UserList
  readonly #passwords: Passwords
  readonly #checker: SlowChecker
  readonly #clock: Clock

  constructor(list: UserList, checker: SlowChecker, clock: Clock) {
    this.#list = list
    this.#checker = checker
    this.#passwords = new Passwords(checker.check)
    this.#clock = clock
  }

  verify(user: string, password: string): boolean | Promise<boolean> {
    const nowMs = this.#clock.wallMs()
    const kept = this.#list.passwordOf(user)
    if (kept !== null) return this.#passwords.verify(kept, password, nowMs)
    const other = this.#list.anyPassword()
    if (other === null) return false
    const verdict = this.#passwords.verify(other, password, nowMs)
    return typeof verdict === 'boolean' ? false : verdict.then(() => false)
  }

  retire(): void {
    this.#list.close()
    this.#checker.close()
  }
}

const FILE_BYTES_MAX = 4 * 1024 * 1024
/** How often the file is looked at. */
const LOOK_MS = 2_000

/** Users of a file as `htpasswd` writes it: a name, a colon and a password for each line. */
export class UserFile implements UserList {
  readonly #path: string
  readonly #log: Logger
  readonly #looking: NodeJS.Timeout
  #users: ReadonlyMap<string, string> = new Map()
  /** What was read last, as the file system tells it from others. */
  #read = ''

  constructor(path: string, log: Logger, lookMs = LOOK_MS) {
    this.#path = path
    this.#log = log
    this.#load()
    // `watchFile` compares with what it finds some time after its call: a change before is not seen.
    this.#looking = setInterval(() => {
      stat(path, (_error, stats) => {
        if (versionOf(stats) !== this.#read) this.#load()
      })
    }, lookMs)
    this.#looking.unref()
  }

  passwordOf(user: string): string | null {
    return this.#users.get(user) ?? null
  }

  anyPassword(): string | null {
    for (const kept of this.#users.values()) return kept
    return null
  }

  close(): void {
    clearInterval(this.#looking)
  }

  /** While it cannot be read, those whom it had last are let in. */
  #load(): void {
    this.#read = ''
    try {
      const stats = statSync(this.#path)
      this.#read = versionOf(stats)
      if (stats.size > FILE_BYTES_MAX) throw new Error(`larger than ${FILE_BYTES_MAX} bytes`)
      this.#users = parseUsers(readFileSync(this.#path, 'utf8'))
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown.message : String(thrown)
      this.#log.warn('users cannot be read', { file: this.#path, error })
    }
  }
}

/** '' for no file. */
const versionOf = (stats: Stats | undefined): string =>
  stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`

/** Empty lines and those that begin with `#` say nothing; of two of one name the first counts. */
export function parseUsers(text: string): Map<string, string> {
  const users = new Map<string, string>()
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon < 1 || line.startsWith('#')) continue
    const name = line.slice(0, colon)
    const kept = line.slice(colon + 1).trimEnd()
    if (kept !== '' && !users.has(name)) users.set(name, kept)
  }
  return users
}

/** What an item says of a user. */
interface StoredUser {
  readonly item: string
  readonly json: string
  /** '' when it is nobody. */
  readonly name: string
  readonly password: string
}

/**
 * Users as custom data of the cluster: an item for each, found by its `username`, or by its `key`,
 * or by what it is kept under. Of two items with one name that with the lesser key counts.
 */
export class StoredUsers implements UserList {
  readonly #data: CustomDataView
  #version = -1
  #items: ReadonlyMap<string, StoredUser> = new Map()
  #byName: ReadonlyMap<string, StoredUser> = new Map()

  constructor(data: CustomDataView) {
    this.#data = data
    this.#follow()
  }

  passwordOf(user: string): string | null {
    if (this.#version !== this.#data.version) this.#follow()
    return this.#byName.get(user)?.password ?? null
  }

  anyPassword(): string | null {
    for (const { password } of this.#byName.values()) return password
    return null
  }

  /** Reads what has changed: of ten thousand items mostly one. */
  #follow(): void {
    const items = new Map<string, StoredUser>()
    const byName = new Map<string, StoredUser>()
    for (const [item, json] of this.#data.entries()) {
      const known = this.#items.get(item)
      const user = known?.json === json ? known : readUser(item, json)
      items.set(item, user)
      const other = byName.get(user.name)
      if (user.name !== '' && (other === undefined || item < other.item))
        byName.set(user.name, user)
    }
    this.#items = items
    this.#byName = byName
    this.#version = this.#data.version
  }

  close(): void {
    // The data are the worker's.
  }
}

function readUser(item: string, json: string): StoredUser {
  const { key = '', username = '', password = '' } = parseJsonObject(Buffer.from(json)) ?? {}
  const isUser = [key, username, password].every((each) => typeof each === 'string')
  if (!isUser || password === '') return { item, json, name: '', password: '' }
  return { item, json, name: String(username || key || item), password: String(password) }
}
