import { join } from 'node:path'
import type { Config } from './config-schema.js'
import { CliError, type CliIo } from './io.js'

/** What an empty file holds. */
export const NO_CONFIG: Config = Object.freeze({
  kind: '',
  'current-context': '',
  contexts: [],
  clusters: [],
  users: [],
})

/** `~/.egctlrc`; null without a home directory. */
export function configPath(io: CliIo): string | null {
  const home = io.env['HOME'] || io.env['USERPROFILE'] || ''
  return home === '' ? null : join(home, '.egctlrc')
}

/** A file that is not there is an empty one; one that makes no sense is a {@link CliError}. */
export async function readConfig(io: CliIo): Promise<Config> {
  const path = configPath(io)
  if (path === null) return NO_CONFIG
  let yaml: string
  try {
    yaml = await io.readFile(path)
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : null
    if (code === 'ENOENT') return NO_CONFIG
    throw new CliError(`${path}: ${thrown instanceof Error ? thrown.message : String(thrown)}`)
  }
  // Schemas take a while to load; most people have no such file.
  const { decodeConfig } = await import('./config-schema.js')
  return decodeConfig(path, yaml)
}

/** What the current context says, texts empty where it says nothing. */
export interface Current {
  readonly server: string
  readonly credentials: { readonly user: string; readonly password: string } | null
  readonly ca: Pem
  readonly cert: Pem
  readonly key: Pem
}

/** Data wins over the file. */
interface Pem {
  readonly file: string
  /** Base64. */
  readonly data: string
}

/** Throws a {@link CliError} when the context names what is not there. */
export function currentOf(config: Config): Current {
  const name = config['current-context']
  const context = config.contexts.find((each) => each.name === name)?.context
  if (name !== '' && context === undefined) throw missing('context', name)
  const cluster = config.clusters.find((each) => each.name === context?.cluster)?.cluster
  const user = config.users.find((each) => each.name === context?.user)?.user
  if (context?.cluster && cluster === undefined) throw missing('cluster', context.cluster)
  if (context?.user && user === undefined) throw missing('user', context.user)
  const { username = '', password = '' } = user ?? {}
  return {
    server: cluster?.server ?? '',
    credentials: username === '' ? null : { user: username, password },
    ca: {
      file: cluster?.['certificate-authority'] ?? '',
      data: cluster?.['certificate-authority-data'] ?? '',
    },
    cert: {
      file: user?.['client-certificate'] ?? '',
      data: user?.['client-certificate-data'] ?? '',
    },
    key: { file: user?.['client-key'] ?? '', data: user?.['client-key-data'] ?? '' },
  }
}

const missing = (what: string, name: string): CliError =>
  new CliError(`.egctlrc: there is no ${what} "${name}"`)
