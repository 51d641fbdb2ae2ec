import { CliError } from './io.js'

/** Where the server is and how to talk to it. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly credentials: { readonly user: string; readonly password: string } | null
  /** Null for plain HTTP. */
  readonly tls: TlsFiles | null
}

interface TlsFiles {
  readonly isVerified: boolean
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
}

/** Options of every command that talks to the server, as commander gives them. */
export interface TargetOptions {
  readonly server?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly insecureSkipVerify?: boolean
}

export const DEFAULT_SERVER = 'localhost:2381'

/**
 * `--server`, else `EGCTL_SERVER`, else localhost:2381: `host:port`, `http://…` or `https://…`.
 * A user comes with the URL or from `EGCTL_USER` and `EGCTL_PASSWORD`.
 */
export function targetOf(
  options: TargetOptions,
  env: Readonly<Record<string, string | undefined>>,
): Target {
  const fromFlag = options.server !== undefined
  const text = options.server || env['EGCTL_SERVER'] || DEFAULT_SERVER
  const given = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const refuse = (): never => {
    throw new CliError(
      `${fromFlag ? '--server' : 'EGCTL_SERVER'}: expected host:port or a URL such as http://${DEFAULT_SERVER}, got ${JSON.stringify(text)}`,
    )
  }
  if (!URL.canParse(given)) return refuse()
  const url = new URL(given)
  const isHttps = url.protocol === 'https:'
  if (!isHttps && url.protocol !== 'http:') return refuse()
  if (url.hostname === '' || url.pathname !== '/' || url.search !== '') return refuse()
  // URL leaves out default ports: without one the admin port is meant, unless it was written.
  const isWritten = /:\d+\/?$/.test(given)
  const port = url.port !== '' ? Number(url.port) : isWritten ? (isHttps ? 443 : 80) : 2381
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    credentials: credentialsOf(url, env),
    tls: isHttps ? tlsOf(options) : null,
  }
}

function credentialsOf(
  url: URL,
  env: Readonly<Record<string, string | undefined>>,
): Target['credentials'] {
  if (url.username !== '') {
    return {
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
    }
  }
  const user = env['EGCTL_USER'] ?? ''
  return user === '' ? null : { user, password: env['EGCTL_PASSWORD'] ?? '' }
}

function tlsOf({ caFile, certFile, keyFile, insecureSkipVerify }: TargetOptions): TlsFiles {
  return {
    isVerified: insecureSkipVerify !== true,
    ...(caFile === undefined ? {} : { caFile }),
    ...(certFile === undefined ? {} : { certFile }),
    ...(keyFile === undefined ? {} : { keyFile }),
  }
}

/** `host:port`, without credentials. */
export function describeTarget({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
