import { readFileSync } from 'node:fs'
import { currentOf } from './config-file.js'
import type { Config } from './config-schema.js'
import { CliError } from './io.js'

/** Where the server is and how to talk to it. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly credentials: { readonly user: string; readonly password: string } | null
  /** Null for plain HTTP. */
  readonly tls: Tls | null
}

interface Tls {
  readonly isVerified: boolean
  readonly ca?: TlsSource
  readonly cert?: TlsSource
  readonly key?: TlsSource
}

/** PEM from wherever it is; `read` throws a {@link CliError} when it cannot be had. */
export interface TlsSource {
  read(): Buffer
}

/** Options of every command that talks to the server, as commander gives them. */
export interface TargetOptions {
  readonly server?: string
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly insecureSkipVerify?: boolean
  readonly forceTls?: boolean
}

export const DEFAULT_SERVER = 'localhost:2381'

/**
 * `--server`, else `EGCTL_SERVER`, else the current context of `config`, else localhost:2381:
 * `host:port`, `http://…` or `https://…`. A user comes with the URL, from `EGCTL_USER` and
 * `EGCTL_PASSWORD`, or with the context.
 */
export function targetOf(
  options: TargetOptions,
  env: Readonly<Record<string, string | undefined>>,
  config: Config,
): Target {
  const fromFlag = options.server !== undefined
  const current = currentOf(config)
  const fromContext = current.server
  const text = options.server || env['EGCTL_SERVER'] || fromContext || DEFAULT_SERVER
  const scheme = options.forceTls === true ? 'https' : 'http'
  const given = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `${scheme}://${text}`
  const refuse = (): never => {
    const origin = env['EGCTL_SERVER'] ? 'EGCTL_SERVER' : '.egctlrc'
    throw new CliError(
      `${fromFlag ? '--server' : origin}: expected host:port or a URL such as http://${DEFAULT_SERVER}, got ${JSON.stringify(text)}`,
    )
  }
  if (!URL.canParse(given)) return refuse()
  const url = new URL(given)
  const isHttps = url.protocol === 'https:' || options.forceTls === true
  if (!isHttps && url.protocol !== 'http:') return refuse()
  if (url.hostname === '' || url.pathname !== '/' || url.search !== '') return refuse()
  // URL leaves out default ports: without one the admin port is meant, unless it was written.
  const isWritten = /:\d+\/?$/.test(given)
  const port = url.port !== '' ? Number(url.port) : isWritten ? (isHttps ? 443 : 80) : 2381
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    credentials: credentialsOf(url, env) ?? current.credentials,
    tls: isHttps ? tlsOf(options, current) : null,
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

function tlsOf(options: TargetOptions, current: ReturnType<typeof currentOf>): Tls {
  const { caFile, certFile, keyFile, insecureSkipVerify } = options
  const ca = sourceOf('--ca-file', caFile, current.ca)
  const cert = sourceOf('--cert-file', certFile, current.cert)
  const key = sourceOf('--key-file', keyFile, current.key)
  return {
    isVerified: insecureSkipVerify !== true,
    ...(ca === null ? {} : { ca }),
    ...(cert === null ? {} : { cert }),
    ...(key === null ? {} : { key }),
  }
}

function sourceOf(
  flag: string,
  path: string | undefined,
  ofContext: { readonly file: string; readonly data: string },
): TlsSource | null {
  if (path === undefined && ofContext.data !== '') {
    return { read: () => Buffer.from(ofContext.data, 'base64') }
  }
  const file = path ?? ofContext.file
  if (file === '') return null
  return {
    read() {
      try {
        return readFileSync(file)
      } catch (thrown) {
        const origin = path === undefined ? '.egctlrc' : flag
        throw new CliError(`${origin}: cannot read ${file}`, { cause: thrown })
      }
    },
  }
}

/** `host:port`, without credentials. */
export function describeTarget({ host, port }: Target): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
